import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { testFolder } from './service.ts';
import { createVault, getVault, listVaults, readRecoveryKit } from './vaults.ts';

const byId = z.object({ id: z.uuid() });
const folder = z.string().trim().min(1).max(1024).regex(/^\//, 'a full path, beginning with /');

export const vaultsRouter = router({
  list: allowed('fleet:read').query(({ ctx: { ctx } }) => listVaults(ctx)),
  get: allowed('fleet:read')
    .input(byId)
    .query(({ ctx: { ctx }, input }) => getVault(ctx, input.id)),
  testFolder: allowed('vaults:manage')
    .input(z.object({ folder }))
    .mutation(({ ctx: { ctx }, input }) => testFolder(ctx, input.folder)),
  create: allowed('vaults:manage')
    .input(z.object({ name: z.string().trim().min(1).max(100), folder }))
    .mutation(({ ctx: { ctx, session }, input }) => createVault(ctx, session.user, input)),
  recoveryKit: allowed('vaults:keys')
    .input(byId.extend({ password: z.string().max(500) }))
    .mutation(({ ctx: { ctx, session }, input }) => readRecoveryKit(ctx, session.user, input)),
});
