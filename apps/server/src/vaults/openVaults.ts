/** Vaults and saved disks the server has open, for catalogue, plans and exploring. Few at a time; a disk in use is never closed. */
import type { Worker } from 'node:worker_threads';
import { vaults } from '@diskfleet/db';
import { type Explorer, explore } from '@diskfleet/engine';
import { openVault, type SavedDisk, type SavedPoint, type Vault, VaultError } from '@diskfleet/vault';
import { eq } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { serverToken, vaultKeys } from './grants.ts';

const MOST_DISKS = 12;
/** A person waits for the answer, or an agent's queue does: better to say soon that the vault is away. */
export const VAULT_PATIENCE_MS = 3_000;
const REOPEN_BEFORE_MS = 600_000;

export interface OpenVaults {
  readonly vaults: Map<string, OpenVault>;
  /** By point and disk; the one used longest ago comes first. */
  readonly disks: Map<string, OpenDisk>;
  /** Vaults a run of prune and sweep is under way over, and its thread once there is one. */
  readonly tending: Map<string, Worker | null>;
}

interface OpenVault {
  readonly vault: Promise<Vault>;
  readonly untilMs: number;
}

interface OpenDisk {
  readonly opened: Promise<{ readonly disk: SavedDisk; readonly explorer: Explorer }>;
  users: number;
}

export function createOpenVaults(): OpenVaults {
  return { vaults: new Map(), disks: new Map(), tending: new Map() };
}

/** @throws VaultError, ServerError NOT_FOUND. */
export async function openVaultById(ctx: Ctx, vaultId: string): Promise<Vault> {
  const known = ctx.vaults.vaults.get(vaultId);
  if (known && known.untilMs - REOPEN_BEFORE_MS > ctx.now().getTime()) return known.vault;
  const { token, untilMs } = serverToken(ctx, vaultId, 'read');
  const vault = openFresh(ctx, vaultId, token);
  ctx.vaults.vaults.set(vaultId, { vault, untilMs });
  vault.catch(() => ctx.vaults.vaults.delete(vaultId));
  // Disks opened through the old token keep it; they are let go when nobody uses them.
  if (known) for (const [key, open] of ctx.vaults.disks) if (open.users === 0) letGo(ctx, key, open);
  return vault;
}

async function openFresh(ctx: Ctx, vaultId: string, token: string): Promise<Vault> {
  const [row] = await ctx.db.select().from(vaults).where(eq(vaults.id, vaultId));
  if (!row) throw new ServerError('NOT_FOUND', 'vault');
  const baseUrl = `${ctx.settings.vaultUrl}/v1/vaults/${vaultId}`;
  return openVault(
    { kind: 'service', baseUrl, token, patienceMs: VAULT_PATIENCE_MS },
    { kind: 'keys', keys: vaultKeys(ctx, row) },
  );
}

/** Reads the index again first when the point is newer than what we know. */
export async function openSavedPoint(ctx: Ctx, vaultId: string, pointId: string): Promise<SavedPoint> {
  const vault = await openVaultById(ctx, vaultId);
  try {
    return await vault.openPoint(pointId);
  } catch (error) {
    if (!(error instanceof VaultError) || error.code !== 'POINT_NOT_FOUND') throw error;
    await vault.refresh();
    return vault.openPoint(pointId);
  }
}

export interface DiskRef {
  readonly vaultId: string;
  readonly pointId: string;
  readonly diskIndex: number;
}

/** The files of one saved disk, kept open until `use` resolves and, as long as there is room, for the next one who asks. */
export async function withExplorer<T>(ctx: Ctx, ref: DiskRef, use: (explorer: Explorer) => Promise<T>): Promise<T> {
  const key = `${ref.pointId}/${ref.diskIndex}`;
  const open = ctx.vaults.disks.get(key) ?? { opened: openDisk(ctx, ref), users: 0 };
  ctx.vaults.disks.delete(key);
  ctx.vaults.disks.set(key, open);
  open.users += 1;
  try {
    return await use((await open.opened).explorer);
  } catch (error) {
    // What failed to open, or is no longer readable, is opened anew next time.
    if (ctx.vaults.disks.get(key) === open && error instanceof VaultError) ctx.vaults.disks.delete(key);
    throw error;
  } finally {
    open.users -= 1;
    makeRoom(ctx);
    if (open.users === 0 && ctx.vaults.disks.get(key) !== open) close(open);
  }
}

async function openDisk(ctx: Ctx, { vaultId, pointId, diskIndex }: DiskRef) {
  const vault = await openVaultById(ctx, vaultId);
  const point = await openSavedPoint(ctx, vaultId, pointId);
  if (diskIndex >= point.body.disks.length) throw new ServerError('NOT_FOUND', 'the restore point has no such disk');
  // Chunks written after the vault was opened are found only in a newer index.
  await vault.refresh();
  const disk = await point.openDisk(diskIndex);
  return { disk, explorer: await explore(disk) };
}

function makeRoom(ctx: Ctx): void {
  for (const [key, open] of ctx.vaults.disks) {
    if (ctx.vaults.disks.size <= MOST_DISKS) return;
    if (open.users === 0) letGo(ctx, key, open);
  }
}

function letGo(ctx: Ctx, key: string, open: OpenDisk): void {
  ctx.vaults.disks.delete(key);
  close(open);
}

function close(open: OpenDisk): void {
  open.opened.then(({ disk }) => disk.close()).catch(() => {});
}

export async function closeVaults(ctx: Ctx): Promise<void> {
  // A run that is cut off here is gone on with by the next one.
  await Promise.allSettled([...ctx.vaults.tending.values()].map((thread) => thread?.terminate()));
  for (const [key, open] of ctx.vaults.disks) letGo(ctx, key, open);
  const all = [...ctx.vaults.vaults.values()];
  ctx.vaults.vaults.clear();
  await Promise.allSettled(all.map(async ({ vault }) => (await vault).close()));
}
