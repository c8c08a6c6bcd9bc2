/**
 * Which bytes of a disk are worth keeping. Everything the partition table area, the boot code and the gaps between partitions
 * hold; of each partition the used blocks of its filesystem and whatever lies behind the filesystem; of swap space its header
 * and whatever lies behind it; all of what we cannot read.
 * Ranges taken whole may well be zero: that is found when they are read, and zeros are never stored.
 *
 * Left out on purpose: a large unpartitioned tail of the disk (old data of no partition), except its last MiB, where backup
 * tables and RAID or dynamic-disk databases live. `sectorBySector` keeps it. On demand: the content of partitions that were not
 * chosen, and of files that are worthless after a restart. The table, the boot code and the gaps are always kept.
 */
import { type BlockDevice, type Extent, intersectExtents, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import type { Filesystem, VolatileFile } from '@diskfleet/filesystem';
import { EngineError } from '../errors.ts';
import { sizeText } from '../sizeText.ts';
import type { UsedDisk, VolatileContent } from '../types.ts';
import { layoutOf } from './readLayout.ts';
import { type DiskVolumes, readVolumes, reasonOf, type VolumeContent } from './readVolumes.ts';
import { tableExtents } from './tableExtents.ts';
import { usedOfContent } from './usedOfContent.ts';

const MIB = 1024 * 1024;
/** An unpartitioned tail up to this size is taken whole. */
const SMALL_TAIL_BYTES = 16 * MIB;

export interface UsedDiskOptions {
  /** Keep every byte, used or not, of what is kept at all. */
  readonly sectorBySector?: boolean | undefined;
  /** Numbers of the partitions whose content is kept; absent: all. */
  readonly partitions?: readonly number[] | undefined;
  /** Content of files that need not be kept; nothing is left out sector by sector. */
  readonly leaveOut?: readonly VolatileContent[] | undefined;
}

/**
 * @throws DiskError when the disk cannot be read; EngineError `PARTITION_NOT_FOUND` when a chosen partition is not there. What a
 *   filesystem reader cannot vouch for is taken whole and named in `layout.warnings`.
 */
export async function readUsedDisk(device: BlockDevice, options: UsedDiskOptions = {}): Promise<UsedDisk> {
  const found = await readVolumes(device);
  const dropped = numbersLeftOut(found, options.partitions);
  const warnings = found.warnings.filter((text) => !dropped.some((number) => text.startsWith(`partition ${number}:`)));
  const ranges = await usedRanges(device, found, { ...options, dropped, warnings });
  const usedExtents = mergeExtents(ranges.taken);
  const leftOutExtents = subtractExtents(mergeExtents(ranges.leftOut), usedExtents);
  const whole = await layoutOf(device, found);
  const partitions = whole.partitions.map((one) =>
    dropped.includes(one.number) ? { ...one, content: 'leftOut' as const } : one,
  );
  return {
    layout: { ...whole, partitions, warnings },
    usedExtents,
    usedBytes: sumBytes(usedExtents),
    leftOutBytes: ranges.leftOutBytes,
    leftOutExtents,
    zeroExtents: subtractExtents(mergeExtents(ranges.zero), usedExtents),
    leftOutFiles: ranges.files,
  };
}

/** The container of logical partitions is a part of the table: it is never left out, chosen or not. */
function numbersLeftOut({ table, volumes }: DiskVolumes, chosen: readonly number[] | undefined): number[] {
  if (chosen === undefined) return [];
  const known = volumes.filter(({ partition }) => partition.sizeBytes > 0).map(({ partition }) => partition.number);
  const missing = table === null ? chosen[0] : chosen.find((number) => !known.includes(number));
  if (missing !== undefined || chosen.length === 0) {
    const there = table === null ? 'the disk has no partition table' : `the disk has ${known.join(', ') || 'none'}`;
    throw new EngineError('PARTITION_NOT_FOUND', `partition ${missing ?? '(none)'} was chosen; ${there}`);
  }
  const content = volumes.filter(({ partition }) => partition.role !== 'extended').map(({ partition }) => partition.number);
  return content.filter((number) => !chosen.includes(number));
}

interface Ranges {
  readonly taken: readonly Extent[];
  /** Never worth keeping, whatever is written there. */
  readonly leftOut: readonly Extent[];
  readonly leftOutBytes: number;
}

interface Wanted extends UsedDiskOptions {
  readonly dropped: readonly number[];
  readonly warnings: string[];
}

async function usedRanges(
  device: BlockDevice,
  found: DiskVolumes,
  { sectorBySector = false, leaveOut = [], partitions, dropped, warnings }: Wanted,
): Promise<Ranges & { readonly zero: readonly Extent[]; readonly files: readonly string[] }> {
  const all = [{ offsetBytes: 0, lengthBytes: device.sizeBytes }];
  const zero: Extent[] = [];
  const files: string[] = [];
  if (sectorBySector && partitions === undefined) return { taken: all, leftOut: [], leftOutBytes: 0, zero, files };
  const about = { sectorBySector, leaveOut, warnings, zero, files };
  if (found.table === null) {
    const place = { what: 'the disk', startBytes: 0, sizeBytes: device.sizeBytes, ...about };
    const taken = await usedOfVolume(found.whole, place);
    return { taken, leftOut: restOfSwap(found.whole, place, taken), leftOutBytes: 0, zero, files };
  }
  const ranges = tableExtents(found.table, device.sizeBytes);
  const partitioned: Extent[] = [];
  const leftOut: Extent[] = [];
  for (const { partition, ...content } of found.volumes) {
    if (partition.role === 'extended' || partition.sizeBytes === 0) continue;
    const { startBytes, sizeBytes } = partition;
    const extent = { offsetBytes: startBytes, lengthBytes: sizeBytes };
    partitioned.push(extent);
    if (dropped.includes(partition.number)) {
      leftOut.push(extent);
      continue;
    }
    const place = { what: `partition ${partition.number}`, startBytes, sizeBytes, ...about };
    const taken = await usedOfVolume(content, place);
    ranges.push(...taken);
    leftOut.push(...restOfSwap(content, place, taken));
  }
  const gaps = usedOfGaps(device.sizeBytes, partitioned, sectorBySector);
  return {
    taken: [...ranges, ...gaps.taken],
    leftOut: [...leftOut, ...gaps.leftOut],
    leftOutBytes: gaps.leftOutBytes,
    zero,
    files,
  };
}

/** What swap space holds is worthless after a restart, so writes to it make nothing worth keeping. */
function restOfSwap({ recognised }: VolumeContent, place: VolumePlace, taken: readonly Extent[]): Extent[] {
  if (recognised?.kind !== 'swap') return [];
  return subtractExtents([{ offsetBytes: place.startBytes, lengthBytes: place.sizeBytes }], taken);
}

interface VolumePlace {
  readonly what: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly sectorBySector: boolean;
  readonly leaveOut: readonly VolatileContent[];
  readonly warnings: string[];
  /** What must read as zero after a restore is added here. */
  readonly zero: Extent[];
  /** And here the names of files whose content is left out. */
  readonly files: string[];
}

async function usedOfVolume(content: VolumeContent, place: VolumePlace): Promise<Extent[]> {
  const { what, startBytes, sizeBytes, warnings } = place;
  const whole = [{ offsetBytes: startBytes, lengthBytes: sizeBytes }];
  if (place.sectorBySector) return whole;
  const used = await usedOfContent(content, sizeBytes, (text) => warnings.push(`${what}: ${text}`));
  if (used === null) return whole;
  try {
    const kept = content.filesystem === null ? used : await withoutVolatile(content.filesystem, used, place);
    return kept.map((extent) => ({ ...extent, offsetBytes: startBytes + extent.offsetBytes }));
  } catch (error) {
    warnings.push(`${what}: its page and swap files cannot be looked for, so all of it is taken: ${reasonOf(error)}`);
    return whole;
  }
}

/** What is left of a volume's used extents without the content of its page, hibernation and swap files. */
async function withoutVolatile(
  filesystem: Filesystem,
  used: readonly Extent[],
  { leaveOut, startBytes, zero, files: named, what }: VolumePlace,
): Promise<readonly Extent[]> {
  const files: readonly VolatileFile[] = leaveOut.length === 0 ? [] : ((await filesystem.volatileFiles?.()) ?? []);
  const dropped = files.filter(({ kind }) => leaveOut.includes(kind));
  if (dropped.length === 0) return used;
  for (const { path, extents, mustBeZero } of dropped) {
    named.push(`${path} on ${what} (${sizeText(sumBytes(extents))})`);
    for (const extent of intersectExtents(mustBeZero, used))
      zero.push({ ...extent, offsetBytes: startBytes + extent.offsetBytes });
  }
  return subtractExtents(used, mergeExtents(dropped.flatMap(({ extents }) => extents)));
}

function usedOfGaps(diskBytes: number, partitioned: readonly Extent[], all: boolean): Ranges {
  const gaps = subtractExtents([{ offsetBytes: 0, lengthBytes: diskBytes }], partitioned);
  const tail = gaps.at(-1);
  const small =
    all || tail === undefined || tail.offsetBytes + tail.lengthBytes < diskBytes || tail.lengthBytes <= SMALL_TAIL_BYTES;
  if (small) return { taken: gaps, leftOut: [], leftOutBytes: 0 };
  // A disk with a table and no partition is all tail: its first MiB holds the table.
  const head = { offsetBytes: tail.offsetBytes, lengthBytes: MIB };
  const last = { offsetBytes: diskBytes - MIB, lengthBytes: MIB };
  const leftOut = subtractExtents([tail], [head, last]);
  return { taken: [...gaps.slice(0, -1), head, last], leftOut, leftOutBytes: sumBytes(leftOut) };
}
