import type { PointDetail, PointView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

const byId = z.object({ id: z.string().min(1).max(64) });

export const pointsRouter = router({
  list: allowed('fleet:read')
    .input(z.object({ machineId: z.uuid().optional(), vaultId: z.uuid().optional() }).default({}))
    .query(() => notBuilt<readonly PointView[]>()),
  get: allowed('fleet:read')
    .input(byId)
    .query(() => notBuilt<PointDetail>()),
  setPinned: allowed('points:manage')
    .input(byId.extend({ pinned: z.boolean() }))
    .mutation(() => notBuilt<PointView>()),
  setComment: allowed('points:manage')
    .input(byId.extend({ comment: z.string().trim().max(1000) }))
    .mutation(() => notBuilt<PointView>()),
});
