import type { LiveEvent } from '@diskfleet/protocol';
import { tracked } from '@trpc/server';
import * as z from 'zod';
import { findSessionByHash } from '../auth/sessions.ts';
import type { Ctx } from '../context.ts';
import { allowed, router } from '../trpc.ts';

const SESSION_CHECK_MS = 60_000;

export const liveRouter = router({
  events: allowed('fleet:read')
    .input(z.object({ lastEventId: z.string().max(100).nullish() }).default({}))
    .subscription(async function* ({ ctx: { ctx, session }, input, signal }) {
      const stop = new AbortController();
      const check = setInterval(() => void endWithSession(ctx, session, stop), SESSION_CHECK_MS);
      try {
        const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
        for await (const [id, event] of ctx.live.subscribe(input.lastEventId ?? null, both)) yield tracked<LiveEvent>(id, event);
      } finally {
        clearInterval(check);
      }
    }),
});

/** A stream outlives the request that opened it, so it is looked at again whether its user is still signed in. */
async function endWithSession(ctx: Ctx, session: { sidHash: string; user: { id: string } }, stop: AbortController) {
  const still = await findSessionByHash(ctx, session.sidHash, session.user.id).catch(() => null);
  if (!still) stop.abort();
}
