/**
 * The ext superblock: 1024 bytes at byte 1024.
 * Layout: kernel.org documentation "ext4 Data Structures and Algorithms", chapter Super Block.
 */
import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { crc32c } from './checksums.ts';

const superblockOffsetBytes = 1024;
const magic = 0xef53;

const compat = { hasJournal: 0x4, sparseSuper2: 0x200, fastCommit: 0x400 };
const incompat = {
  fileType: 0x2,
  needsRecovery: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  bits64: 0x80,
  checksumSeed: 0x2000,
};
/** filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, inline_data, encrypt, casefold. */
const incompatKnown = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000;
const roCompat = { sparseSuper: 0x1, gdtChecksums: 0x10, bigalloc: 0x200, metadataChecksums: 0x400 };
/** What ext3 may have; anything more makes it ext4 (the rule blkid follows). */
const ext3Incompat = 0x2 | 0x4 | 0x10;
const ext3RoCompat = 0x1 | 0x2 | 0x4;

/** A checked superblock. Counts of blocks and clusters, never bytes, unless the name says so. */
export interface Superblock {
  readonly kind: 'ext2' | 'ext3' | 'ext4';
  readonly label: string;
  readonly uuid: string;
  readonly uuidBytes: Uint8Array;
  readonly blockBytes: number;
  /** Blocks per cluster: one bit of a block bitmap stands for this many blocks. 1 without bigalloc. */
  readonly clusterBlocks: number;
  readonly blockCount: number;
  /** First block of group 0: 1 with 1 KiB blocks (block 0 is then the boot block alone), else 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  readonly reservedGdtBlocks: number;
  readonly firstMetaGroup: number;
  /** The only groups with a copy of the superblock, besides group 0; null when the usual rules hold. */
  readonly backupGroups: readonly number[] | null;
  /** The group this copy of the superblock was written for. */
  readonly ownGroup: number;
  readonly sparseSuper: boolean;
  readonly metaGroups: boolean;
  readonly fileTypes: boolean;
  readonly checksums: 'crc32c' | 'crc16' | 'none';
  readonly checksumSeed: number;
  /** False when the superblock fails its own checksum: then nothing it says is to be trusted for a map. */
  readonly sound: boolean;
  readonly needsRecovery: boolean;
  readonly fastCommit: boolean;
  /** 0 when the journal is elsewhere or absent. */
  readonly journalInode: number;
  readonly clean: boolean;
}

/** True when the bytes look like an ext volume (not an external journal). */
export async function looksLikeExt(device: BlockDevice): Promise<boolean> {
  return isSuperblock(device, superblockOffsetBytes);
}

async function isSuperblock(device: BlockDevice, offsetBytes: number): Promise<boolean> {
  if (device.sizeBytes < offsetBytes + 1024) return false;
  const raw = new ByteReader(await readBytes(device, offsetBytes, 1024), 'the superblock');
  return raw.u16(0x38) === magic && raw.u32(0x18) <= 6 && (raw.u32(0x60) & incompat.journalDevice) === 0;
}

/**
 * @param offsetBytes where it lies; the first one when absent
 * @throws FilesystemError `FS_DAMAGED` when the geometry makes no sense, `FS_UNSUPPORTED` for features of the future.
 */
export async function readSuperblock(device: BlockDevice, offsetBytes = superblockOffsetBytes): Promise<Superblock> {
  if (!(await isSuperblock(device, offsetBytes))) throw new FilesystemError('FS_DAMAGED', 'this volume has no ext superblock');
  const raw = new ByteReader(await readBytes(device, offsetBytes, 1024), 'the superblock');
  const unknown = raw.u32(0x60) & ~incompatKnown;
  if (unknown !== 0) {
    throw new FilesystemError(
      'FS_UNSUPPORTED',
      `this ext volume uses features 0x${(unknown >>> 0).toString(16)} that are not known here`,
    );
  }
  const superblock = { ...identity(raw), ...geometry(raw), ...integrity(raw) };
  const totalBytes = superblock.blockCount * superblock.blockBytes;
  if (totalBytes > device.sizeBytes) {
    throw new FilesystemError('FS_DAMAGED', `the filesystem has ${totalBytes} bytes, but the volume only ${device.sizeBytes}`);
  }
  return superblock;
}

function identity(raw: ByteReader) {
  const hasJournal = (raw.u32(0x5c) & compat.hasJournal) !== 0;
  const beyondExt3 = (raw.u32(0x60) & ~ext3Incompat) !== 0 || (raw.u32(0x64) & ~ext3RoCompat) !== 0;
  const kind: Superblock['kind'] = beyondExt3 ? 'ext4' : hasJournal ? 'ext3' : 'ext2';
  const uuidBytes = raw.slice(0x68, 16);
  const hex = uuidBytes.toString('hex');
  const uuid = /^0+$/.test(hex) ? '' : hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const rawLabel = raw.slice(0x78, 16);
  const end = rawLabel.indexOf(0);
  return { kind, label: rawLabel.subarray(0, end < 0 ? 16 : end).toString('utf8'), uuid, uuidBytes };
}

function insist(condition: boolean, what: string): void {
  if (!condition) throw new FilesystemError('FS_DAMAGED', `the superblock is damaged: ${what}`);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function geometry(raw: ByteReader) {
  const wide = (raw.u32(0x60) & incompat.bits64) !== 0;
  const logBlock = raw.u32(0x18);
  insist(logBlock <= 6, 'block size');
  const blockBytes = 1024 << logBlock;
  const bigalloc = (raw.u32(0x64) & roCompat.bigalloc) !== 0;
  const logCluster = raw.u32(0x1c);
  insist(!bigalloc || (logCluster >= logBlock && logCluster <= 20), 'cluster size');
  const clusterBlocks = bigalloc ? 2 ** (logCluster - logBlock) : 1;
  const blockCount = raw.u32(0x04) + (wide ? raw.u32(0x150) * 2 ** 32 : 0);
  const firstDataBlock = raw.u32(0x14);
  insist(firstDataBlock === 0 || (firstDataBlock === 1 && blockBytes === 1024), 'first block');
  insist(blockCount > firstDataBlock && Number.isSafeInteger(blockCount * blockBytes), 'block count');
  const blocksPerGroup = raw.u32(0x20);
  const bitsPerGroup = blocksPerGroup / clusterBlocks;
  insist(Number.isInteger(bitsPerGroup / 8) && bitsPerGroup > 0 && bitsPerGroup <= 8 * blockBytes, 'blocks per group');
  const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const inodesPerGroup = raw.u32(0x28);
  insist(inodesPerGroup > 0 && inodesPerGroup <= 8 * blockBytes, 'inodes per group');
  const inodeBytes = raw.u32(0x4c) === 0 ? 128 : raw.u16(0x58);
  insist(isPowerOfTwo(inodeBytes) && inodeBytes >= 128 && inodeBytes <= blockBytes, 'inode size');
  const descriptorBytes = wide ? raw.u16(0xfe) : 32;
  insist(isPowerOfTwo(descriptorBytes) && descriptorBytes >= (wide ? 64 : 32) && descriptorBytes <= 1024, 'descriptor size');
  const descriptorBlocks = Math.ceil((groupCount * descriptorBytes) / blockBytes);
  insist(descriptorBlocks < blockCount && groupCount * descriptorBytes <= 64 << 20, 'too many groups');
  const tableBlocks = Math.ceil((inodesPerGroup * inodeBytes) / blockBytes);
  insist(groupCount * tableBlocks < blockCount, 'more inode tables than blocks');
  const sparseSuper2 = (raw.u32(0x5c) & compat.sparseSuper2) !== 0;
  return {
    blockBytes,
    clusterBlocks,
    blockCount,
    firstDataBlock,
    blocksPerGroup,
    groupCount,
    inodesPerGroup,
    inodeCount: Math.min(raw.u32(0x00), groupCount * inodesPerGroup),
    inodeBytes,
    descriptorBytes,
    reservedGdtBlocks: raw.u16(0xce),
    firstMetaGroup: raw.u32(0x104),
    metaGroups: (raw.u32(0x60) & incompat.metaGroups) !== 0,
    sparseSuper: (raw.u32(0x64) & roCompat.sparseSuper) !== 0,
    ownGroup: raw.u16(0x5a),
    backupGroups: sparseSuper2 ? [raw.u32(0x24c), raw.u32(0x250)] : null,
    fileTypes: (raw.u32(0x60) & incompat.fileType) !== 0,
  };
}

function integrity(raw: ByteReader) {
  const crc32cOn = (raw.u32(0x64) & roCompat.metadataChecksums) !== 0;
  const crc16On = (raw.u32(0x64) & roCompat.gdtChecksums) !== 0;
  const checksums: Superblock['checksums'] = crc32cOn ? 'crc32c' : crc16On ? 'crc16' : 'none';
  const seedStored = (raw.u32(0x60) & incompat.checksumSeed) !== 0;
  const needsRecovery = (raw.u32(0x60) & incompat.needsRecovery) !== 0;
  const state = raw.u16(0x3a);
  return {
    checksums,
    checksumSeed: seedStored ? raw.u32(0x270) : crc32c(0xffffffff, raw.slice(0x68, 16)),
    sound: !crc32cOn || crc32c(0xffffffff, raw.slice(0, 0x3fc)) === raw.u32(0x3fc),
    needsRecovery,
    fastCommit: (raw.u32(0x5c) & compat.fastCommit) !== 0,
    journalInode: raw.u32(0xe0),
    // Bit 0: unmounted cleanly; bit 1: errors were seen.
    clean: (state & 3) === 1 && !needsRecovery,
  };
}
