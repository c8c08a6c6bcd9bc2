import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { removePoint, undeletePoint } from '../vaults/keeping.ts';
import { changePoint, getPoint, listPoints } from './points.ts';

const byId = z.object({ id: z.string().min(1).max(64) });

export const pointsRouter = router({
  list: allowed('fleet:read')
    .input(z.object({ machineId: z.uuid().optional(), vaultId: z.uuid().optional() }).default({}))
    .query(({ ctx: { ctx }, input }) => listPoints(ctx, input)),
  get: allowed('fleet:read')
    .input(byId)
    .query(({ ctx: { ctx }, input }) => getPoint(ctx, input.id)),
  setPinned: allowed('points:manage')
    .input(byId.extend({ pinned: z.boolean() }))
    .mutation(({ ctx: { ctx, session }, input }) => changePoint(ctx, session.user, input)),
  remove: allowed('vaults:manage')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => removePoint(ctx, session.user, input.id)),
  undelete: allowed('vaults:manage')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => undeletePoint(ctx, session.user, input.id)),
  setComment: allowed('points:manage')
    .input(byId.extend({ comment: z.string().trim().max(1000) }))
    .mutation(({ ctx: { ctx, session }, input }) => changePoint(ctx, session.user, input)),
});
