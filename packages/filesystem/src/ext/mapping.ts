/** Where the content of a file lies: extent trees (ext4) and block maps (ext2/3) become one sorted list of runs. */
import type { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { Inode } from './inodes.ts';
import { insistOnBlocks, readBlock, type Volume } from './volume.ts';

const extentMagic = 0xf30a;
const deepestTree = 5;
const directBlocks = 12;
/** Real files stay far below (a fragmented terabyte has some 100,000); a hostile tree must not fill the memory. */
const mostRuns = 4_000_000;

/** `count` blocks of content from block `logical` of the file, at block `physical` of the volume. What no run covers is zero. */
export interface ContentRun {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

export interface FileMapping {
  /** Sorted by `logical`, disjoint, neighbours merged. */
  readonly runs: readonly ContentRun[];
}

/** Collects runs in rising order of the file and merges those that follow each other on the disk too. */
class RunList {
  readonly runs: { logical: number; physical: number; count: number }[] = [];
  private next = 0;
  private blocks = 0;
  private readonly volume: Volume;
  private readonly what: string;

  constructor(volume: Volume, what: string) {
    this.volume = volume;
    this.what = what;
  }

  /** Claims a range of the file; unwritten ranges are claimed but not kept. */
  claim(logical: number, count: number): void {
    if (logical < this.next) throw new FilesystemError('FS_DAMAGED', `${this.what} maps block ${logical} twice or out of order`);
    this.next = logical + count;
  }

  add(logical: number, physical: number, count: number): void {
    insistOnBlocks(this.volume, physical, count, this.what);
    // No block is in a file twice, so a file that has more than the volume never ends for whoever reads it.
    this.blocks += count;
    if (this.blocks > this.volume.superblock.blockCount) {
      throw new FilesystemError('FS_DAMAGED', `${this.what} maps more blocks than the volume has`);
    }
    const last = this.runs.at(-1);
    if (last && last.logical + last.count === logical && last.physical + last.count === physical) {
      last.count += count;
      return;
    }
    if (this.runs.length >= mostRuns)
      throw new FilesystemError('FS_TOO_LARGE', `${this.what} has more than ${mostRuns} fragments`);
    this.runs.push({ logical, physical, count });
  }
}

/**
 * Inline data has no map: ask before.
 * @param options.unwritten map what is allocated and was never written too
 * @throws FilesystemError `FS_DAMAGED` for maps that loop, overlap or leave the volume.
 */
export async function mapFile(
  volume: Volume,
  inode: Inode,
  options: { readonly unwritten?: boolean } = {},
): Promise<FileMapping> {
  const walk = { ...newWalk(volume, inode), unwritten: options.unwritten ?? false };
  if (inode.usesExtents) await walkExtents(walk, { node: inode.raw.slice(0x28, 60), depth: null });
  else await walkBlockMap(walk, inode.raw, Math.ceil(inode.sizeBytes / volume.superblock.blockBytes));
  return { runs: walk.list.runs };
}

/** As `mapFile` for the many files whose inode holds the whole map; null for others. */
export function mapOfInode(volume: Volume, inode: Inode): FileMapping | null {
  const walk = newWalk(volume, inode);
  const blocks = Math.ceil(inode.sizeBytes / volume.superblock.blockBytes);
  if (inode.usesExtents) {
    const node = inode.raw.slice(0x28, 60);
    if (node.readUInt16LE(6) !== 0) return null;
    readExtents(walk, node, checkNode(walk, node, null).entries);
  } else {
    if (blocks > directBlocks) return null;
    walkDirect(walk, inode.raw, blocks);
  }
  return { runs: walk.list.runs };
}

function newWalk(volume: Volume, inode: Inode): Walk {
  const what = `inode ${inode.number}`;
  return { volume, list: new RunList(volume, what), seen: new Set(), what, unwritten: false };
}

interface Walk {
  readonly volume: Volume;
  readonly list: RunList;
  /** Blocks of the tree itself: none may come twice, so every walk ends. */
  readonly seen: Set<number>;
  readonly what: string;
  readonly unwritten: boolean;
}

async function readNode(walk: Walk, block: number): Promise<ByteReader> {
  if (walk.seen.has(block)) throw new FilesystemError('FS_DAMAGED', `${walk.what} has a loop in its block tree`);
  walk.seen.add(block);
  return readBlock(walk.volume, block, walk.what);
}

async function walkExtents(walk: Walk, at: { node: Buffer; depth: number | null }): Promise<void> {
  const { node } = at;
  const { entries, depth } = checkNode(walk, node, at.depth);
  if (depth === 0) return readExtents(walk, node, entries);
  for (let offset = 12; offset < 12 + entries * 12; offset += 12) {
    const child = node.readUInt32LE(offset + 4) + node.readUInt16LE(offset + 8) * 2 ** 32;
    await walkExtents(walk, { node: (await readNode(walk, child)).bytes, depth: depth - 1 });
  }
}

function checkNode(walk: Walk, node: Buffer, wantedDepth: number | null): { entries: number; depth: number } {
  const entries = node.readUInt16LE(2);
  const depth = node.readUInt16LE(6);
  const wrongDepth = wantedDepth === null ? depth > deepestTree : depth !== wantedDepth;
  if (node.readUInt16LE(0) !== extentMagic || wrongDepth || 12 + entries * 12 > node.length) {
    throw new FilesystemError('FS_DAMAGED', `${walk.what} has a damaged extent tree`);
  }
  return { entries, depth };
}

function readExtents(walk: Walk, node: Buffer, entries: number): void {
  for (let offset = 12; offset < 12 + entries * 12; offset += 12) {
    const logical = node.readUInt32LE(offset);
    const length = node.readUInt16LE(offset + 4);
    const physical = node.readUInt16LE(offset + 6) * 2 ** 32 + node.readUInt32LE(offset + 8);
    // Above 32768 the extent is allocated but was never written: it reads as zero.
    const unwritten = length > 32768;
    const count = unwritten ? length - 32768 : length;
    if (count === 0) throw new FilesystemError('FS_DAMAGED', `${walk.what} has an empty extent`);
    walk.list.claim(logical, count);
    if (!unwritten || walk.unwritten) walk.list.add(logical, physical, count);
  }
}

/** Twelve direct blocks, then trees of one, two and three levels; 0 is a hole. `blocks` = how many the file's size covers. */
async function walkBlockMap(walk: Walk, inode: ByteReader, blocks: number): Promise<void> {
  const perBlock = walk.volume.superblock.blockBytes / 4;
  walkDirect(walk, inode, blocks);
  let logical = directBlocks;
  for (const level of [1, 2, 3]) {
    const block = inode.u32(0x28 + (11 + level) * 4);
    if (block !== 0 && logical < blocks) await walkIndirect(walk, { block, level, logical, blocks });
    logical += perBlock ** level;
  }
}

function walkDirect(walk: Walk, inode: ByteReader, blocks: number): void {
  for (let index = 0; index < directBlocks && index < blocks; index++) {
    const block = inode.u32(0x28 + index * 4);
    if (block !== 0) walk.list.add(index, block, 1);
  }
}

async function walkIndirect(walk: Walk, at: { block: number; level: number; logical: number; blocks: number }): Promise<void> {
  const node = await readNode(walk, at.block);
  const perBlock = walk.volume.superblock.blockBytes / 4;
  const span = perBlock ** (at.level - 1);
  for (let index = 0; index < perBlock; index++) {
    const logical = at.logical + index * span;
    if (logical >= at.blocks) return;
    const block = node.bytes.readUInt32LE(index * 4);
    if (block === 0) continue;
    if (at.level === 1) walk.list.add(logical, block, 1);
    else await walkIndirect(walk, { block, level: at.level - 1, logical, blocks: at.blocks });
  }
}
