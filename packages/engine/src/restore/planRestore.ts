/** Reads what a plan needs to know of the saved disk and of the target, and lets `decideRestore` decide. Writes nothing. */
import { stat } from 'node:fs/promises';
import { type BlockDevice, openFileDevice, readBytes } from '@diskfleet/disk';
import type { Vault } from '@diskfleet/vault';
import { readLayout } from '../layout/readLayout.ts';
import type { RestorePlan, RestoreRequest } from '../types.ts';
import { decideRestore, type PlanTarget } from './decideRestore.ts';
import { openSavedView, type SavedView } from './savedView.ts';

const MIB = 1024 * 1024;

/**
 * What restoring a saved disk to `request.target` would do. Nothing is written; `restore()` makes the plan anew and refuses when
 * it differs from the one that was confirmed.
 * @throws EngineError `DISK_NOT_IN_POINT`, `PARTITION_NOT_FOUND`; DiskError; VaultError (`VAULT_KEY_NEEDED` without the read
 *   capability). A target that does not fit is not an error: see `fits` and `reasons`.
 */
export async function planRestore(vault: Vault, request: RestoreRequest): Promise<RestorePlan> {
  return planRestoreToLayout(vault, request, await readTarget(request.target));
}

/**
 * The same plan for a target only its layout is known of, such as a disk of another PC: with equal layouts, `planHash` is equal to
 * what `planRestore` makes on that PC.
 * @throws as `planRestore`
 */
export async function planRestoreToLayout(vault: Vault, saved: SavedDiskRef, target: PlanTarget): Promise<RestorePlan> {
  const view = await openSavedView(await vault.openPoint(saved.pointId), saved.diskIndex, saved.partition ?? null);
  try {
    return await planForView(view, saved, target);
  } finally {
    await view.close();
  }
}

export type SavedDiskRef = Pick<RestoreRequest, 'pointId' | 'diskIndex' | 'partition'>;

export async function planForView(
  view: SavedView,
  { pointId, diskIndex }: SavedDiskRef,
  target: PlanTarget,
): Promise<RestorePlan> {
  const { layout, table, partition, usedBytes } = view;
  // Walking the whole map is only worth it when something might not fit.
  const smaller = target.layout !== null && target.layout.sizeBytes < layout.sizeBytes;
  const dataEndBytes = smaller ? await findDataEnd(view) : layout.sizeBytes;
  return decideRestore({ pointId, diskIndex, layout, table, partition, usedBytes, dataEndBytes }, target);
}

async function findDataEnd(view: SavedView): Promise<number> {
  let end = 0;
  for await (const entry of view.entries()) if (entry.kind === 'data') end = entry.offsetBytes + entry.lengthBytes;
  return end;
}

/** @throws DiskError `DISK_ACCESS_DENIED`, `DISK_WRONG_KIND`, `DISK_READ_FAILED` */
export async function readTarget({ path, name, serial }: RestoreRequest['target']): Promise<PlanTarget> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() === true && found.size === 0) return { path, name, serial, isFile: true, layout: null, blank: true };
  const device = await openFileDevice(path).catch((error: unknown) => {
    if (found === null && error instanceof Error && 'code' in error && error.code === 'DISK_NOT_FOUND') return null;
    throw error;
  });
  if (device === null) return { path, name, serial, isFile: true, layout: null, blank: true };
  try {
    const isFile = found?.isFile() === true;
    return { path, name, serial, isFile, layout: await readLayout(device), blank: await isBlank(device) };
  } finally {
    await device.close();
  }
}

async function isBlank(device: BlockDevice): Promise<boolean> {
  const head = await readBytes(device, 0, Math.min(MIB, device.sizeBytes));
  return head.every((byte) => byte === 0);
}
