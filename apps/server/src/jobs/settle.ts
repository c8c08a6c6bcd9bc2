/**
 * How an attempt ended: job, run and restore point in one transaction, then the acknowledgement. The numbers of a restore point
 * are read from the vault, never taken from the agent. While the vault cannot be asked nothing is recorded and nothing
 * acknowledged: the agent keeps the outcome and this server asks again.
 */
import { jobs, points, vaults } from '@diskfleet/db';
import { type Failure, isFailureCode, type JobOutcome, type JobResult } from '@diskfleet/protocol';
import { and, eq, inArray } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { describeError, ServerError } from '../errors.ts';
import { type AgentSession, sendTo } from '../hub/state.ts';
import { type PointRow, readPointRow } from '../points/readPointRow.ts';
import { refreshUsage } from '../vaults/usage.ts';
import { announceJob, type JobRow, moveJob } from './move.ts';
import { dispatch } from './offer.ts';
import { isOpen, type JobEvent } from './transition.ts';

const ASK_AGAIN_MS = 15_000;
const CONFIRM_WITHIN_MS = 20_000;

export async function settle(ctx: Ctx, session: AgentSession, outcome: JobOutcome): Promise<void> {
  const { machineId, socket } = session;
  const { jobId, attempt } = outcome;
  const [job] = await ctx.db
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, jobId), eq(jobs.machineId, machineId)));
  if (job && isOpen(job.state) && job.attempt === attempt) {
    const truth = await Promise.race([confirm(ctx, job, outcome.outcome), tooLate()]);
    if (truth === 'ask again') return settleLater(ctx, session, outcome);
    await record(ctx, job, truth);
  }
  session.running.delete(jobId);
  sendTo(socket, { type: 'ack', jobId, attempt });
}

/** Once more, if the agent is still there then; else its next hello brings the outcome again. */
export function settleLater(ctx: Ctx, session: AgentSession, outcome: JobOutcome): void {
  const again = () => {
    if (session.socket.readyState !== session.socket.OPEN) return;
    void session.enqueue(async () => {
      await settle(ctx, session, outcome);
      await dispatch(ctx, session.machineId);
    });
  };
  setTimeout(again, ASK_AGAIN_MS).unref();
}

function tooLate(): Promise<'ask again'> {
  return new Promise((resolve) => setTimeout(() => resolve('ask again'), CONFIRM_WITHIN_MS).unref());
}

interface Truth {
  readonly end: 'succeeded' | 'failed' | 'cancelled';
  readonly failure: Failure | null;
  readonly result: JobResult | null;
  readonly point: PointRow | null;
}

/** What really happened: a backup counts when its restore point is in the vault and is this machine's. */
async function confirm(ctx: Ctx, job: JobRow, said: JobOutcome['outcome']): Promise<Truth | 'ask again'> {
  if (said.kind === 'cancelled') return { end: 'cancelled', failure: null, result: null, point: null };
  if (said.kind === 'failed')
    return failed({ ...said.failure, code: isFailureCode(said.failure.code) ? said.failure.code : 'INTERNAL' });
  const { result } = said;
  try {
    if (result.kind !== job.kind)
      throw new ServerError('INTERNAL', `the agent reported a result of another kind (${result.kind})`);
    if (result.kind !== 'backup') return { end: 'succeeded', failure: null, result, point: null };
    const point = await readPointRow(ctx, job, result.pointId);
    const { sizeBytes: sourceBytes, usedBytes, newBytes, storedBytes, method } = point;
    return {
      end: 'succeeded',
      failure: null,
      result: { ...result, sourceBytes, usedBytes, newBytes, storedBytes, method },
      point,
    };
  } catch (error) {
    const { code, detail, retry } = describeError(error);
    // What we did not foresee would be asked for ever; what is known to pass by itself is worth the wait.
    if (retry === 'later' && code !== 'INTERNAL') {
      ctx.log.warn({ jobId: job.id, code, detail }, 'outcome cannot be confirmed yet');
      return 'ask again';
    }
    return failed({ code, detail, retry });
  }
}

function failed(failure: Failure): Truth {
  return { end: 'failed', failure, result: null, point: null };
}

async function record(ctx: Ctx, job: JobRow, truth: Truth): Promise<void> {
  const { end, failure, result, point } = truth;
  const event: JobEvent = { kind: 'outcome', attempt: job.attempt, end, failure };
  const after = await ctx.db.transaction(async (tx) => {
    const row = await moveJob(ctx, tx, { jobId: job.id, machineId: job.machineId, event, result: result ?? undefined });
    if (!row) return null;
    if (point) {
      await tx.insert(points).values(point).onConflictDoNothing();
      await tx.update(jobs).set({ pointId: point.id }).where(eq(jobs.id, job.id));
    }
    if (result?.kind === 'verify') await markVerified(ctx, tx, { job, result });
    if (job.kind === 'restore') {
      await audit(tx, {
        at: ctx.now(),
        actor: 'system',
        action: `restore.${end}`,
        subject: job.subject,
        detail: failure?.code ?? '',
      });
    }
    return row;
  });
  if (!after) return;
  announceJob(ctx, after);
  if (point) ctx.live.publish({ kind: 'point', pointId: point.id });
  const [vault] = await ctx.db.select().from(vaults).where(eq(vaults.id, job.vaultId));
  if (vault && job.kind === 'backup') void refreshUsage(ctx, vault);
}

type Verified = { job: JobRow; result: Extract<JobResult, { kind: 'verify' }> };

/** Structure alone proves no byte: it can mark a point as hurt, not as sound. */
async function markVerified(ctx: Ctx, tx: Pick<Ctx['db'], 'update'>, { job, result }: Verified): Promise<void> {
  const at = ctx.now();
  const inVault = eq(points.vaultId, job.vaultId);
  const checked =
    job.request.kind === 'verify' && job.request.pointId ? and(inVault, eq(points.id, job.request.pointId)) : inVault;
  if (job.request.kind === 'verify' && job.request.level !== 'structure') {
    await tx.update(points).set({ verifiedAt: at, verifiedOk: true }).where(checked);
  }
  const hurt = [...new Set(result.damaged.flatMap((object) => object.points))];
  if (hurt.length > 0) {
    await tx
      .update(points)
      .set({ verifiedAt: at, verifiedOk: false })
      .where(and(inVault, inArray(points.id, hurt)));
  }
}
