import { targetRefShape } from '@diskfleet/protocol';
import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { getPlan, planDiskRestore } from './plan.ts';
import { startDiskRestore } from './start.ts';

export const restoresRouter = router({
  plan: allowed('restore:disk')
    .input(
      z.object({
        pointId: z.string().min(1).max(64),
        diskIndex: z.number().int().min(0).max(255),
        machineId: z.uuid(),
        target: targetRefShape,
      }),
    )
    .mutation(({ ctx: { ctx, session }, input }) => planDiskRestore(ctx, session.user, input)),
  get: allowed('restore:disk')
    .input(z.object({ planId: z.uuid() }))
    .query(({ ctx: { ctx, session }, input }) => getPlan(ctx, session.user, input.planId)),
  start: allowed('restore:disk')
    .input(z.object({ planId: z.uuid(), confirmText: z.string().max(500) }))
    .mutation(({ ctx: { ctx, session }, input }) => startDiskRestore(ctx, session.user, input)),
});
