/**
 * Offering a machine its queued jobs, by the server that holds its socket. The row is locked and marked before the message leaves:
 * a message that is lost is found at the agent's next hello, never guessed.
 */
import { type JobRequest, jobDisks, jobs, machines, vaults } from '@diskfleet/db';
import { type JobSpec, signGrant } from '@diskfleet/protocol';
import { and, asc, eq, gt, isNull, lte, notExists, or, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Ctx } from '../context.ts';
import { describeError } from '../errors.ts';
import { type AgentSession, sendTo } from '../hub/state.ts';
import { vaultGrant } from '../vaults/grants.ts';
import { announceJob, changeJob, type JobRow, moveJob } from './move.ts';

const MOST_AT_ONCE = 4;

/** Offers what can run now. Harmless to call at any time, for any machine. */
export function dispatch(ctx: Ctx, machineId: string): Promise<void> {
  const session = ctx.hub.sessions.get(machineId);
  return session?.ready ? offerAll(ctx, session) : Promise.resolve();
}

/** `dispatch` behind whatever the machine's queue holds; returns at once. */
export function wake(ctx: Ctx, machineId: string): void {
  void ctx.hub.sessions.get(machineId)?.enqueue(() => dispatch(ctx, machineId));
}

async function offerAll(ctx: Ctx, session: AgentSession): Promise<void> {
  while (session.socket.readyState === session.socket.OPEN) {
    const job = await claimNext(ctx, session.machineId);
    if (!job) return;
    announceJob(ctx, job);
    await sendOffer(ctx, session, job);
  }
}

/** Sends an offered job, again if need be: the agent knows it by id and attempt. */
export async function sendOffer(ctx: Ctx, session: AgentSession, job: JobRow): Promise<void> {
  try {
    const { spec, tokenUntilMs } = await completeSpec(ctx, job);
    session.running.set(job.id, { attempt: job.attempt, tokenUntilMs, toldAtMs: ctx.now().getTime() });
    const offer = { jobId: job.id, attempt: job.attempt, spec, expiresAt: job.expiresAt.toISOString() };
    sendTo(session.socket, { type: 'offer', job: offer });
  } catch (error) {
    ctx.log.error({ err: error, jobId: job.id }, 'job cannot be offered');
    const { code, detail, retry } = describeError(error);
    const event = { kind: 'decline', attempt: job.attempt, busy: false, failure: { code, detail, retry } } as const;
    await changeJob(ctx, { jobId: job.id, machineId: job.machineId, event });
  }
}

function claimNext(ctx: Ctx, machineId: string): Promise<JobRow | null> {
  const now = ctx.now();
  const holder = alias(jobDisks, 'holder');
  const diskIsHeld = ctx.db
    .select({ one: sql`1` })
    .from(jobDisks)
    .innerJoin(holder, and(eq(holder.machineId, jobDisks.machineId), eq(holder.diskKey, jobDisks.diskKey), holder.active))
    .where(eq(jobDisks.jobId, jobs.id));
  const active = sql<number>`(select count(*) from ${jobs} as other where other.machine_id = ${machineId} and other.state in ('offered', 'running'))`;
  return ctx.db.transaction(async (tx) => {
    const [machine] = await tx.select({ state: machines.state }).from(machines).where(eq(machines.id, machineId));
    if (machine?.state !== 'approved') return null;
    const [next] = await tx
      .select({ id: jobs.id })
      .from(jobs)
      .where(
        and(
          eq(jobs.machineId, machineId),
          eq(jobs.state, 'queued'),
          gt(jobs.expiresAt, now),
          or(isNull(jobs.notBefore), lte(jobs.notBefore, now)),
          notExists(diskIsHeld),
          sql`${active} < ${MOST_AT_ONCE}`,
        ),
      )
      .orderBy(asc(jobs.createdAt), asc(jobs.id))
      .limit(1)
      .for('update', { skipLocked: true });
    return next ? moveJob(ctx, tx, { jobId: next.id, machineId, event: { kind: 'offer' } }) : null;
  });
}

/** Adds what the row does not hold: access to the vault and, for a restore, the permission to write that one disk once. */
async function completeSpec(ctx: Ctx, job: JobRow): Promise<{ spec: JobSpec; tokenUntilMs: number }> {
  const [vault] = await ctx.db.select().from(vaults).where(eq(vaults.id, job.vaultId));
  if (!vault) throw new Error('the vault of the job is gone');
  const { grant, untilMs } = vaultGrant(ctx, vault, { machineId: job.machineId, request: job.request });
  return { spec: addSecrets(ctx, job, { request: job.request, vault: grant }), tokenUntilMs: untilMs };
}

function addSecrets(ctx: Ctx, job: JobRow, { request, vault }: { request: JobRequest; vault: JobSpec['vault'] }): JobSpec {
  if (request.kind !== 'restore') return { ...request, vault };
  const { targetKey, targetFingerprint, approvedBy, ...rest } = request;
  const writeGrant = signGrant(ctx.secrets.identity.privateKey, {
    purpose: 'diskWrite',
    // The job's own id: however often it is offered, it may write once.
    nonce: job.id,
    machineId: job.machineId,
    jobId: job.id,
    planHash: request.planHash,
    targetKey,
    targetFingerprint,
    expiresAt: job.expiresAt.toISOString(),
    approvedBy,
  });
  return { ...rest, vault, writeGrant };
}
