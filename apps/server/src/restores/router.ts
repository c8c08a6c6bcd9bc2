import { type JobView, type RestorePlanView, targetRefShape } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

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
    .mutation(() => notBuilt<RestorePlanView>()),
  start: allowed('restore:disk')
    .input(z.object({ planId: z.uuid(), confirmText: z.string().max(500) }))
    .mutation(() => notBuilt<JobView>()),
});
