/** An agent's hello against the table: what it did counts, what it still does goes on, what it never got is offered again. */
import { jobs } from '@diskfleet/db';
import type { AgentMessage } from '@diskfleet/protocol';
import { and, eq, inArray } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { type AgentSession, sendTo } from '../hub/state.ts';
import { vaultToken } from '../vaults/grants.ts';
import { changeJob } from './move.ts';
import { settle, settleLater } from './settle.ts';

const HELLO_SETTLES_MS = 15_000;

type Hello = Extract<AgentMessage, { type: 'hello' }>;

export async function reconcile(ctx: Ctx, session: AgentSession, hello: Hello): Promise<void> {
  const { machineId } = session;
  const deadline = performance.now() + HELLO_SETTLES_MS;
  for (const outcome of hello.done) {
    // With its vault away, what came in must not keep the machine from new work.
    if (performance.now() > deadline) settleLater(ctx, session, outcome);
    else await settle(ctx, session, outcome);
  }
  session.running.clear();
  for (const { jobId, attempt } of hello.running) await goOn(ctx, session, { jobId, attempt });
  const heard = new Set([...hello.running, ...hello.done].map(({ jobId, attempt }) => `${jobId}/${attempt}`));
  const open = await ctx.db
    .select({ id: jobs.id, attempt: jobs.attempt })
    .from(jobs)
    .where(and(eq(jobs.machineId, machineId), inArray(jobs.state, ['offered', 'running'])));
  for (const { id, attempt } of open) {
    // Said to be done, and still open: its vault could not be asked just now, so it stays until it can.
    if (heard.has(`${id}/${attempt}`)) continue;
    await changeJob(ctx, { jobId: id, machineId, event: { kind: 'unknownToAgent' } });
  }
}

/** A job the agent says it is running: mirrored here, or stopped there when it should not run (any more). */
async function goOn(ctx: Ctx, session: AgentSession, { jobId, attempt }: { jobId: string; attempt: number }): Promise<void> {
  const { machineId } = session;
  await changeJob(ctx, { jobId, machineId, event: { kind: 'accept', attempt } });
  const [job] = await ctx.db
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, jobId), eq(jobs.machineId, machineId)));
  if (job?.state !== 'running' || job.attempt !== attempt || job.cancelAskedAt) sendTo(session.socket, { type: 'cancel', jobId });
  if (job?.state !== 'running' || job.attempt !== attempt) return;
  const { token, untilMs } = vaultToken(ctx, job);
  session.running.set(jobId, { attempt, tokenUntilMs: untilMs, toldAtMs: ctx.now().getTime() });
  sendTo(session.socket, { type: 'renewToken', jobId, attempt, token });
}
