import { bucketShape, pruneRuleShape, vaultPolicyShape } from '@diskfleet/protocol';
import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { getKeeping, makeAdminToken, setPolicy, setRule } from './keeping.ts';
import { testFolder } from './service.ts';
import { previewPrune, startTending } from './tend.ts';
import { createVault, getVault, listVaults, readRecoveryKit } from './vaults.ts';

const byId = z.object({ id: z.uuid() });
const name = z.string().trim().min(1).max(100);
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
    .input(z.union([z.object({ name, folder }), z.object({ name, bucket: bucketShape })]))
    .mutation(({ ctx: { ctx, session }, input }) => createVault(ctx, session.user, input)),
  keeping: allowed('fleet:read')
    .input(byId)
    .query(({ ctx: { ctx }, input }) => getKeeping(ctx, input.id)),
  setPolicy: allowed('vaults:manage')
    .input(byId.extend({ policy: vaultPolicyShape }))
    .mutation(({ ctx: { ctx, session }, input }) => setPolicy(ctx, session.user, input)),
  setRule: allowed('vaults:manage')
    .input(byId.extend({ rule: pruneRuleShape.nullable() }))
    .mutation(({ ctx: { ctx, session }, input }) => setRule(ctx, session.user, input)),
  previewPrune: allowed('vaults:manage')
    .input(byId.extend({ rule: pruneRuleShape.optional() }))
    .query(({ ctx: { ctx }, input }) => previewPrune(ctx, input)),
  tend: allowed('vaults:manage')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => startTending(ctx, session.user.email, input.id)),
  adminToken: allowed('vaults:keys')
    .input(byId.extend({ password: z.string().max(500) }))
    .mutation(({ ctx: { ctx, session }, input }) => makeAdminToken(ctx, session.user, input)),
  recoveryKit: allowed('vaults:keys')
    .input(byId.extend({ password: z.string().max(500) }))
    .mutation(({ ctx: { ctx, session }, input }) => readRecoveryKit(ctx, session.user, input)),
});
