/**
 * The btrfs superblock: 4096 bytes at 64 KiB, with copies at 64 MiB and 256 GiB where the device reaches that far.
 * Layout: btrfs documentation "On-disk Format", chapter Superblock. Only the first place decides whether these bytes are btrfs at
 * all: a copy at 64 MiB may outlive its filesystem by years.
 */
import { type BlockDevice, DiskError, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { type ChecksumType, checksumMatches, checksumTypes } from './checksums.ts';

export const superblockBytes = 4096;
export const superblockOffsets: readonly number[] = [64 * 2 ** 10, 64 * 2 ** 20, 256 * 2 ** 30];
const magic = '_BHRfS_M';
export const deepestLevel = 7;

/**
 * mixed_backref, default_subvol, mixed_groups, compress_lzo, compress_zstd, big_metadata, extended_iref, raid56, skinny_metadata,
 * no_holes, metadata_uuid, raid1c34, simple_quota. Left out because they move things: zoned, extent_tree_v2, raid_stripe_tree.
 */
const incompatKnown = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x10000;
const incompatMetadataUuid = 0x400;
const compatRoBlockGroupTree = 0x8;
const flagError = 0x4;
/** In the upper half of the flags: metadump, metadump_v2 (images of metadata alone, made by `btrfs-image`). */
const flagsOfDumps = 0x6;

/** A checked superblock of one device. Addresses named `logical` mean nothing without the chunk map. */
export interface Superblock {
  readonly label: string;
  readonly uuid: string;
  /** What every tree node carries: the filesystem's uuid, unless it was changed afterwards (metadata_uuid). */
  readonly nodeUuid: Buffer;
  readonly generation: number;
  readonly sectorBytes: number;
  readonly nodeBytes: number;
  readonly checksumType: ChecksumType;
  readonly rootTree: { readonly logical: number; readonly level: number };
  readonly chunkTree: { readonly logical: number; readonly level: number; readonly generation: number };
  /** What was synced since the last commit; null when there is nothing to replay. */
  readonly logTree: { readonly logical: number; readonly level: number } | null;
  readonly deviceId: number;
  readonly deviceBytes: number;
  readonly deviceCount: number;
  /** Of all devices together, copies counted once. */
  readonly usedBytes: number;
  /** Of this device: given to chunks, whether full or not. */
  readonly allocatedBytes: number;
  readonly blockGroupTree: boolean;
  readonly systemChunks: Buffer;
  readonly clean: boolean;
  /** False when the first copy was damaged or older than another. */
  readonly fromFirstCopy: boolean;
}

/** True when the volume starts like btrfs. */
export async function looksLikeBtrfs(device: BlockDevice): Promise<boolean> {
  const [first = 0] = superblockOffsets;
  if (device.sizeBytes < first + superblockBytes) return false;
  return (await readBytes(device, first + 0x40, 8)).toString('latin1') === magic;
}

/** The newest copy that passes its checksum. @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED`. */
export async function readSuperblock(device: BlockDevice): Promise<Superblock> {
  if (!(await looksLikeBtrfs(device))) throw new FilesystemError('FS_DAMAGED', 'this volume has no btrfs superblock');
  const copies: { raw: ByteReader; index: number }[] = [];
  let failure: unknown = null;
  for (const [index, offset] of superblockOffsets.entries()) {
    if (offset + superblockBytes > device.sizeBytes) continue;
    try {
      const raw = new ByteReader(await readBytes(device, offset, superblockBytes), 'the superblock');
      if (isSound(raw, offset)) copies.push({ raw, index });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failure ??= error;
    }
  }
  const [first] = copies;
  if (!first) throw failure ?? new FilesystemError('FS_DAMAGED', 'no copy of the superblock passes its checksum');
  // A copy of another filesystem that was here before is no copy.
  const same = copies.filter(({ raw }) => raw.slice(0x20, 16).equals(first.raw.slice(0x20, 16)));
  const newest = same.reduce((best, copy) => (copy.raw.u64(0x48) > best.raw.u64(0x48) ? copy : best), first);
  const superblock = { ...parse(newest.raw), fromFirstCopy: newest.index === 0 };
  if (superblock.deviceBytes > device.sizeBytes) {
    throw new FilesystemError(
      'FS_DAMAGED',
      `the filesystem has ${superblock.deviceBytes} bytes here, but the volume only ${device.sizeBytes}`,
    );
  }
  return superblock;
}

function isSound(raw: ByteReader, offset: number): boolean {
  if (raw.slice(0x40, 8).toString('latin1') !== magic || raw.u64big(0x30) !== BigInt(offset)) return false;
  const type = checksumTypes[raw.u16(0xc4)];
  // A checksum of the future is reported as such, not as damage.
  return type === undefined || checksumMatches(type, raw.bytes);
}

function insist(condition: boolean, what: string): void {
  if (!condition) throw new FilesystemError('FS_DAMAGED', `the superblock is damaged: ${what}`);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function parse(raw: ByteReader): Omit<Superblock, 'fromFirstCopy'> {
  const checksumType = insistOnKnown(raw);
  const sectorBytes = raw.u32(0x90);
  const nodeBytes = raw.u32(0x94);
  insist(isPowerOfTwo(sectorBytes) && sectorBytes >= 512 && sectorBytes <= 65536, 'sector size');
  insist(isPowerOfTwo(nodeBytes) && nodeBytes >= Math.max(sectorBytes, 4096) && nodeBytes <= 65536, 'node size');
  const deviceBytes = raw.u64(0xd1);
  insist(deviceBytes > superblockOffsets.length && deviceBytes % sectorBytes === 0, 'device size');
  const chunkBytes = raw.u32(0xa0);
  insist(chunkBytes <= 2048, 'system chunk array');
  const rawLabel = raw.slice(0x12b, 256);
  const end = rawLabel.indexOf(0);
  const ownNodeUuid = (raw.u32(0xbc) & incompatMetadataUuid) !== 0;
  const logRoot = raw.u64(0x60);
  return {
    label: rawLabel.subarray(0, end < 0 ? 256 : end).toString('utf8'),
    uuid: raw
      .slice(0x20, 16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    nodeUuid: raw.slice(ownNodeUuid ? 0x23b : 0x20, 16),
    generation: raw.u64(0x48),
    sectorBytes,
    nodeBytes,
    checksumType,
    rootTree: { logical: raw.u64(0x50), level: levelOf(raw, 0xc6) },
    chunkTree: { logical: raw.u64(0x58), level: levelOf(raw, 0xc7), generation: raw.u64(0xa4) },
    logTree: logRoot === 0 ? null : { logical: logRoot, level: levelOf(raw, 0xc8) },
    deviceId: raw.u64(0xc9),
    deviceBytes,
    deviceCount: raw.u64(0x88),
    usedBytes: raw.u64(0x78),
    allocatedBytes: raw.u64(0xd9),
    blockGroupTree: (raw.u32(0xb4) & compatRoBlockGroupTree) !== 0,
    systemChunks: raw.slice(0x32b, chunkBytes),
    clean: logRoot === 0 && (raw.u32(0x38) & flagError) === 0,
  };
}

function levelOf(raw: ByteReader, offset: number): number {
  const level = raw.u8(offset);
  insist(level <= deepestLevel, 'tree height');
  return level;
}

/** @throws FilesystemError `FS_UNSUPPORTED` for what cannot be read right. */
function insistOnKnown(raw: ByteReader): ChecksumType {
  const unknown = raw.u64big(0xbc) & ~BigInt(incompatKnown);
  if (unknown !== 0n) {
    throw new FilesystemError(
      'FS_UNSUPPORTED',
      `this btrfs volume uses features 0x${unknown.toString(16)} that are not known here`,
    );
  }
  if ((raw.u32(0x3c) & flagsOfDumps) !== 0) {
    throw new FilesystemError('FS_UNSUPPORTED', 'this is a dump of the metadata of a btrfs volume, not a volume');
  }
  const type = checksumTypes[raw.u16(0xc4)];
  if (type === undefined)
    throw new FilesystemError('FS_UNSUPPORTED', `this btrfs volume uses checksums of type ${raw.u16(0xc4)}`);
  return type;
}
