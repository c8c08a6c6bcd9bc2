/**
 * Block groups: where each group's bitmaps and inode table lie, and which blocks of a group are metadata by construction.
 * Layout: kernel.org documentation of ext4, chapters Block Group Descriptors, Meta Block Groups, Sparse Super Blocks.
 */
import type { BlockDevice } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { crc16, crc32c, littleEndian32 } from './checksums.ts';
import type { Superblock } from './superblock.ts';

const largestReadBytes = 4 << 20;

/** A run of blocks `first … first + count - 1`. */
export interface BlockRun {
  readonly first: number;
  readonly count: number;
}

export interface Group {
  readonly number: number;
  readonly firstBlock: number;
  /** Fewer than usual in the last group. */
  readonly blockCount: number;
  readonly blockBitmapBlock: number;
  readonly inodeBitmapBlock: number;
  readonly inodeTableBlock: number;
  readonly freeClusters: number;
  /** The block bitmap was never written: the group holds its own metadata and nothing else. */
  readonly bitmapUninitialised: boolean;
  readonly bitmapChecksum: number;
  /** False when the descriptor fails its checksum: none of its fields can be trusted. */
  readonly sound: boolean;
}

/** All descriptors, kept as the bytes they are: 16 TiB have 131,072 groups. */
export class GroupTable {
  readonly superblock: Superblock;
  private readonly raw: ByteReader;
  private readonly checksumStart: number;

  constructor(superblock: Superblock, bytes: Uint8Array) {
    this.superblock = superblock;
    this.raw = new ByteReader(bytes, 'the group descriptors');
    this.checksumStart = superblock.checksums === 'crc16' ? crc16(0xffff, superblock.uuidBytes) : superblock.checksumSeed;
  }

  group(number: number): Group {
    const { superblock, raw } = this;
    const at = number * superblock.descriptorBytes;
    const wide = superblock.descriptorBytes >= 64;
    const block = (low: number, high: number) => raw.u32(at + low) + (wide ? raw.u32(at + high) * 2 ** 32 : 0);
    const firstBlock = superblock.firstDataBlock + number * superblock.blocksPerGroup;
    return {
      number,
      firstBlock,
      blockCount: Math.min(superblock.blocksPerGroup, superblock.blockCount - firstBlock),
      blockBitmapBlock: block(0x00, 0x20),
      inodeBitmapBlock: block(0x04, 0x24),
      inodeTableBlock: block(0x08, 0x28),
      freeClusters: raw.u16(at + 0x0c) + (wide ? raw.u16(at + 0x2c) * 65536 : 0),
      bitmapUninitialised: superblock.checksums !== 'none' && (raw.u16(at + 0x12) & 2) !== 0,
      bitmapChecksum: raw.u16(at + 0x18) + (wide ? raw.u16(at + 0x38) * 65536 : 0),
      sound: this.descriptorIsSound(number, at),
    };
  }

  freeClustersInAll(): number {
    let sum = 0;
    for (let number = 0; number < this.superblock.groupCount; number++) {
      const at = number * this.superblock.descriptorBytes;
      sum += this.raw.u16(at + 0x0c) + (this.superblock.descriptorBytes >= 64 ? this.raw.u16(at + 0x2c) * 65536 : 0);
    }
    return sum;
  }

  private descriptorIsSound(number: number, at: number): boolean {
    const { checksums, descriptorBytes } = this.superblock;
    if (checksums === 'none') return true;
    const before = this.raw.slice(at, 0x1e);
    const after = this.raw.slice(at + 0x20, descriptorBytes - 0x20);
    const stored = this.raw.u16(at + 0x1e);
    if (checksums === 'crc16') {
      return crc16(crc16(crc16(this.checksumStart, littleEndian32(number)), before), after) === stored;
    }
    const head = crc32c(crc32c(this.checksumStart, littleEndian32(number)), before);
    return (crc32c(crc32c(head, new Uint8Array(2)), after) & 0xffff) === stored;
  }
}

/**
 * Reads all group descriptors; those that follow each other in few large reads.
 * @param copyOf the group whose copy of them is read; 0, the first one, with meta_bg
 */
export async function readGroupTable(device: BlockDevice, superblock: Superblock, copyOf = 0): Promise<GroupTable> {
  const { blockBytes } = superblock;
  const bytes = new Uint8Array(Math.ceil((superblock.groupCount * superblock.descriptorBytes) / blockBytes) * blockBytes);
  const blocks = bytes.length / blockBytes;
  let index = 0;
  while (index < blocks) {
    const first = descriptorBlock(superblock, index, copyOf);
    let count = 1;
    while (
      index + count < blocks &&
      count * blockBytes < largestReadBytes &&
      descriptorBlock(superblock, index + count, copyOf) === first + count
    ) {
      count++;
    }
    await device.read(first * blockBytes, bytes.subarray(index * blockBytes, (index + count) * blockBytes));
    index += count;
  }
  return new GroupTable(superblock, bytes);
}

/** Where the superblock of group 0 really is: with 1 KiB blocks and bigalloc, group 0 starts at block 0 but it lies in block 1. */
function superblockBlock(superblock: Superblock, group: number): number {
  const first = superblock.firstDataBlock + group * superblock.blocksPerGroup;
  return first === 0 && superblock.blockBytes === 1024 ? 1 : first;
}

function descriptorsPerBlock(superblock: Superblock): number {
  return superblock.blockBytes / superblock.descriptorBytes;
}

/** The block of the `index`-th block of group descriptors. */
function descriptorBlock(superblock: Superblock, index: number, copyOf: number): number {
  if (!superblock.metaGroups || index < superblock.firstMetaGroup) return superblockBlock(superblock, copyOf) + 1 + index;
  const group = index * descriptorsPerBlock(superblock);
  return superblockBlock(superblock, group) + (hasSuperblock(superblock, group) ? 1 : 0);
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

function hasSuperblock(superblock: Superblock, group: number): boolean {
  if (group === 0) return true;
  if (superblock.backupGroups) return superblock.backupGroups.includes(group);
  if (group === 1 || !superblock.sparseSuper) return true;
  return isPowerOf(3, group) || isPowerOf(5, group) || isPowerOf(7, group);
}

/** The blocks of a group that hold copies of the superblock and of group descriptors, and room reserved for more of them. */
export function superblockAndDescriptorRuns(superblock: Superblock, group: number): BlockRun[] {
  const runs: BlockRun[] = [];
  const first = superblockBlock(superblock, group);
  const withSuper = hasSuperblock(superblock, group);
  if (group === 0 && first !== superblock.firstDataBlock) runs.push({ first: 0, count: 1 });
  if (withSuper) runs.push({ first, count: 1 });
  const perBlock = descriptorsPerBlock(superblock);
  if (!superblock.metaGroups || Math.floor(group / perBlock) < superblock.firstMetaGroup) {
    const descriptorBlocks = Math.ceil(superblock.groupCount / perBlock);
    const count = superblock.metaGroups ? superblock.firstMetaGroup : descriptorBlocks + superblock.reservedGdtBlocks;
    if (withSuper && count > 0) runs.push({ first: first + 1, count });
  } else if ([0, 1, perBlock - 1].includes(group % perBlock)) {
    runs.push({ first: first + (withSuper ? 1 : 0), count: 1 });
  }
  return runs;
}
