/**
 * Where the content of a file lies: the extents in its inode, or a tree of them, become one sorted list of runs.
 * Layout: "XFS Algorithms & Data Structures", chapter Data Extents (packed records of 128 bits, B+tree extent lists).
 */
import type { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { Inode } from './inodes.ts';
import { isGenuine, readBlocks, toVolumeBlock, type Volume } from './volume.ts';

const magic4 = 0x424d4150;
const magic5 = 0x424d4133;
const recordBytes = 16;
const deepestTree = 12;
/** Real files stay far below (a fragmented terabyte has some 100,000); a hostile tree must not fill the memory. */
const mostRuns = 4_000_000;

/** `count` blocks of content from block `logical` of the file, at block `physical` of the volume. What no run covers is zero. */
export interface ContentRun {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

/** Collects extents in rising order of the file; those allocated but never written are counted and not kept. */
class RunList {
  readonly runs: ContentRun[] = [];
  records = 0;
  blocks = 0;
  private next = 0;
  private readonly volume: Volume;
  private readonly what: string;
  private readonly keepUnwritten: boolean;

  constructor(volume: Volume, what: string, keepUnwritten: boolean) {
    this.volume = volume;
    this.what = what;
    this.keepUnwritten = keepUnwritten;
  }

  add(raw: ByteReader, at: number): void {
    const [first, second, third, fourth] = [raw.u32be(at), raw.u32be(at + 4), raw.u32be(at + 8), raw.u32be(at + 12)];
    const logical = (first & 0x7fffffff) * 2 ** 23 + (second >>> 9);
    const numbered = (second & 0x1ff) * 2 ** 43 + third * 2 ** 11 + (fourth >>> 21);
    const count = fourth & 0x1fffff;
    if (count === 0 || logical < this.next || !Number.isSafeInteger(logical + count)) {
      throw new FilesystemError('FS_DAMAGED', `${this.what} maps block ${logical} twice or out of order`);
    }
    const physical = toVolumeBlock(this.volume.superblock, numbered, { count, what: this.what });
    this.next = logical + count;
    this.records += 1;
    this.blocks += count;
    if (this.records > mostRuns) throw new FilesystemError('FS_TOO_LARGE', `${this.what} has more than ${mostRuns} fragments`);
    if (first >>> 31 === 0 || this.keepUnwritten) this.runs.push({ logical, physical, count });
  }
}

interface Walk {
  readonly volume: Volume;
  readonly inode: Inode;
  readonly list: RunList;
  readonly what: string;
  /** Blocks of the tree itself: none may come twice, so every walk ends. */
  readonly seen: Set<number>;
}

/**
 * @param options.unwritten map what is allocated and was never written too
 * @throws FilesystemError `FS_DAMAGED` for maps that loop, overlap, leave the volume or do not add up.
 */
export async function mapFile(
  volume: Volume,
  inode: Inode,
  options: { readonly unwritten?: boolean } = {},
): Promise<readonly ContentRun[]> {
  const what = `inode ${inode.number}`;
  const list = new RunList(volume, what, options.unwritten ?? false);
  const walk: Walk = { volume, inode, list, what, seen: new Set() };
  const { fork } = inode;
  if (inode.format === 'extents') {
    if (inode.extentCount * recordBytes > fork.length) damaged(walk, 'has more extents than room for them');
    for (let index = 0; index < inode.extentCount; index++) list.add(fork, index * recordBytes);
  } else if (inode.format === 'btree') {
    const level = fork.u16be(0);
    const most = Math.floor((fork.length - 4) / 16);
    if (level < 1 || level > deepestTree) damaged(walk, 'has a damaged extent tree');
    for (const child of pointers(walk, { raw: fork, start: 4, most, count: fork.u16be(2) })) {
      await walkTree(walk, child, level - 1);
    }
  } else {
    damaged(walk, 'has no map of its content');
  }
  // An inode counts all it owns; a tree that claims more is not its own.
  if (list.records !== inode.extentCount || list.blocks + walk.seen.size > inode.blockCount) {
    damaged(walk, 'has a map that does not add up');
  }
  return list.runs;
}

function damaged(walk: Walk, what: string): never {
  throw new FilesystemError('FS_DAMAGED', `${walk.what} ${what}`);
}

/** The children in a node: behind room for `most` keys. */
function pointers(walk: Walk, node: { raw: ByteReader; start: number; most: number; count: number }): number[] {
  if (node.count < 1 || node.count > node.most) damaged(walk, 'has a damaged extent tree');
  return Array.from({ length: node.count }, (_, index) => node.raw.u64be(node.start + node.most * 8 + index * 8));
}

async function walkTree(walk: Walk, numbered: number, level: number): Promise<void> {
  const { superblock } = walk.volume;
  const block = toVolumeBlock(superblock, numbered, { count: 1, what: walk.what });
  if (walk.seen.has(block)) damaged(walk, 'has a loop in its extent tree');
  walk.seen.add(block);
  const raw = await readBlocks(walk.volume, block, { count: 1, what: walk.what });
  const stamp = { checksum: 64, place: 24, uuid: 40, owner: { offset: 56, bytes: 8 as const, value: walk.inode.number } };
  const known = raw.u32be(0) === (superblock.checksums ? magic5 : magic4) && raw.u16be(4) === level;
  if (!known || !isGenuine(walk.volume, { bytes: raw.bytes, volumeBlock: block }, stamp)) {
    damaged(walk, 'has a damaged extent tree');
  }
  const start = superblock.checksums ? 72 : 24;
  const most = Math.floor((superblock.blockBytes - start) / 16);
  const count = raw.u16be(6);
  if (level > 0) {
    for (const child of pointers(walk, { raw, start, most, count })) await walkTree(walk, child, level - 1);
    return;
  }
  if (count > most) damaged(walk, 'has a damaged extent tree');
  for (let index = 0; index < count; index++) walk.list.add(raw, start + index * recordBytes);
}
