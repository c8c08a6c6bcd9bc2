/** Reads what a plan needs to know of the saved disk and of the target, and lets `decideRestore` decide. Writes nothing. */
import { stat } from 'node:fs/promises';
import { type BlockDevice, openFileDevice, readBytes, readPartitionTable } from '@diskfleet/disk';
import type { SavedDisk, SavedPoint, Vault } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { cachedDevice } from '../explore/cachedDevice.ts';
import { readLayout } from '../layout/readLayout.ts';
import type { RestorePlan, RestoreRequest } from '../types.ts';
import { decideRestore, type PlanSource, type PlanTarget } from './decideRestore.ts';

const MIB = 1024 * 1024;

/**
 * What restoring a saved disk to `request.target` would do. Nothing is written; `restore()` makes the plan anew and refuses when
 * it differs from the one that was confirmed.
 * @throws EngineError `DISK_NOT_IN_POINT`; DiskError; VaultError (`VAULT_KEY_NEEDED` without the read capability). A target that
 *   does not fit is not an error: see `fits` and `reasons`.
 */
export async function planRestore(vault: Vault, request: RestoreRequest): Promise<RestorePlan> {
  const point = await vault.openPoint(request.pointId);
  const disk = await openSavedDisk(point, request.diskIndex);
  try {
    return await planForDisk(disk, request);
  } finally {
    await disk.close();
  }
}

/**
 * The same plan for a target only its layout is known of, such as a disk of another PC: with equal layouts, `planHash` is equal to
 * what `planRestore` makes on that PC.
 * @throws as `planRestore`
 */
export async function planRestoreToLayout(vault: Vault, saved: SavedDiskRef, target: PlanTarget): Promise<RestorePlan> {
  const point = await vault.openPoint(saved.pointId);
  const disk = await openSavedDisk(point, saved.diskIndex);
  try {
    return decideRestore(await readSource(disk, saved), target);
  } finally {
    await disk.close();
  }
}

type SavedDiskRef = Pick<RestoreRequest, 'pointId' | 'diskIndex'>;

export async function planForDisk(disk: SavedDisk, request: RestoreRequest): Promise<RestorePlan> {
  return decideRestore(await readSource(disk, request), await readTarget(request.target));
}

/** @throws EngineError `DISK_NOT_IN_POINT` */
export async function openSavedDisk(point: SavedPoint, diskIndex: number): Promise<SavedDisk> {
  const count = point.body.disks.length;
  if (!Number.isInteger(diskIndex) || diskIndex < 0 || diskIndex >= count) {
    throw new EngineError(
      'DISK_NOT_IN_POINT',
      `restore point ${point.header.id} holds ${count} disks; there is no number ${diskIndex}`,
    );
  }
  return point.openDisk(diskIndex);
}

async function readSource(disk: SavedDisk, { pointId, diskIndex }: SavedDiskRef): Promise<PlanSource> {
  const device = cachedDevice(disk);
  const layout = await readLayout(device);
  const table = layout.table === null ? null : await readPartitionTable(device);
  const dataEndBytes = await findDataEnd(disk);
  return { pointId, diskIndex, layout, table, usedBytes: disk.info.usedBytes, dataEndBytes };
}

async function findDataEnd(disk: SavedDisk): Promise<number> {
  let end = 0;
  for await (const entry of disk.mapEntries()) if (entry.kind === 'data') end = entry.offsetBytes + entry.lengthBytes;
  return end;
}

async function readTarget({ path, name, serial }: RestoreRequest['target']): Promise<PlanTarget> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null || (found.isFile() && found.size === 0)) {
    return { path, name, serial, isFile: true, layout: null, blank: true };
  }
  const device = await openFileDevice(path);
  try {
    return { path, name, serial, isFile: found.isFile(), layout: await readLayout(device), blank: await isBlank(device) };
  } finally {
    await device.close();
  }
}

async function isBlank(device: BlockDevice): Promise<boolean> {
  const head = await readBytes(device, 0, Math.min(MIB, device.sizeBytes));
  return head.every((byte) => byte === 0);
}
