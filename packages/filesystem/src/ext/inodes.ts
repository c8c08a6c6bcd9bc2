/** Inodes: what a file is and how long, and the 60 bytes that say where its content lies. Layout: ext4 documentation, Index Nodes. */
import { DiskError } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { EntryType } from '../filesystem.ts';
import { insistOnBlocks, type Volume } from './volume.ts';

export const rootInode = 2;

const flag = { compressed: 0x4, encrypted: 0x800, extents: 0x80000, inlineData: 0x10000000 };
/** Inodes are read this much at a time: those of one folder mostly lie side by side. */
const chunkBytes = 32 << 10;
const chunksKept = 128;

export interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** How many names it has. */
  readonly linkCount: number;
  /** How many bytes of the inode are fields: 128, or more where it is larger and says so. */
  readonly fixedBytes: number;
  /** The bytes of the inode, for its block map, extents or inline data. */
  readonly raw: ByteReader;
  /** Blocks of content and extended attributes, in units nobody needs: only zero or not matters. */
  readonly hasBlocks: boolean;
  readonly encrypted: boolean;
  readonly compressed: boolean;
  readonly usesExtents: boolean;
  readonly inlineData: boolean;
}

/** @throws FilesystemError `FS_NOT_FOUND` when there is no such inode or it is free, `FS_DAMAGED`. */
export async function readInode(volume: Volume, number: number): Promise<Inode> {
  return parseInode(volume, number, await readInodeBytes(volume, number));
}

async function readInodeBytes(volume: Volume, number: number): Promise<ByteReader> {
  const place = placeOf(volume, number);
  const bytes = new Uint8Array(volume.superblock.inodeBytes);
  await volume.device.read(place.tableBytes + place.offsetBytes, bytes);
  return new ByteReader(bytes, `inode ${number}`);
}

function placeOf(volume: Volume, number: number): { tableBytes: number; offsetBytes: number; tableLengthBytes: number } {
  const { inodeCount, inodesPerGroup, inodeBytes, blockBytes } = volume.superblock;
  if (!Number.isInteger(number) || number < 1 || number > inodeCount) {
    throw new FilesystemError('FS_NOT_FOUND', `there is no inode ${number}`);
  }
  const group = volume.groups.group(Math.floor((number - 1) / inodesPerGroup));
  const tableLengthBytes = inodesPerGroup * inodeBytes;
  insistOnBlocks(volume, group.inodeTableBlock, Math.ceil(tableLengthBytes / blockBytes), 'a group descriptor');
  const offsetBytes = ((number - 1) % inodesPerGroup) * inodeBytes;
  return { tableBytes: group.inodeTableBlock * blockBytes, offsetBytes, tableLengthBytes };
}

/** Reads inodes in pieces of the table and keeps the last few pieces: listing a folder asks for its neighbours next. */
export class InodeCache {
  private readonly volume: Volume;
  private readonly chunks = new Map<number, Uint8Array>();
  private readonly loading = new Map<number, Promise<Uint8Array>>();
  /** Where the inode table of a group begins: a descriptor is checked once, not for each inode. */
  private readonly tables = new Map<number, number>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** As `readInode`. */
  async read(number: number): Promise<Inode> {
    const place = this.chunkOf(number);
    const chunk = this.chunks.get(place.chunk) ?? (await this.load(place).catch(nullIfUnreadable));
    if (chunk !== null) return this.parse(number, place, chunk);
    // One bad sector must not cost all inodes near it.
    const alone = new Uint8Array(this.volume.superblock.inodeBytes);
    await this.volume.device.read(place.chunk + place.at, alone);
    return this.parse(number, { ...place, at: 0 }, alone);
  }

  /** As `read` where no device has to be asked; else null. */
  peek(number: number): Inode | null {
    const place = this.chunkOf(number);
    const bytes = this.chunks.get(place.chunk);
    return bytes ? this.parse(number, place, bytes) : null;
  }

  private parse(number: number, { at }: ChunkPlace, bytes: Uint8Array): Inode {
    const raw = bytes.subarray(at, at + this.volume.superblock.inodeBytes);
    return parseInode(this.volume, number, new ByteReader(raw, 'an inode'));
  }

  private chunkOf(number: number): ChunkPlace {
    const { inodesPerGroup, inodeBytes } = this.volume.superblock;
    const group = Math.floor((number - 1) / inodesPerGroup);
    const index = (number - 1) % inodesPerGroup;
    let table = this.tables.get(group);
    if (table === undefined) {
      table = placeOf(this.volume, number).tableBytes;
      this.tables.set(group, table);
    } else if (!(number <= this.volume.superblock.inodeCount)) {
      throw new FilesystemError('FS_NOT_FOUND', `there is no inode ${number}`);
    }
    const piece = Math.max(chunkBytes, inodeBytes);
    const start = Math.floor((index * inodeBytes) / piece) * piece;
    const lengthBytes = Math.min(piece, inodesPerGroup * inodeBytes - start);
    return { chunk: table + start, lengthBytes, at: index * inodeBytes - start };
  }

  private load({ chunk, lengthBytes }: ChunkPlace): Promise<Uint8Array> {
    const underWay = this.loading.get(chunk);
    if (underWay) return underWay;
    const bytes = new Uint8Array(lengthBytes);
    const reading = this.volume.device.read(chunk, bytes).then(() => {
      this.chunks.set(chunk, bytes);
      const oldest = this.chunks.keys().next();
      if (this.chunks.size > chunksKept && !oldest.done) this.chunks.delete(oldest.value);
      return bytes;
    });
    this.loading.set(chunk, reading);
    const ended = () => this.loading.delete(chunk);
    reading.then(ended, ended);
    return reading;
  }
}

function nullIfUnreadable(error: unknown): null {
  if (error instanceof DiskError) return null;
  throw error;
}

/** `chunk` = where the piece of the table begins on the volume, `at` = where the inode begins in the piece. */
interface ChunkPlace {
  readonly chunk: number;
  readonly lengthBytes: number;
  readonly at: number;
}

function parseInode(volume: Volume, number: number, raw: ByteReader): Inode {
  const mode = raw.u16(0);
  if (mode === 0) throw new FilesystemError('FS_NOT_FOUND', `inode ${number} is free`);
  const type = typeOf(mode);
  const flags = raw.u32(0x20);
  const sizeBytes = raw.u32(4) + (type === 'file' || type === 'directory' ? raw.u32(0x6c) * 2 ** 32 : 0);
  if (!Number.isSafeInteger(sizeBytes)) throw new FilesystemError('FS_DAMAGED', `inode ${number} claims an impossible size`);
  const attributeSectors = raw.u32(0x68) === 0 ? 0 : (volume.superblock.blockBytes * volume.superblock.clusterBlocks) / 512;
  return {
    number,
    mode,
    type,
    sizeBytes,
    modifiedAtMs: modifiedAtMs(raw),
    linkCount: raw.u16(0x1a),
    fixedBytes: raw.length <= 128 ? 128 : Math.min(128 + raw.u16(0x80), raw.length),
    raw,
    hasBlocks: raw.u32(0x1c) > attributeSectors,
    encrypted: (flags & flag.encrypted) !== 0,
    compressed: (flags & flag.compressed) !== 0,
    usesExtents: (flags & flag.extents) !== 0,
    inlineData: (flags & flag.inlineData) !== 0,
  };
}

function typeOf(mode: number): EntryType {
  switch (mode & 0xf000) {
    case 0x8000:
      return 'file';
    case 0x4000:
      return 'directory';
    case 0xa000:
      return 'symlink';
    default:
      return 'other';
  }
}

/** Inodes of more than 128 bytes say how much of the rest they use; there lie nanoseconds and two more bits of the seconds. */
function modifiedAtMs(raw: ByteReader): number {
  const seconds = raw.i32(0x10);
  if (raw.length <= 128 || raw.u16(0x80) < 12) return seconds * 1000;
  const extra = raw.u32(0x88);
  return (seconds + (extra & 3) * 2 ** 32) * 1000 + Math.floor((extra >>> 2) / 1_000_000);
}
