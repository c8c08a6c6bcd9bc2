/**
 * Which bytes of a disk are worth keeping. Everything the partition table area, the boot code and the gaps between partitions
 * hold; of each partition the used blocks of its filesystem and whatever lies behind the filesystem; of swap space its header
 * and whatever lies behind it; all of what we cannot read.
 * Ranges taken whole may well be zero: that is found when they are read, and zeros are never stored.
 *
 * Left out on purpose: a large unpartitioned tail of the disk (old data of no partition), except its last MiB, where backup
 * tables and RAID or dynamic-disk databases live. `sectorBySector` keeps it.
 */
import { type BlockDevice, type Extent, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import type { UsedDisk } from '../types.ts';
import { layoutOf } from './readLayout.ts';
import { type DiskVolumes, readVolumes, reasonOf, type VolumeContent } from './readVolumes.ts';

const MIB = 1024 * 1024;
/** An unpartitioned tail up to this size is taken whole. */
const SMALL_TAIL_BYTES = 16 * MIB;

/**
 * @param options.sectorBySector keep every byte, used or not
 * @throws DiskError when the disk cannot be read; what a filesystem reader cannot vouch for is taken whole and named in
 *   `layout.warnings`.
 */
export async function readUsedDisk(device: BlockDevice, options: { sectorBySector?: boolean } = {}): Promise<UsedDisk> {
  const found = await readVolumes(device);
  const warnings = [...found.warnings];
  const all = [{ offsetBytes: 0, lengthBytes: device.sizeBytes }];
  const ranges = options.sectorBySector === true ? { taken: all, leftOutBytes: 0 } : await usedRanges(device, found, warnings);
  const usedExtents = mergeExtents(ranges.taken);
  const layout = { ...(await layoutOf(device, found)), warnings };
  return { layout, usedExtents, usedBytes: sumBytes(usedExtents), leftOutBytes: ranges.leftOutBytes };
}

interface Ranges {
  readonly taken: readonly Extent[];
  readonly leftOutBytes: number;
}

async function usedRanges(device: BlockDevice, found: DiskVolumes, warnings: string[]): Promise<Ranges> {
  if (found.table === null) {
    const place = { what: 'the disk', startBytes: 0, sizeBytes: device.sizeBytes, warnings };
    return { taken: await usedOfVolume(found.whole, place), leftOutBytes: 0 };
  }
  const ranges: Extent[] = [];
  const partitioned: Extent[] = [];
  for (const { partition, ...content } of found.volumes) {
    if (partition.role === 'extended' || partition.sizeBytes === 0) continue;
    const { startBytes, sizeBytes } = partition;
    partitioned.push({ offsetBytes: startBytes, lengthBytes: sizeBytes });
    const what = `partition ${partition.number}`;
    ranges.push(...(await usedOfVolume(content, { what, startBytes, sizeBytes, warnings })));
  }
  const gaps = usedOfGaps(device.sizeBytes, partitioned);
  return { taken: [...ranges, ...gaps.taken], leftOutBytes: gaps.leftOutBytes };
}

interface VolumePlace {
  readonly what: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly warnings: string[];
}

async function usedOfVolume({ filesystem, recognised, rival }: VolumeContent, place: VolumePlace): Promise<Extent[]> {
  const { what, startBytes, sizeBytes, warnings } = place;
  const whole = [{ offsetBytes: startBytes, lengthBytes: sizeBytes }];
  if (filesystem === null) {
    const kept = recognised?.usedExtents;
    return recognised && kept ? placed(kept, recognised.totalBytes, place) : whole;
  }
  if (rival !== null) {
    const kinds = `${filesystem.info.kind} and of ${rival}`;
    warnings.push(`${what}: it carries the marks of ${kinds}; one is left from earlier use, so all of it is taken`);
    return whole;
  }
  try {
    const map = await filesystem.usedMap();
    for (const warning of map.warnings) warnings.push(`${what}: ${warning}`);
    const { totalBytes } = filesystem.info;
    if (totalBytes > sizeBytes) {
      warnings.push(
        `${what}: its filesystem claims ${totalBytes} bytes, more than the ${sizeBytes} there are; all of it is taken`,
      );
      return whole;
    }
    return placed(map.extents, totalBytes, place);
  } catch (error) {
    warnings.push(`${what}: its map of used blocks cannot be read, so all of it is taken: ${reasonOf(error)}`);
    return whole;
  }
}

/** The used extents of a volume as bytes of the disk, and what lies behind its `totalBytes`. */
function placed(extents: readonly Extent[], totalBytes: number, { startBytes, sizeBytes }: VolumePlace): Extent[] {
  const used = extents.map((extent) => ({ ...extent, offsetBytes: startBytes + extent.offsetBytes }));
  return [...used, { offsetBytes: startBytes + totalBytes, lengthBytes: sizeBytes - totalBytes }];
}

function usedOfGaps(diskBytes: number, partitioned: readonly Extent[]): Ranges {
  const gaps = subtractExtents([{ offsetBytes: 0, lengthBytes: diskBytes }], partitioned);
  const tail = gaps.at(-1);
  const small = tail === undefined || tail.offsetBytes + tail.lengthBytes < diskBytes || tail.lengthBytes <= SMALL_TAIL_BYTES;
  if (small) return { taken: gaps, leftOutBytes: 0 };
  // A disk with a table and no partition is all tail: its first MiB holds the table.
  const head = { offsetBytes: tail.offsetBytes, lengthBytes: MIB };
  const last = { offsetBytes: diskBytes - MIB, lengthBytes: MIB };
  return { taken: [...gaps.slice(0, -1), head, last], leftOutBytes: tail.lengthBytes - 2 * MIB };
}
