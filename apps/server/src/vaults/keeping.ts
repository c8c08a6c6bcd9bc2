/** What admins set and ask about how a vault is kept. The vault service decides what of it is in force. */
import { points, vaults } from '@diskfleet/db';
import type { PruneRule, UserView, VaultKeeping, VaultPolicy, VaultPolicyAnswer } from '@diskfleet/protocol';
import { openVault, type Vault } from '@diskfleet/vault';
import { eq } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import { confirmPassword } from '../auth/sessions.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { findPoint, pointName } from '../points/points.ts';
import { serverToken, vaultKeys } from './grants.ts';
import { VAULT_PATIENCE_MS } from './openVaults.ts';
import { readPolicy, storePolicy, undeleteObject } from './service.ts';
import { followVault } from './tend.ts';
import { findVault } from './vaults.ts';

export async function getKeeping(ctx: Ctx, id: string): Promise<VaultKeeping> {
  // Asked first: a run that ends meanwhile is then still said to be under way, and never mistaken for the one before it.
  const running = ctx.vaults.tending.has(id);
  const { pruneRule, lastTend } = await findVault(ctx, id);
  const policy = await readPolicy(ctx, id).catch((error: unknown) => {
    if (error instanceof ServerError && error.code === 'VAULT_UNREACHABLE') return null;
    throw error;
  });
  return { policy, rule: pruneRule, lastRun: lastTend, running };
}

/** Lengthening counts at once, shortening when the old delay is over: the answer says what is in force. */
export async function setPolicy(
  ctx: Ctx,
  user: UserView,
  input: { id: string; policy: VaultPolicy },
): Promise<VaultPolicyAnswer> {
  const vault = await findVault(ctx, input.id);
  // Written down first: what was asked for must be known even when the answer gets lost.
  await audit(ctx.db, {
    at: ctx.now(),
    actor: user.email,
    action: 'vaults.setPolicy',
    subject: vault.name,
    detail: JSON.stringify(input.policy),
  });
  const answer = await storePolicy(ctx, input.id, input.policy);
  ctx.live.publish({ kind: 'vault', vaultId: input.id });
  return answer;
}

export async function setRule(ctx: Ctx, user: UserView, input: { id: string; rule: PruneRule | null }): Promise<void> {
  const vault = await findVault(ctx, input.id);
  await ctx.db.transaction(async (tx) => {
    await tx.update(vaults).set({ pruneRule: input.rule }).where(eq(vaults.id, input.id));
    await audit(tx, {
      at: ctx.now(),
      actor: user.email,
      action: 'vaults.setRule',
      subject: vault.name,
      detail: JSON.stringify(input.rule),
    });
  });
  ctx.live.publish({ kind: 'vault', vaultId: input.id });
}

/** For `diskfleet prune` and `gc` on a command line, with the recovery kit. @throws ServerError SIGN_IN_FAILED. */
export async function makeAdminToken(ctx: Ctx, user: UserView, input: { id: string; password: string }) {
  await confirmPassword(ctx, user, input.password);
  const vault = await findVault(ctx, input.id);
  await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'vaults.adminToken', subject: vault.name });
  const { token, untilMs } = serverToken(ctx, input.id, 'admin');
  return { token, address: `${ctx.settings.vaultPublicUrl}/v1/vaults/${input.id}`, expiresAt: new Date(untilMs).toISOString() };
}

/** The point goes when the deletion delay is over. @throws ServerError POINT_NOT_FOUND; VaultError VAULT_RETAINED, VAULT_UNREACHABLE. */
export async function removePoint(ctx: Ctx, user: UserView, id: string): Promise<void> {
  const found = await findPoint(ctx, id);
  await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'points.remove', subject: pointName(found) });
  await withAdminVault(ctx, found.point.vaultId, async (vault) => {
    await vault.removePoint(id);
    await follow(ctx, found.point.vaultId, vault);
  });
}

/** @throws ServerError VAULT_OBJECT_MISSING when it was not removed or is gone. */
export async function undeletePoint(ctx: Ctx, user: UserView, id: string): Promise<void> {
  const found = await findPoint(ctx, id);
  const { vaultId } = found.point;
  await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'points.undelete', subject: pointName(found) });
  await undeleteObject(ctx, vaultId, id);
  await ctx.db.update(points).set({ goesAt: null }).where(eq(points.id, id));
  ctx.live.publish({ kind: 'point', pointId: id });
}

async function follow(ctx: Ctx, vaultId: string, vault: Vault): Promise<void> {
  await followVault(ctx, vaultId, { present: [...(await vault.pointTimes()).keys()], going: [...(await vault.goingPoints())] });
}

async function withAdminVault<T>(ctx: Ctx, vaultId: string, use: (vault: Vault) => Promise<T>): Promise<T> {
  const row = await findVault(ctx, vaultId);
  const { token } = serverToken(ctx, vaultId, 'admin');
  const baseUrl = `${ctx.settings.vaultUrl}/v1/vaults/${vaultId}`;
  const store = { kind: 'service', baseUrl, token, patienceMs: VAULT_PATIENCE_MS } as const;
  const vault = await openVault(store, { kind: 'keys', keys: vaultKeys(ctx, row) });
  try {
    return await use(vault);
  } finally {
    await vault.close();
  }
}
