/**
 * Inodes: what a file is and how long, and the fork that says where its content lies. An inode's number is its place.
 * Layout: "XFS Algorithms & Data Structures", chapter On-disk Inode; wide counters and big timestamps as in xfs_format.h.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { EntryType } from '../filesystem.ts';
import { isSealed } from './seal.ts';
import { toVolumeBlock, type Volume } from './volume.ts';

const magic = 0x494e;
const flag = { realtime: 0x1 };
const flag2 = { bigTime: 0x8n, wideCounts: 0x10n };
/** Big timestamps count nanoseconds from the earliest second 32 bits can say. */
const bigTimeEpochMs = -(2 ** 31) * 1000;
/** Inodes are read this much at a time: those of one folder mostly lie side by side. */
const chunkBytes = 32 << 10;
const chunksKept = 128;

export type ForkFormat = 'local' | 'extents' | 'btree' | 'other';

export interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly format: ForkFormat;
  /** How many extents the data fork says it has. */
  readonly extentCount: number;
  /** All blocks the inode owns: content, attributes and their trees. */
  readonly blockCount: number;
  /** The data fork: content itself, extents, or the root of a tree of them. */
  readonly fork: ByteReader;
  /** Content lies on the realtime device. */
  readonly realtime: boolean;
  /** The whole inode as it lies on the volume. */
  readonly raw: ByteReader;
}

const formats: Readonly<Record<number, ForkFormat>> = { 1: 'local', 2: 'extents', 3: 'btree' };

/** Reads inodes in pieces and keeps the last few: listing a folder asks for its neighbours next. */
export class InodeCache {
  private readonly volume: Volume;
  private readonly chunks = new Map<number, Promise<Uint8Array>>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** @throws FilesystemError `FS_NOT_FOUND` when there is no such inode or it is free, `FS_DAMAGED`. */
  async read(number: number): Promise<Inode> {
    const { inodeBytes, blockCount, blockBytes } = this.volume.superblock;
    const place = placeOf(this.volume, number);
    const start = Math.floor(place / chunkBytes) * chunkBytes;
    const bytes = await this.chunk(start, Math.min(chunkBytes, blockCount * blockBytes - start));
    const raw = new ByteReader(bytes.subarray(place - start, place - start + inodeBytes), `inode ${number}`);
    return parseInode(this.volume, number, raw);
  }

  private chunk(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const kept = this.chunks.get(offsetBytes);
    if (kept) {
      this.chunks.delete(offsetBytes);
      this.chunks.set(offsetBytes, kept);
      return kept;
    }
    const bytes = new Uint8Array(lengthBytes);
    const reading = this.volume.device.read(offsetBytes, bytes).then(() => bytes);
    this.chunks.set(offsetBytes, reading);
    reading.catch(() => this.chunks.delete(offsetBytes));
    const oldest = this.chunks.keys().next();
    if (this.chunks.size > chunksKept && !oldest.done) this.chunks.delete(oldest.value);
    return reading;
  }
}

/** Offset in the volume. */
function placeOf(volume: Volume, number: number): number {
  const { superblock } = volume;
  const perBlock = 2 ** superblock.inodesPerBlockLog;
  const notThere = new FilesystemError('FS_NOT_FOUND', `there is no inode ${number}`);
  if (!Number.isSafeInteger(number) || number < 1) throw notThere;
  const group = Math.floor(number / perBlock / 2 ** superblock.groupBlocksLog);
  if (group >= superblock.groupCount) throw notThere;
  const block = toVolumeBlock(superblock, Math.floor(number / perBlock), { count: 1, what: `inode ${number}` });
  return block * superblock.blockBytes + (number % perBlock) * superblock.inodeBytes;
}

function parseInode(volume: Volume, number: number, raw: ByteReader): Inode {
  const { superblock } = volume;
  const damaged = (what: string) => new FilesystemError('FS_DAMAGED', `inode ${number} ${what}`);
  const version = raw.u8(4);
  if (raw.u16be(0) !== magic || (superblock.checksums ? version !== 3 : version !== 1 && version !== 2)) {
    throw damaged('is not where its number says');
  }
  if (superblock.checksums) {
    if (!isSealed(raw.bytes, 100)) throw damaged('fails its checksum');
    const foreign = !raw.slice(160, 16).equals(superblock.metaUuidBytes);
    if (foreign || raw.u64bigbe(152) !== BigInt(number)) throw damaged('belongs elsewhere');
  }
  const mode = raw.u16be(2);
  if (mode === 0) throw new FilesystemError('FS_NOT_FOUND', `inode ${number} is free`);
  const flags2 = version === 3 ? raw.u64bigbe(120) : 0n;
  const coreBytes = version === 3 ? 176 : 100;
  const roomBytes = raw.length - coreBytes;
  const forkBytes = raw.u8(82) === 0 ? roomBytes : raw.u8(82) * 8;
  if (forkBytes > roomBytes) throw damaged('has a fork beyond its end');
  return {
    number,
    mode,
    type: typeOf(mode),
    sizeBytes: raw.u64be(56),
    modifiedAtMs: modifiedAtMs(raw, (flags2 & flag2.bigTime) !== 0n),
    format: formats[raw.u8(5)] ?? 'other',
    extentCount: (flags2 & flag2.wideCounts) !== 0n ? raw.u64be(24) : raw.u32be(76),
    blockCount: raw.u64be(64),
    fork: new ByteReader(raw.slice(coreBytes, forkBytes), `inode ${number}`),
    realtime: (raw.u16be(90) & flag.realtime) !== 0,
    raw,
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

function modifiedAtMs(raw: ByteReader, bigTime: boolean): number {
  if (bigTime) return Number(raw.u64bigbe(40) / 1_000_000n) + bigTimeEpochMs;
  return raw.i32be(40) * 1000 + Math.floor(raw.u32be(44) / 1_000_000);
}
