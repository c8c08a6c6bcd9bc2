import { jobLog, jobs } from '@diskfleet/db';
import type { AgentMessage } from '@diskfleet/protocol';
import { and, eq } from 'drizzle-orm';
import type { Ctx } from '../context.ts';

/** Lines kept per job; then one line says that the rest is left out. */
export const MOST_LOG_LINES = 5000;

type LogMessage = { readonly machineId: string } & Omit<Extract<AgentMessage, { type: 'log' }>, 'type'>;

/** Keeps the run log of the newest attempt. */
export async function storeLog(ctx: Ctx, { machineId, jobId, attempt, lines }: LogMessage): Promise<void> {
  const which = and(eq(jobs.id, jobId), eq(jobs.machineId, machineId), eq(jobs.attempt, attempt));
  const [job] = await ctx.db.select({ id: jobs.id }).from(jobs).where(which);
  if (!job) return;
  const room = MOST_LOG_LINES - (await ctx.db.$count(jobLog, eq(jobLog.jobId, jobId)));
  if (room <= 0) return;
  const rows = lines.slice(0, room).map(({ at, level, text }) => ({ jobId, attempt, at: new Date(at), level, text }));
  if (lines.length >= room) {
    rows[room - 1] = { jobId, attempt, at: ctx.now(), level: 'warning', text: 'The log is full; further lines are left out.' };
  }
  await ctx.db.insert(jobLog).values(rows);
  ctx.live.publish({ kind: 'jobLog', jobId });
}
