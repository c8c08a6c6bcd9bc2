/** Everything the server and the `disks` command know of a PC: the platform's facts plus what our readers find on each disk. */
import { openFileDevice } from '@diskfleet/disk';
import { type DiskLayout, type FoundSystems, lookForSystems, readLayout } from '@diskfleet/engine';
import { type Inventory, type InventoryDisk, inventoryShape } from '@diskfleet/protocol';
import type { DiskMount, DiskView, Platform, PlatformDisk } from '../platform/types.ts';
import { listDiskFiles } from './diskFiles.ts';
import type { Settings } from './settings.ts';
import { factsOf, withFstabs } from './systemFacts.ts';

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
  const fstabs: FoundSystems['fstabs'][number][] = [];
  for (const disk of disks.slice(0, 256)) {
    const look = await lookAt(disk);
    if (typeof look !== 'string') fstabs.push(...look.systems.fstabs);
    described.push(describe(disk, look));
  }
  return withFstabs(described, fstabs);
}

/** A disk that cannot be read is still listed, with the reason among its warnings. */
function describe(disk: PlatformDisk, look: Look | string): InventoryDisk {
  const { use, ...rest } = disk;
  const base = { ...rest, isSystemDisk: use.isSystemDisk, busyReason: use.busyReason };
  if (typeof look === 'string') {
    return { ...base, table: null, tableId: null, partitions: [], filesystem: null, fingerprint: '', warnings: [look] };
  }
  const { layout, systems } = look;
  const { sectorBytes, table, tableId, filesystem, fingerprint } = layout;
  const partitions = layout.partitions.slice(0, 256).map((partition) => ({
    ...partition,
    mountPoint: mountedAt(use.mounts, partition),
    ...factsOf(use, systems, partition),
  }));
  const whole = table === null ? factsOf(use, systems, { number: 0, startBytes: 0, sizeBytes: layout.sizeBytes }) : {};
  const warnings = layout.warnings.slice(0, 50);
  return { ...base, ...whole, sectorBytes, table, tableId, partitions, filesystem, fingerprint, warnings };
}

function mountedAt(mounts: readonly DiskMount[], partition: { startBytes: number; sizeBytes: number }): string | null {
  const end = partition.startBytes + partition.sizeBytes;
  const found = mounts.find(({ startBytes }) => startBytes !== null && startBytes >= partition.startBytes && startBytes < end);
  return found?.mountPoint ?? null;
}

interface Look {
  readonly layout: DiskLayout;
  readonly systems: FoundSystems;
}

async function lookAt(disk: PlatformDisk): Promise<Look | string> {
  try {
    const device = await openFileDevice(disk.path, { sectorBytes: disk.sectorBytes });
    try {
      return { layout: await readLayout(device), systems: await lookForSystems(device) };
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
