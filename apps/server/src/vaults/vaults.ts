import { points, vaults } from '@diskfleet/db';
import type { Bucket, UserView, VaultView } from '@diskfleet/protocol';
import { generateVaultKeys, createVault as makeVault } from '@diskfleet/vault';
import { asc, count, eq } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import { confirmPassword } from '../auth/sessions.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { sealSecret } from '../secrets/envelope.ts';
import { placeOf, serverToken, type VaultRow, vaultKeys } from './grants.ts';
import { VAULT_PATIENCE_MS } from './openVaults.ts';
import { recoveryKitText } from './recoveryKit.ts';
import { registerVault } from './service.ts';
import { refreshUsage } from './usage.ts';

export async function listVaults(ctx: Ctx): Promise<readonly VaultView[]> {
  const rows = await ctx.db.select().from(vaults).orderBy(asc(vaults.createdAt));
  const counts = await ctx.db.select({ id: points.vaultId, n: count() }).from(points).groupBy(points.vaultId);
  const numbers = new Map(counts.map(({ id, n }) => [id, n]));
  return rows.map((row) => toVaultView(row, numbers.get(row.id) ?? 0));
}

export async function getVault(ctx: Ctx, id: string): Promise<VaultView> {
  const row = await findVault(ctx, id);
  return toVaultView(row, await ctx.db.$count(points, eq(points.vaultId, id)));
}

/** @throws ServerError NOT_FOUND. */
export async function findVault(ctx: Ctx, id: string): Promise<VaultRow> {
  const [row] = await ctx.db.select().from(vaults).where(eq(vaults.id, id));
  if (!row) throw new ServerError('NOT_FOUND', 'vault');
  return row;
}

export type NewVault = { readonly name: string } & ({ readonly folder: string } | { readonly bucket: Bucket });

/**
 * Makes a vault with managed keys: made here, sealed by the master key, given to jobs as far as they need them.
 * @throws ServerError VAULT_EXISTS (name or folder in use), VAULT_UNREACHABLE, and what the service refuses.
 */
export async function createVault(ctx: Ctx, user: UserView, input: NewVault): Promise<VaultView> {
  const id = crypto.randomUUID();
  const taken = await ctx.db.$count(vaults, eq(vaults.name, input.name));
  if (taken > 0) throw new ServerError('VAULT_EXISTS', `there is a vault named ${input.name} already`);
  const place = 'bucket' in input ? { bucket: input.bucket } : { folder: input.folder };
  const { folder } = await registerVault(ctx, { vaultId: id, ...place });
  const keys = generateVaultKeys();
  const { token } = serverToken(ctx, id, 'admin');
  const baseUrl = `${ctx.settings.vaultUrl}/v1/vaults/${id}`;
  const { now } = ctx;
  const made = await makeVault(
    { kind: 'service', baseUrl, token, patienceMs: VAULT_PATIENCE_MS },
    { encryption: { kind: 'keys', keys }, vaultId: id, now },
  );
  await made.close();
  if (!keys.publicKey || !keys.privateKey) throw new ServerError('INTERNAL', 'keys of a new vault are incomplete');
  const { masterKey } = ctx.secrets;
  const row = {
    id,
    name: input.name,
    folder,
    encryption: 'managed',
    sealedIdKey: sealSecret(masterKey, placeOf(id, 'sealedIdKey'), keys.idKey),
    publicKey: Buffer.from(keys.publicKey).toString('base64'),
    sealedPrivateKey: sealSecret(masterKey, placeOf(id, 'sealedPrivateKey'), keys.privateKey),
    state: 'ready',
    createdAt: now(),
  } as const;
  const [stored] = await ctx.db.transaction(async (tx) => {
    const inserted = await tx.insert(vaults).values(row).onConflictDoNothing().returning();
    if (inserted.length === 0) throw new ServerError('VAULT_EXISTS', `there is a vault named ${input.name} already`);
    await audit(tx, { at: now(), actor: user.email, action: 'vaults.create', subject: input.name, detail: folder });
    return inserted;
  });
  if (stored) await refreshUsage(ctx, stored);
  return getVault(ctx, id);
}

/** The keys in the clear, for a safe place outside. @throws ServerError SIGN_IN_FAILED when the password is wrong. */
export async function readRecoveryKit(
  ctx: Ctx,
  user: UserView,
  input: { id: string; password: string },
): Promise<{ fileName: string; text: string }> {
  await confirmPassword(ctx, user, input.password);
  const vault = await findVault(ctx, input.id);
  const at = ctx.now();
  const text = recoveryKitText({ vault, keys: vaultKeys(ctx, vault), madeAt: at });
  await ctx.db.transaction(async (tx) => {
    await tx.update(vaults).set({ recoveryKitDownloadedAt: at }).where(eq(vaults.id, vault.id));
    await audit(tx, { at, actor: user.email, action: 'vaults.recoveryKit', subject: vault.name });
  });
  ctx.live.publish({ kind: 'vault', vaultId: vault.id });
  const safeName = vault.name.replace(/[^A-Za-z0-9-]+/g, '-').slice(0, 40) || 'vault';
  return { fileName: `diskfleet-recovery-kit-${safeName}.txt`, text };
}

export function toVaultView(row: VaultRow, pointCount: number): VaultView {
  const { id, name, folder, encryption, state, storedBytes, freeBytes, totalBytes } = row;
  return {
    id,
    name,
    folder,
    encryption,
    state,
    points: pointCount,
    storedBytes,
    freeBytes,
    totalBytes,
    recoveryKitDownloadedAt: row.recoveryKitDownloadedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
