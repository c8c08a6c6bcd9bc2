/** What there is to back up: the layout of each disk and the bytes of it worth keeping. */
import { type BlockDevice, mergeExtents, openFileDevice, readBytes, subtractExtents, sumBytes } from '@diskfleet/disk';
import { EngineError } from '../errors.ts';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import type { BackupRequest, DiskToBackUp, UsedDisk } from '../types.ts';
import { longHoles } from './holes.ts';

export interface ScannedDisk {
  readonly disk: DiskToBackUp;
  readonly used: UsedDisk;
}

/** How often a volume whose trees moved while they were read is looked at again. */
const LOOKS = 3;

/** @throws EngineError `SOURCE_EMPTY`; DiskError */
export async function scanDisk(disk: DiskToBackUp, request: BackupRequest): Promise<ScannedDisk> {
  const device = await openFileDevice(disk.path, { uncached: disk.live !== undefined });
  try {
    if (device.sizeBytes === 0) {
      const text = `${disk.name} has a size of 0 bytes: there is nothing to back up (no medium inserted?)`;
      throw new EngineError('SOURCE_EMPTY', text);
    }
    if (disk.live !== undefined) return { disk, used: await lookAtLive(device, disk, request) };
    return { disk, used: await withoutHoles(await look(device, disk, request), disk.path) };
  } finally {
    await device.close();
  }
}

function look(device: BlockDevice, { partitions }: DiskToBackUp, { sectorBySector, leaveOut }: BackupRequest): Promise<UsedDisk> {
  return readUsedDisk(device, { sectorBySector, partitions, leaveOut });
}

/** What lies in a long hole of a disk file is known to be zero. */
async function withoutHoles(used: UsedDisk, path: string): Promise<UsedDisk> {
  const holes = await longHoles(path, used.usedExtents);
  const usedExtents = subtractExtents(used.usedExtents, holes);
  const zeroExtents = mergeExtents([...used.zeroExtents, ...holes]);
  return { ...used, usedExtents, usedBytes: sumBytes(usedExtents), zeroExtents };
}

/**
 * Filesystems that say where *free* space is may be written while their maps are read: what a map calls free was free at some moment
 * since tracking began, so whatever came into use later was written, and told. btrfs says what is *used*, in trees that move: there the
 * map counts only if no commit came between.
 */
async function lookAtLive(device: BlockDevice, disk: DiskToBackUp, request: BackupRequest): Promise<UsedDisk> {
  let used = await look(device, disk, request);
  for (let looks = 1; looks <= LOOKS; looks++) {
    const roots = await btrfsRoots(device, used);
    if (roots.length === 0) return used;
    used = await look(device, disk, request);
    if (Buffer.concat(roots).equals(Buffer.concat(await btrfsRoots(device, used)))) return used;
  }
  const whole = await readUsedDisk(device, { sectorBySector: true, partitions: disk.partitions });
  const warnings = [...whole.layout.warnings, 'btrfs changed faster than its map could be read, so all of the disk is taken'];
  return { ...whole, layout: { ...whole.layout, warnings } };
}

const SUPERBLOCK_BYTES = 4096;
const SUPERBLOCK_AT = 65_536;

/** The superblock of every btrfs: it changes with every commit. */
async function btrfsRoots(device: BlockDevice, { layout }: UsedDisk): Promise<Buffer[]> {
  const places = layout.filesystem?.kind === 'btrfs' ? [0] : [];
  for (const { filesystem, startBytes, content } of layout.partitions) {
    if (filesystem?.kind === 'btrfs' && content !== 'leftOut') places.push(startBytes);
  }
  const roots: Buffer[] = [];
  for (const startBytes of places) roots.push(await readBytes(device, startBytes + SUPERBLOCK_AT, SUPERBLOCK_BYTES));
  return roots;
}
