/**
 * Folders: small ones in the inode, others in blocks of entries. The hashed index of larger ones lies in a far part of the folder
 * (from 32 GiB on), which a reader that walks all entries leaves alone.
 * Layout: "XFS Algorithms & Data Structures", chapter Directories (version 2 folders; version 3 adds checksums).
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { readMapped } from './content.ts';
import type { Inode } from './inodes.ts';
import { type ContentRun, mapFile } from './mapping.ts';
import { isGenuine, type Volume } from './volume.ts';

const largestReadBytes = 64 << 10;
const indexOffsetBytes = 2 ** 35;
const unusedTag = 0xffff;

/** Block: entries and index together, the only block. Data: entries alone. Second of each: version 5. */
const magics = { block: [0x58443242, 0x58444233], data: [0x58443244, 0x58444433] } as const;

export interface NamedInode {
  readonly nameBytes: Uint8Array;
  readonly inode: number;
}

/** Entries but `.` and `..`, one batch per block. @throws FilesystemError `FS_DAMAGED`. */
export async function* readNames(volume: Volume, directory: Inode): AsyncGenerator<NamedInode[]> {
  if (directory.format === 'local') {
    yield shortNames(volume, directory);
    return;
  }
  const { blockBytes, directoryBlockBytes } = volume.superblock;
  const indexBlock = indexOffsetBytes / blockBytes;
  const runs = (await mapFile(volume, directory)).filter(({ logical }) => logical < indexBlock);
  // Folders share no blocks, and what an inode says of its own count is no bound.
  if (runs.reduce((sum, { count }) => sum + count, 0) > volume.superblock.blockCount) {
    throw new FilesystemError('FS_DAMAGED', `folder ${directory.number} maps more blocks than the volume has`);
  }
  for (const { start, end } of joined(runs)) {
    const endBytes = end * blockBytes;
    if ((start * blockBytes) % directoryBlockBytes !== 0 || endBytes % directoryBlockBytes !== 0) damaged(directory);
    for (let offsetBytes = start * blockBytes; offsetBytes < endBytes; ) {
      const bytes = Buffer.alloc(Math.min(Math.max(largestReadBytes, directoryBlockBytes), endBytes - offsetBytes));
      await readMapped(volume, runs, { offsetBytes, target: bytes });
      for (let at = 0; at < bytes.length; at += directoryBlockBytes) {
        const block = new ByteReader(bytes.subarray(at, at + directoryBlockBytes), `folder ${directory.number}`);
        const volumeBlock = physicalOf(runs, (offsetBytes + at) / blockBytes);
        yield blockNames(volume, directory, { block, volumeBlock });
      }
      offsetBytes += bytes.length;
    }
  }
}

function damaged(directory: Inode): never {
  throw new FilesystemError('FS_DAMAGED', `folder ${directory.number} has a damaged entry`);
}

/** Neighbouring runs of the folder as one stretch, wherever they lie on the disk. Counts blocks. */
function joined(runs: readonly ContentRun[]): { start: number; end: number }[] {
  const stretches: { start: number; end: number }[] = [];
  for (const { logical, count } of runs) {
    const last = stretches.at(-1);
    if (last?.end === logical) last.end = logical + count;
    else stretches.push({ start: logical, end: logical + count });
  }
  return stretches;
}

function physicalOf(runs: readonly ContentRun[], logical: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((runs[middle]?.logical ?? 0) <= logical) low = middle;
    else high = middle - 1;
  }
  const run = runs[low];
  return run ? run.physical + logical - run.logical : 0;
}

function shortNames(volume: Volume, directory: Inode): NamedInode[] {
  const { fork } = directory;
  const count = fork.u8(0);
  // One inode number beyond 32 bits makes all of them wide.
  const inodeBytes = fork.u8(1) > 0 ? 8 : 4;
  const end = Math.min(fork.length, directory.sizeBytes);
  const names: NamedInode[] = [];
  let at = 2 + inodeBytes;
  for (let index = 0; index < count; index++) {
    const nameLength = fork.u8(at);
    const inodeAt = at + 3 + nameLength + (volume.superblock.fileTypes ? 1 : 0);
    if (nameLength === 0 || inodeAt + inodeBytes > end) damaged(directory);
    const inode = inodeBytes === 8 ? fork.u64be(inodeAt) : fork.u32be(inodeAt);
    names.push({ nameBytes: fork.slice(at + 3, nameLength), inode });
    at = inodeAt + inodeBytes;
  }
  return names;
}

function blockNames(volume: Volume, directory: Inode, found: { block: ByteReader; volumeBlock: number }): NamedInode[] {
  const { superblock } = volume;
  const { block, volumeBlock } = found;
  const version = superblock.checksums ? 1 : 0;
  const stamp = { checksum: 4, place: 8, uuid: 24, owner: { offset: 40, bytes: 8 as const, value: directory.number } };
  const magic = block.u32be(0);
  const isBlock = magic === magics.block[version];
  if (!(isBlock || magic === magics.data[version]) || !isGenuine(volume, { bytes: block.bytes, volumeBlock }, stamp)) {
    throw new FilesystemError('FS_DAMAGED', `folder ${directory.number} has a damaged block`);
  }
  const indexBytes = isBlock ? 8 + block.u32be(block.length - 8) * 8 : 0;
  const end = block.length - indexBytes;
  const names: NamedInode[] = [];
  for (let at = superblock.checksums ? 64 : 16; at < end; ) {
    if (block.u16be(at) === unusedTag) {
      const unusedBytes = block.u16be(at + 2);
      if (unusedBytes < 8 || unusedBytes % 8 !== 0) damaged(directory);
      at += unusedBytes;
      continue;
    }
    const nameLength = block.u8(at + 8);
    const entryBytes = Math.ceil((9 + nameLength + (superblock.fileTypes ? 1 : 0) + 2) / 8) * 8;
    if (nameLength === 0 || at + entryBytes > end) damaged(directory);
    const nameBytes = block.slice(at + 9, nameLength);
    if (!isDots(nameBytes)) names.push({ nameBytes, inode: block.u64be(at) });
    at += entryBytes;
  }
  return names;
}

function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
