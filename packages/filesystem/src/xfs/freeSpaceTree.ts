/**
 * The tree of free space of an allocation group, sorted by block ("bno"): walked level by level, so that the blocks of a level are
 * read together. Layout: "XFS Algorithms & Data Structures", chapters Short Format B+trees and AG Free Space B+trees.
 */
import { readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import type { GroupHeader } from './groupHeader.ts';
import { isGenuine, type Volume } from './volume.ts';

const magic4 = 0x41425442;
const magic5 = 0x41423342;
const recordBytes = 8;
const pointerBytes = 4;
/** Blocks of the tree in memory together. */
const windowBlocks = 256;
const largestReadBytes = 1 << 20;
const largestGapBlocks = 8;
const parallelReads = 8;
/** Beyond this the list itself would be the burden (no real group comes near). */
const mostRuns = 2_000_000;

/** Free blocks of a group, rising and disjoint: run `i` is `starts[i] … ends[i] - 1`. */
export interface FreeRuns {
  readonly starts: number[];
  readonly ends: number[];
}

const damaged = 'The tree of free space of an allocation group is damaged';

/** The free blocks by the tree alone, or the reason why it cannot be trusted. */
export async function readFreeRuns(volume: Volume, group: GroupHeader): Promise<FreeRuns | string> {
  const runs: FreeRuns = { starts: [], ends: [] };
  const seen = new Set<number>();
  let blocks = [group.rootBlock];
  for (let level = group.levels - 1; level >= 0; level--) {
    const children: number[] = [];
    for (let at = 0; at < blocks.length; at += windowBlocks) {
      const window = blocks.slice(at, at + windowBlocks);
      for (const block of window) {
        if (block === 0 || block >= group.length || seen.has(block)) return damaged;
        seen.add(block);
      }
      const read = await readTreeBlocks(volume, group, window);
      for (const block of window) {
        const raw = read.get(block);
        const place = { block, level };
        const failed = raw === undefined ? damaged : checkBlock(volume, group, { raw, ...place });
        if (raw === undefined || failed !== null) return failed ?? damaged;
        const whole = level === 0 ? addRecords(volume, group, { raw, runs }) : addPointers(volume, raw, children);
        if (!whole) return damaged;
      }
    }
    blocks = children;
  }
  return runs;
}

async function readTreeBlocks(volume: Volume, group: GroupHeader, wanted: readonly number[]): Promise<Map<number, ByteReader>> {
  const { blockBytes, groupBlocks } = volume.superblock;
  const runs: { first: number; end: number }[] = [];
  for (const block of [...wanted].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && block - last.end <= largestGapBlocks && (block + 1 - last.first) * blockBytes <= largestReadBytes) {
      last.end = block + 1;
    } else {
      runs.push({ first: block, end: block + 1 });
    }
  }
  const read = new Map<number, ByteReader>();
  for (let at = 0; at < runs.length; at += parallelReads) {
    await Promise.all(
      runs.slice(at, at + parallelReads).map(async ({ first, end }) => {
        const start = (group.number * groupBlocks + first) * blockBytes;
        const bytes = await readBytes(volume.device, start, (end - first) * blockBytes);
        for (let block = first; block < end; block++) {
          const from = (block - first) * blockBytes;
          read.set(block, new ByteReader(bytes.subarray(from, from + blockBytes), 'the tree of free space'));
        }
      }),
    );
  }
  return read;
}

function headerBytes(volume: Volume): number {
  return volume.superblock.checksums ? 56 : 16;
}

/** The reason to distrust a block; null when there is none. */
function checkBlock(volume: Volume, group: GroupHeader, found: { raw: ByteReader; block: number; level: number }): string | null {
  const { superblock } = volume;
  const { raw, block, level } = found;
  const room = superblock.blockBytes - headerBytes(volume);
  const most = Math.floor(room / (level === 0 ? recordBytes : recordBytes + pointerBytes));
  const records = raw.u16be(6);
  const empty = records === 0 && group.levels > 1;
  if (raw.u32be(0) !== (superblock.checksums ? magic5 : magic4) || raw.u16be(4) !== level) return damaged;
  if (records > most || empty) return damaged;
  const stamp = {
    checksum: 52,
    place: 16,
    uuid: 32,
    owner: { offset: 48, bytes: 4 as const, value: group.number },
  };
  const volumeBlock = group.number * superblock.groupBlocks + block;
  if (!isGenuine(volume, { bytes: raw.bytes, volumeBlock }, stamp)) {
    return 'The tree of free space of an allocation group fails its checksum';
  }
  return null;
}

/** False when runs overlap, are out of order or leave the group. */
function addRecords(volume: Volume, group: GroupHeader, leaf: { raw: ByteReader; runs: FreeRuns }): boolean {
  const { raw, runs } = leaf;
  const { starts, ends } = runs;
  const count = raw.u16be(6);
  if (starts.length + count > mostRuns) return false;
  for (let index = 0, at = headerBytes(volume); index < count; index++, at += recordBytes) {
    const start = raw.u32be(at);
    const length = raw.u32be(at + 4);
    const previousEnd = ends[ends.length - 1] ?? 0;
    if (length === 0 || start < previousEnd || start + length > group.length) return false;
    starts.push(start);
    ends.push(start + length);
  }
  return true;
}

function addPointers(volume: Volume, raw: ByteReader, children: number[]): boolean {
  const start = headerBytes(volume);
  const most = Math.floor((volume.superblock.blockBytes - start) / (recordBytes + pointerBytes));
  const count = raw.u16be(6);
  for (let index = 0; index < count; index++) children.push(raw.u32be(start + most * recordBytes + index * pointerBytes));
  return children.length <= mostRuns;
}
