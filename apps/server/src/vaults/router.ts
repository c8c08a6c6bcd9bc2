import type { VaultView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';
import type { FolderTest } from './types.ts';

const byId = z.object({ id: z.uuid() });
const folder = z.string().trim().min(1).max(1024).regex(/^\//, 'a full path, beginning with /');

export const vaultsRouter = router({
  list: allowed('fleet:read').query(() => notBuilt<readonly VaultView[]>()),
  get: allowed('fleet:read')
    .input(byId)
    .query(() => notBuilt<VaultView>()),
  testFolder: allowed('vaults:manage')
    .input(z.object({ folder }))
    .mutation(() => notBuilt<FolderTest>()),
  create: allowed('vaults:manage')
    .input(z.object({ name: z.string().trim().min(1).max(100), folder }))
    .mutation(() => notBuilt<VaultView>()),
  recoveryKit: allowed('vaults:keys')
    .input(byId.extend({ password: z.string().max(500) }))
    .mutation(() => notBuilt<{ fileName: string; text: string }>()),
});
