import { vaults } from '@diskfleet/db';
import { eq } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { describeError } from '../errors.ts';
import type { VaultRow } from './grants.ts';
import { readUsage } from './service.ts';

/** Asks the vault service how full a vault is and whether it can be reached. Never throws. */
export async function refreshUsage(ctx: Ctx, vault: VaultRow): Promise<void> {
  const { id } = vault;
  try {
    const { storedBytes, freeBytes, totalBytes } = await readUsage(ctx, id);
    await ctx.db.update(vaults).set({ state: 'ready', storedBytes, freeBytes, totalBytes }).where(eq(vaults.id, id));
    if (vault.state !== 'ready' || vault.storedBytes !== storedBytes) ctx.live.publish({ kind: 'vault', vaultId: id });
  } catch (error) {
    ctx.log.warn({ vaultId: id, ...describeError(error) }, 'vault cannot be reached');
    try {
      await ctx.db.update(vaults).set({ state: 'unreachable' }).where(eq(vaults.id, id));
    } catch (cause) {
      return ctx.log.warn({ err: cause }, 'state of a vault not stored');
    }
    if (vault.state !== 'unreachable') ctx.live.publish({ kind: 'vault', vaultId: id });
  }
}

export async function refreshAllUsage(ctx: Ctx): Promise<void> {
  for (const vault of await ctx.db.select().from(vaults)) await refreshUsage(ctx, vault);
}
