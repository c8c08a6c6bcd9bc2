/**
 * Which blocks of an ext volume are in use, from its block bitmaps. A group whose bitmap cannot be proven right (checksum, count of
 * free clusters, a journal still to be replayed) is taken whole: too much is a cost, too little would be a loss.
 */
import type { UsedMap } from '../filesystem.ts';
import { readSoundParts } from '../soundParts.ts';
import { forEachRun, setBits } from './bitmap.ts';
import { crc32c } from './checksums.ts';
import { ExtentCollector } from './extentCollector.ts';
import { type BlockRun, type Group, superblockAndDescriptorRuns } from './groups.ts';
import { groupsNamedByJournal } from './journal.ts';
import type { Superblock } from './superblock.ts';
import type { Volume } from './volume.ts';

/** Groups handled at a time: their bitmaps are in memory together (4 MiB with 4 KiB blocks). */
const windowGroups = 1024;
const largestReadBytes = 1 << 20;
const largestGapBlocks = 16;
const parallelReads = 8;
/** Beyond this the list itself would be the burden (no real volume comes near): what is left is taken whole. */
const mostExtents = 4_000_000;

/** Reasons for taking groups whole, one sentence each however many groups it concerns. */
class Doubts {
  private readonly byReason = new Map<string, number[]>();
  add(reason: string, group: number): void {
    const groups = this.byReason.get(reason) ?? [];
    groups.push(group);
    this.byReason.set(reason, groups);
  }
  sentences(): string[] {
    return [...this.byReason].map(([reason, groups]) => {
      const named = groups.slice(0, 10).join(', ') + (groups.length > 10 ? ', …' : '');
      return `${reason}: ${groups.length === 1 ? `block group ${named} was` : `${groups.length} block groups (${named}) were`} taken whole.`;
    });
  }
}

export async function readUsedMap(volume: Volume): Promise<UsedMap> {
  const { superblock } = volume;
  if (!superblock.sound) return wholeVolume(superblock, 'The superblock fails its checksum');
  const named = await groupsNamedByJournal(volume);
  if (named === 'unknown') return wholeVolume(superblock, 'The journal holds changes that cannot be followed');
  const groups = Array.from({ length: superblock.groupCount }, (_, number) => volume.groups.group(number));
  const work: Work = {
    volume,
    named,
    groups,
    strays: metadataInUnwrittenGroups(superblock, groups),
    doubts: new Doubts(),
    unreadable: new Set(),
  };
  const collector = new ExtentCollector();
  collector.add(0, superblock.firstDataBlock);
  for (let first = 0; first < groups.length; first += windowGroups) {
    const window = groups.slice(first, first + windowGroups);
    const bitmaps = await readBitmaps(work, window);
    for (const group of window) collectGroup(work, group, bitmaps.get(group.number), collector);
  }
  return { ...collector.toExtents(superblock.blockBytes), warnings: work.doubts.sentences() };
}

interface Work {
  readonly volume: Volume;
  readonly named: ReadonlySet<number>;
  readonly groups: readonly Group[];
  readonly strays: ReadonlyMap<number, readonly BlockRun[]>;
  readonly doubts: Doubts;
  /** Groups whose bitmap lies where the medium fails. */
  readonly unreadable: Set<number>;
}

function wholeVolume(superblock: Superblock, reason: string): UsedMap {
  const usedBytes = superblock.blockCount * superblock.blockBytes;
  return {
    extents: [{ offsetBytes: 0, lengthBytes: usedBytes }],
    usedBytes,
    warnings: [`${reason}: the whole filesystem was taken.`],
  };
}

/**
 * Flexible groups keep the bitmaps and inode tables of many groups in one. When that one has no bitmap of its own yet, these
 * blocks are in use all the same.
 */
function metadataInUnwrittenGroups(superblock: Superblock, groups: readonly Group[]): Map<number, BlockRun[]> {
  const strays = new Map<number, BlockRun[]>();
  if (!groups.some((group) => group.bitmapUninitialised)) return strays;
  const tableBlocks = Math.ceil((superblock.inodesPerGroup * superblock.inodeBytes) / superblock.blockBytes);
  const put = (first: number, count: number) => {
    let left = Math.min(count, superblock.blockCount - first);
    for (let at = first; left > 0; ) {
      const number = Math.floor((at - superblock.firstDataBlock) / superblock.blocksPerGroup);
      const home = groups[number];
      if (!home) return;
      const here = Math.min(left, home.firstBlock + home.blockCount - at);
      if (home.bitmapUninitialised) {
        const runs = strays.get(number);
        if (runs) runs.push({ first: at, count: here });
        else strays.set(number, [{ first: at, count: here }]);
      }
      at += here;
      left -= here;
    }
  };
  for (const group of groups) {
    if (!group.sound) continue;
    put(group.blockBitmapBlock, 1);
    put(group.inodeBitmapBlock, 1);
    put(group.inodeTableBlock, tableBlocks);
  }
  return strays;
}

function hasReadableBitmap(work: Work, group: Group): boolean {
  const inside = group.blockBitmapBlock > 0 && group.blockBitmapBlock < work.volume.superblock.blockCount;
  return inside && group.sound && !group.bitmapUninitialised && !work.named.has(group.number);
}

/** Reads the bitmaps of some groups, neighbours together: with flexible groups one read brings sixteen. */
async function readBitmaps(work: Work, window: readonly Group[]): Promise<Map<number, Uint32Array>> {
  const { device, superblock } = work.volume;
  const { blockBytes } = superblock;
  const wanted = window.filter((group) => hasReadableBitmap(work, group)).sort((a, b) => a.blockBitmapBlock - b.blockBitmapBlock);
  const runs: { first: number; end: number; groups: Group[] }[] = [];
  for (const group of wanted) {
    const block = group.blockBitmapBlock;
    const last = runs.at(-1);
    if (last && block - last.end <= largestGapBlocks && (block + 1 - last.first) * blockBytes <= largestReadBytes) {
      last.end = block + 1;
      last.groups.push(group);
    } else {
      runs.push({ first: block, end: block + 1, groups: [group] });
    }
  }
  const bitmaps = new Map<number, Uint32Array>();
  for (let at = 0; at < runs.length; at += parallelReads) {
    await Promise.all(
      runs.slice(at, at + parallelReads).map(async (run) => {
        const bytes = new Uint8Array((run.end - run.first) * blockBytes);
        const read = (offsetBytes: number, target: Uint8Array) => device.read(offsetBytes, target);
        const lost = await readSoundParts(read, { offsetBytes: run.first * blockBytes, target: bytes, filler: 0 });
        for (const group of run.groups) {
          const from = (group.blockBitmapBlock - run.first) * blockBytes;
          if (lost.some((part) => part.from < from + blockBytes && from < part.from + part.lengthBytes)) {
            work.unreadable.add(group.number);
            continue;
          }
          bitmaps.set(
            group.number,
            new Uint32Array(bytes.buffer, (group.blockBitmapBlock - run.first) * blockBytes, blockBytes / 4),
          );
        }
      }),
    );
  }
  return bitmaps;
}

function collectGroup(work: Work, group: Group, bitmap: Uint32Array | undefined, collector: ExtentCollector): void {
  const undo = collector.mark();
  const doubt = reasonForWhole(work, group, bitmap) ?? collectBits(work, group, bitmap, collector);
  if (doubt === null) return;
  undo();
  work.doubts.add(doubt, group.number);
  collector.add(group.firstBlock, group.firstBlock + group.blockCount);
}

/** Why the group's bitmap is not even worth looking at; null when it is. */
function reasonForWhole(work: Work, group: Group, bitmap: Uint32Array | undefined): string | null {
  if (work.named.has(group.number)) return 'The journal holds changes not yet written to their places';
  if (!group.sound) return 'A group descriptor fails its checksum';
  if (work.unreadable.has(group.number)) return 'A block bitmap cannot be read';
  if (!bitmap && !group.bitmapUninitialised) return 'A block bitmap lies outside the volume';
  if (bitmap && !checksumMatches(work.volume.superblock, group, bitmap)) return 'A block bitmap fails its checksum';
  return null;
}

/** Adds what the bitmap says; the reason to take it back when it does not add up. */
function collectBits(work: Work, group: Group, bitmap: Uint32Array | undefined, collector: ExtentCollector): string | null {
  const { superblock } = work.volume;
  const { clusterBlocks } = superblock;
  if (collector.length > mostExtents) return 'The used space is scattered beyond reason';
  const words = bitmap ?? unwrittenBitmap(superblock, group, work.strays.get(group.number) ?? []);
  const clusters = Math.ceil(group.blockCount / clusterBlocks);
  const groupEnd = group.firstBlock + group.blockCount;
  const set = forEachRun(words, clusters, (start, end) => {
    collector.add(group.firstBlock + start * clusterBlocks, Math.min(group.firstBlock + end * clusterBlocks, groupEnd));
  });
  return clusters - set === group.freeClusters ? null : 'A block bitmap and its count of free blocks disagree';
}

function checksumMatches(superblock: Superblock, group: Group, bitmap: Uint32Array): boolean {
  if (superblock.checksums !== 'crc32c') return true;
  const bytes = superblock.blocksPerGroup / superblock.clusterBlocks / 8;
  const computed = crc32c(superblock.checksumSeed, new Uint8Array(bitmap.buffer, bitmap.byteOffset, bytes));
  return (superblock.descriptorBytes >= 64 ? computed : computed & 0xffff) === group.bitmapChecksum;
}

/** The bitmap the kernel would write for a group that has none yet: its metadata and nothing else. */
function unwrittenBitmap(superblock: Superblock, group: Group, strays: readonly BlockRun[]): Uint32Array {
  const words = new Uint32Array(Math.ceil(superblock.blocksPerGroup / superblock.clusterBlocks / 32));
  for (const { first, count } of [...superblockAndDescriptorRuns(superblock, group.number), ...strays]) {
    const from = Math.floor((first - group.firstBlock) / superblock.clusterBlocks);
    const end = Math.min(first + count, group.firstBlock + group.blockCount) - group.firstBlock;
    if (from >= 0 && end > 0) setBits(words, from, Math.ceil(end / superblock.clusterBlocks) - from);
  }
  return words;
}
