/** The only code that changes the state of a job's row. */
import { jobDisks, jobs, type Queries, runs } from '@diskfleet/db';
import type { Failure, JobResult } from '@diskfleet/protocol';
import { and, eq } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { isOpen, type JobChange, type JobEvent, jobTransition } from './transition.ts';

export type JobRow = typeof jobs.$inferSelect;

export interface Move {
  readonly jobId: string;
  /** Agents may move only jobs of their own machine. */
  readonly machineId: string;
  readonly event: JobEvent;
  readonly result?: JobResult;
  /** With an event that puts it back into the queue: not offered again before. */
  readonly notBefore?: Date;
}

/** Row-locked; null when the job is not of this machine or the event changes nothing. Call `announceJob` after the commit. */
export async function moveJob(ctx: Ctx, tx: Queries, move: Move): Promise<JobRow | null> {
  const which = and(eq(jobs.id, move.jobId), eq(jobs.machineId, move.machineId));
  const [row] = await tx.select().from(jobs).where(which).for('update');
  if (!row) return null;
  const facts = { state: row.state, attempt: row.attempt, cancelAsked: row.cancelAskedAt !== null };
  const change = jobTransition(facts, move.event);
  if (!change) return null;
  const at = ctx.now();
  const ended = !isOpen(change.state);
  const [after] = await tx
    .update(jobs)
    .set({
      state: change.state,
      attempt: change.attempt,
      cancelAskedAt: change.cancelAsked ? (row.cancelAskedAt ?? at) : null,
      failure: change.failure,
      startedAt: change.state === 'running' ? (row.startedAt ?? at) : row.startedAt,
      endedAt: ended ? at : null,
      result: move.result ?? row.result,
      notBefore: move.notBefore ?? null,
    })
    .where(eq(jobs.id, row.id))
    .returning();
  if (change.state !== row.state) await keepDisks(tx, row.id, change);
  await keepRun(tx, row.id, { at, before: row, change, ended });
  return after ?? null;
}

/** Holds the job's disks from offer to end; the partial unique index refuses a second holder. */
async function keepDisks(tx: Queries, jobId: string, { state }: JobChange): Promise<void> {
  const active = state === 'offered' || state === 'running';
  await tx.update(jobDisks).set({ active }).where(eq(jobDisks.jobId, jobId));
}

interface RunUpdate {
  readonly at: Date;
  readonly before: JobRow;
  readonly change: JobChange;
  readonly ended: boolean;
}

async function keepRun(tx: Queries, jobId: string, { at, before, change, ended }: RunUpdate): Promise<void> {
  if (change.attempt > before.attempt) {
    await tx.insert(runs).values({ jobId, attempt: change.attempt, offeredAt: at });
    return;
  }
  if (change.attempt === 0 || change.state === before.state) return;
  const outcome = ended && change.state !== 'missed' ? outcomeOf(change.state) : change.state === 'queued' ? 'returned' : null;
  await tx
    .update(runs)
    .set({
      startedAt: change.state === 'running' ? at : undefined,
      endedAt: outcome ? at : null,
      outcome,
      failure: change.failure satisfies Failure | null,
    })
    .where(and(eq(runs.jobId, jobId), eq(runs.attempt, change.attempt)));
}

function outcomeOf(state: JobRow['state']): 'succeeded' | 'failed' | 'cancelled' {
  return state === 'succeeded' || state === 'cancelled' ? state : 'failed';
}

/** Tells browsers; call when the change is committed. */
export function announceJob(ctx: Ctx, job: JobRow): void {
  if (!isOpen(job.state)) ctx.progress.delete(job.id);
  const progress = ctx.progress.get(job.id) ?? null;
  ctx.live.publish({ kind: 'job', jobId: job.id, machineId: job.machineId, state: job.state, progress });
}

/** `moveJob` in a transaction of its own, announced. */
export async function changeJob(ctx: Ctx, move: Move): Promise<JobRow | null> {
  const row = await ctx.db.transaction((tx) => moveJob(ctx, tx, move));
  if (row) announceJob(ctx, row);
  return row;
}
