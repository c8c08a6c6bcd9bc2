import type { LiveEvent } from '@diskfleet/protocol';
import { tracked } from '@trpc/server';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

export const liveRouter = router({
  events: allowed('fleet:read')
    .input(z.object({ lastEventId: z.string().max(64).nullish() }).default({}))
    .subscription(async function* () {
      yield tracked('', await notBuilt<LiveEvent>());
    }),
});
