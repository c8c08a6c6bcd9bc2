/** Everything the server and the `disks` command know of a PC: the platform's facts plus what our readers find on each disk. */
import { openFileDevice } from '@diskfleet/disk';
import { type DiskLayout, readLayout } from '@diskfleet/engine';
import { type Inventory, type InventoryDisk, inventoryShape } from '@diskfleet/protocol';
import type { DiskMount, DiskView, Platform, PlatformDisk } from '../platform/types.ts';
import { listDiskFiles } from './diskFiles.ts';
import type { Settings } from './settings.ts';

/** All disks of this PC, real ones first, as they are now. */
export async function listDisks(platform: Platform, settings: Settings): Promise<{ view: DiskView; disks: PlatformDisk[] }> {
  const view = await platform.look();
  return { view, disks: [...view.disks, ...(await listDiskFiles(settings, view))] };
}

/** Parsed by its own shape before it is returned: lengths are cut and control characters replaced here already. */
export async function takeInventory(platform: Platform, settings: Settings, now: () => Date): Promise<Inventory> {
  const [facts, { view, disks }] = await Promise.all([platform.machine(), listDisks(platform, settings)]);
  return inventoryShape.parse({
    ...facts,
    canReadDisks: view.canReadDisks,
    limitation: view.limitation,
    allowRemoteDiskWrites: settings.allowRemoteDiskWrites,
    diskFilesFolder: settings.diskFilesFolder,
    disks: await describeDisks(disks),
    takenAt: now().toISOString(),
  });
}

export async function describeDisks(disks: readonly PlatformDisk[]): Promise<InventoryDisk[]> {
  const described: InventoryDisk[] = [];
  for (const disk of disks.slice(0, 256)) described.push(await describeDisk(disk));
  return described;
}

/** A disk that cannot be read is still listed, with the reason among its warnings. */
export async function describeDisk(disk: PlatformDisk): Promise<InventoryDisk> {
  const { use, ...rest } = disk;
  const base = { ...rest, isSystemDisk: use.isSystemDisk, busyReason: use.busyReason };
  const layout = await layoutOf(disk);
  if (typeof layout === 'string') {
    return { ...base, table: null, tableId: null, partitions: [], filesystem: null, fingerprint: '', warnings: [layout] };
  }
  const { sectorBytes, table, tableId, filesystem, fingerprint } = layout;
  const partitions = layout.partitions.slice(0, 256).map((partition) => ({
    ...partition,
    mountPoint: mountedAt(use.mounts, partition),
  }));
  return { ...base, sectorBytes, table, tableId, partitions, filesystem, fingerprint, warnings: layout.warnings.slice(0, 50) };
}

function mountedAt(mounts: readonly DiskMount[], partition: { startBytes: number; sizeBytes: number }): string | null {
  const end = partition.startBytes + partition.sizeBytes;
  const found = mounts.find(({ startBytes }) => startBytes !== null && startBytes >= partition.startBytes && startBytes < end);
  return found?.mountPoint ?? null;
}

async function layoutOf(disk: PlatformDisk): Promise<DiskLayout | string> {
  try {
    const device = await openFileDevice(disk.path, { sectorBytes: disk.sectorBytes });
    try {
      return await readLayout(device);
    } finally {
      await device.close();
    }
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * Changes when a disk comes, goes, changes its size or its users; reads no disk, so it can be asked often.
 * What only the disk's content tells (a new partition table) shows at the next inventory anyone asks for.
 */
export async function disksSignature(platform: Platform, settings: Settings): Promise<string> {
  const { view, disks } = await listDisks(platform, settings);
  return JSON.stringify([view.limitation, disks]);
}
