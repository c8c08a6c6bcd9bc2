import type { MachineSummary, MachineView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

const byId = z.object({ id: z.uuid() });
const machineName = z.string().trim().min(1).max(100);

export const machinesRouter = router({
  list: allowed('fleet:read')
    .input(
      z
        .object({ search: z.string().max(200).optional(), state: z.enum(['approved', 'pending', 'all']).default('approved') })
        .default({
          state: 'approved',
        }),
    )
    .query(() => notBuilt<readonly MachineSummary[]>()),
  get: allowed('fleet:read')
    .input(byId)
    .query(() => notBuilt<MachineView>()),
  approve: allowed('machines:manage')
    .input(byId.extend({ name: machineName.optional() }))
    .mutation(() => notBuilt<MachineView>()),
  reject: allowed('machines:manage')
    .input(byId)
    .mutation(() => notBuilt<void>()),
  revoke: allowed('machines:manage')
    .input(byId)
    .mutation(() => notBuilt<void>()),
  rename: allowed('machines:manage')
    .input(byId.extend({ name: machineName }))
    .mutation(() => notBuilt<MachineView>()),
  refresh: allowed('fleet:read')
    .input(byId)
    .mutation(() => notBuilt<MachineView>()),
  createEnrolToken: allowed('machines:manage')
    .input(z.object({ ttlMinutes: z.number().int().min(5).max(43_200), autoApprove: z.boolean() }))
    .mutation(() => notBuilt<{ token: string; installLine: string; expiresAt: string }>()),
});
