/** A target on another PC, as its inventory describes it, in the form the planner takes: the agent plans from the disk itself and must get the same hash. */
import { createHash } from 'node:crypto';
import { type BlockDevice, layoutFingerprint } from '@diskfleet/disk';
import type { DiskLayout, PlanTarget } from '@diskfleet/engine';
import type { Inventory, InventoryDisk, TargetRef } from '@diskfleet/protocol';
import { ServerError } from '../errors.ts';

export interface FoundTarget {
  readonly plan: PlanTarget;
  /** As in the inventory; null for a file that is to be made. */
  readonly disk: InventoryDisk | null;
  /** Its name inside a write grant. */
  readonly key: string;
  /** What a person types after the machine's name. */
  readonly confirmTail: string;
}

/** @throws ServerError DISK_NOT_FOUND, TARGET_IN_USE, DISK_READ_ONLY, TARGET_IS_SYSTEM_DISK, REMOTE_WRITES_OFF. */
export async function findTarget(inventory: Inventory, ref: TargetRef): Promise<FoundTarget> {
  if (!inventory.allowRemoteDiskWrites) throw new ServerError('REMOTE_WRITES_OFF');
  return ref.kind === 'newFile' ? newFile(inventory, ref.fileName) : existing(inventory, ref.diskKey);
}

function newFile(inventory: Inventory, fileName: string): FoundTarget {
  const folder = inventory.diskFilesFolder;
  if (folder === null) throw new ServerError('DISK_NOT_FOUND', 'this PC has no folder for disk files');
  const path = folder.endsWith('/') ? `${folder}${fileName}` : `${folder}/${fileName}`;
  const known = inventory.disks.find((disk) => disk.path === path);
  if (known)
    throw new ServerError('TARGET_CHANGED', `${fileName} exists already: choose another name, or that file as the target`);
  // As the agent names files: the serial is made of the path.
  const serial = `FILE-${createHash('sha256').update(path).digest('hex').slice(0, 8).toUpperCase()}`;
  const plan = { path, name: fileName, serial, isFile: true, layout: null, blank: true };
  return { plan, disk: null, key: `newFile:${fileName}`, confirmTail: fileName };
}

async function existing(inventory: Inventory, diskKey: string): Promise<FoundTarget> {
  const disk = inventory.disks.find((one) => one.key === diskKey);
  if (!disk) throw new ServerError('DISK_NOT_FOUND', 'the target is not plugged in');
  if (disk.isSystemDisk) throw new ServerError('TARGET_IS_SYSTEM_DISK');
  if (disk.readOnly) throw new ServerError('DISK_READ_ONLY');
  if (disk.busyReason !== null) throw new ServerError('TARGET_IN_USE', disk.busyReason);
  if (disk.fingerprint === '')
    throw new ServerError('DISK_ACCESS_DENIED', disk.warnings[0] ?? 'the agent cannot read the target');
  const { path, name, serial } = disk;
  const plan = { path, name, serial, isFile: disk.bus === 'file', layout: layoutOf(disk), blank: await isBlank(disk) };
  return { plan, disk, key: disk.key, confirmTail: serial.slice(-4) || name };
}

function layoutOf(disk: InventoryDisk): DiskLayout {
  const { sizeBytes, sectorBytes, table, tableId, filesystem, fingerprint, warnings } = disk;
  return { sizeBytes, sectorBytes, table, tableId, partitions: disk.partitions, filesystem, fingerprint, warnings };
}

/** A disk without a table is named by its first MiB: blank ones are those named like a disk of zeros. */
async function isBlank(disk: InventoryDisk): Promise<boolean> {
  if (disk.table !== null || disk.filesystem !== null) return false;
  return disk.fingerprint === (await layoutFingerprint(zeros(disk)));
}

function zeros({ sizeBytes, sectorBytes }: InventoryDisk): BlockDevice {
  return {
    sizeBytes,
    sectorBytes,
    async read(_offsetBytes, target) {
      target.fill(0);
    },
    async close() {},
  };
}
