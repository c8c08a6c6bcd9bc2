/**
 * Which blocks of an XFS volume are in use: all but what the tree of free space of each allocation group and its free list name.
 * A group whose free space cannot be proven right (checksum, counts, a log still to be replayed) is taken whole: too much is a
 * cost, too little would be a loss.
 *
 * This equals what partclone.xfs 0.3.23 takes. The free list is left out as there: its blocks belong to nobody until a tree grows
 * into them, and then are written anew. The log is taken whole, clean or not.
 */

import { ExtentCollector } from '../ext/extentCollector.ts';
import type { UsedMap } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { type FreeRuns, readFreeRuns } from './freeSpaceTree.ts';
import { readGroupHeader } from './groupHeader.ts';
import type { LogState } from './log.ts';
import { groupsNamedByLog } from './logItems.ts';
import { groupLength, type Volume } from './volume.ts';

const parallelGroups = 8;
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
      const whole = groups.length === 1 ? `allocation group ${named} was` : `${groups.length} allocation groups (${named}) were`;
      return `${reason}: ${whole} taken whole.`;
    });
  }
}

export async function readUsedMap(volume: Volume, log: LogState): Promise<UsedMap> {
  const { superblock } = volume;
  if (!superblock.sound) return wholeVolume(volume, 'The superblock fails its checksum');
  if (superblock.needsRepair) return wholeVolume(volume, 'The volume is marked as in need of repair');
  if (log.kind === 'elsewhere') return wholeVolume(volume, 'The log lies on another device');
  const named = await groupsNamedByLog(volume, log);
  if (named === 'unknown') return wholeVolume(volume, 'The log holds changes that cannot be followed');
  const doubts = new Doubts();
  const collector = new ExtentCollector();
  let countedFree = 0;
  for (let first = 0; first < superblock.groupCount; first += parallelGroups) {
    const numbers = Array.from({ length: Math.min(parallelGroups, superblock.groupCount - first) }, (_, index) => first + index);
    const found = await Promise.all(numbers.map((number) => (named.has(number) ? replayDoubt : readGroup(volume, number))));
    for (const [index, group] of found.entries()) {
      const tooMany = typeof group !== 'string' && collector.length + group.starts.length > mostExtents;
      const use = tooMany ? 'The used space is scattered beyond reason' : group;
      if (typeof use === 'string') doubts.add(use, first + index);
      else countedFree += use.countedFree;
      addUsed(volume, { number: first + index, free: typeof use === 'string' ? null : use }, collector);
    }
  }
  const warnings = doubts.sentences();
  // The superblock's count is only kept up to date by a clean unmount.
  if (log.kind === 'clean' && warnings.length === 0 && countedFree !== superblock.freeBlocks) {
    return wholeVolume(volume, 'The count of free blocks in the superblock is wrong');
  }
  return { ...collector.toExtents(superblock.blockBytes), warnings };
}

const replayDoubt = 'The log holds changes not yet written to their places';

function wholeVolume(volume: Volume, reason: string): UsedMap {
  const usedBytes = volume.superblock.blockCount * volume.superblock.blockBytes;
  return {
    extents: [{ offsetBytes: 0, lengthBytes: usedBytes }],
    usedBytes,
    warnings: [`${reason}: the whole filesystem was taken.`],
  };
}

interface GroupSpace extends FreeRuns {
  /** What this group adds to the superblock's count of free blocks. */
  readonly countedFree: number;
}

/** The free blocks of a group, or the reason to take it whole. */
async function readGroup(volume: Volume, number: number): Promise<GroupSpace | string> {
  try {
    return await readSpace(volume, number);
  } catch (error) {
    if (isDamage(error)) return 'The free space of an allocation group cannot be read';
    throw error;
  }
}

async function readSpace(volume: Volume, number: number): Promise<GroupSpace | string> {
  const header = await readGroupHeader(volume, number);
  if (typeof header === 'string') return header;
  const runs = await readFreeRuns(volume, header);
  if (typeof runs === 'string') return runs;
  let free = 0;
  for (const [index, start] of runs.starts.entries()) free += (runs.ends[index] ?? start) - start;
  if (free !== header.freeBlocks) return 'The tree of free space of an allocation group and its count of free blocks disagree';
  const merged = withList(runs, header.freeList);
  if (merged === null) return 'The tree of free space of an allocation group and its free list overlap';
  const treeBlocks = volume.superblock.lazyCount ? header.treeBlocks : 0;
  return { ...merged, countedFree: free + header.freeList.length + treeBlocks };
}

/** Merges single blocks into runs, both rising; null when one is there twice. */
function withList(runs: FreeRuns, list: readonly number[]): FreeRuns | null {
  if (list.length === 0) return runs;
  const merged: FreeRuns = { starts: [], ends: [] };
  let end = 0;
  const put = (start: number, runEnd: number): boolean => {
    const fits = start >= end;
    merged.starts.push(start);
    merged.ends.push(runEnd);
    end = runEnd;
    return fits;
  };
  let next = 0;
  for (const [index, start] of runs.starts.entries()) {
    for (let block = list[next]; block !== undefined && block < start; block = list[++next]) {
      if (!put(block, block + 1)) return null;
    }
    if (!put(start, runs.ends[index] ?? start)) return null;
  }
  for (; next < list.length; next++) {
    const block = list[next] ?? 0;
    if (!put(block, block + 1)) return null;
  }
  return merged;
}

function addUsed(volume: Volume, group: { number: number; free: FreeRuns | null }, collector: ExtentCollector): void {
  const first = group.number * volume.superblock.groupBlocks;
  let used = 0;
  if (group.free !== null) {
    for (const [index, start] of group.free.starts.entries()) {
      collector.add(first + used, first + start);
      used = group.free.ends[index] ?? start;
    }
  }
  collector.add(first + used, first + groupLength(volume.superblock, group.number));
}
