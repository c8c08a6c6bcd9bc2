/** What time alone makes necessary. Called every few seconds; every part is idempotent, so several servers may do it. */
import { agents, jobs } from '@diskfleet/db';
import { and, eq, inArray, lte } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { sendTo } from '../hub/state.ts';
import { vaultToken } from '../vaults/grants.ts';
import { changeJob } from './move.ts';
import { sendOffer, wake } from './offer.ts';

const RENEW_BEFORE_MS = 3_600_000;
const OFFER_AGAIN_AFTER_MS = 30_000;

/** Queued jobs whose time is over are missed. */
export async function expireJobs(ctx: Ctx): Promise<void> {
  const late = await ctx.db
    .select({ jobId: jobs.id, machineId: jobs.machineId })
    .from(jobs)
    .where(and(eq(jobs.state, 'queued'), lte(jobs.expiresAt, ctx.now())));
  for (const job of late) await changeJob(ctx, { ...job, event: { kind: 'expire' } });
}

/** Running jobs get a new vault token before theirs ends. */
export async function renewTokens(ctx: Ctx): Promise<void> {
  const soonMs = ctx.now().getTime() + RENEW_BEFORE_MS;
  for (const session of ctx.hub.sessions.values()) {
    for (const [jobId, held] of session.running) {
      if (held.tokenUntilMs > soonMs) continue;
      const [job] = await ctx.db
        .select()
        .from(jobs)
        .where(and(eq(jobs.id, jobId), eq(jobs.state, 'running')));
      if (!job) continue;
      const { token, untilMs } = vaultToken(ctx, job);
      held.tokenUntilMs = untilMs;
      sendTo(session.socket, { type: 'renewToken', jobId, attempt: held.attempt, token });
    }
  }
}

/** Offers that were not answered are sent again, and jobs that waited for a busy agent get another chance. */
export async function nudge(ctx: Ctx): Promise<void> {
  const machineIds = [...ctx.hub.sessions.keys()];
  if (machineIds.length === 0) return;
  const waiting = await ctx.db
    .select()
    .from(jobs)
    .where(and(inArray(jobs.state, ['queued', 'offered']), inArray(jobs.machineId, machineIds)));
  const sentBefore = ctx.now().getTime() - OFFER_AGAIN_AFTER_MS;
  for (const job of waiting) {
    const session = ctx.hub.sessions.get(job.machineId);
    if (!session?.ready) continue;
    if (job.state === 'queued') wake(ctx, job.machineId);
    else if ((session.running.get(job.id)?.toldAtMs ?? 0) < sentBefore) void session.enqueue(() => offerAgain(ctx, job.id));
  }
}

async function offerAgain(ctx: Ctx, jobId: string): Promise<void> {
  const [job] = await ctx.db
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, jobId), eq(jobs.state, 'offered')));
  if (!job) return;
  const session = ctx.hub.sessions.get(job.machineId);
  if (session?.ready) await sendOffer(ctx, session, job);
}

/** For machines that are connected, "last seen" moves on even when nothing happens. */
export async function noteSeen(ctx: Ctx): Promise<void> {
  const online = [...ctx.hub.sessions.keys()];
  if (online.length > 0) await ctx.db.update(agents).set({ lastSeenAt: ctx.now() }).where(inArray(agents.machineId, online));
}
