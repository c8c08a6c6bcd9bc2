/**
 * The XFS superblock: the first sector of the volume, big-endian as all of XFS but its checksums and its log items.
 * Layout: "XFS Algorithms & Data Structures", chapter Superblocks; feature bits as in the kernel's xfs_format.h.
 */
import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { isSealed } from './seal.ts';

const magic = 0x58465342;
const headBytes = 512;
const noInode = 2n ** 64n - 1n;
const smallestGroupBytes = 16 << 20;

const versionBit = { moreBits: 0x8000 };
const feature2 = { lazyCount: 0x2, fileTypes: 0x200 };
const incompat = { fileTypes: 0x1, metaUuid: 0x4, bigTime: 0x8, needsRepair: 0x10, wideCounts: 0x20 };
/** ftype, spinodes, meta_uuid, bigtime, needsrepair, nrext64, exchrange, parent. What follows them moves data to places unknown here. */
const incompatKnown = 0xff;

/** A checked superblock. Counts of filesystem blocks, never bytes, unless the name says so. */
export interface Superblock {
  readonly label: string;
  readonly uuid: string;
  /** What metadata is stamped with: differs from `uuid` once that has been changed. */
  readonly metaUuidBytes: Buffer;
  /** Version 5: every piece of metadata carries a checksum, its place, its owner and the volume's uuid. */
  readonly checksums: boolean;
  readonly blockBytes: number;
  readonly sectorBytes: number;
  readonly blockCount: number;
  readonly groupBlocks: number;
  readonly groupCount: number;
  /** Bits of a block number that say where in its group it lies. */
  readonly groupBlocksLog: number;
  readonly inodeBytes: number;
  readonly inodesPerBlockLog: number;
  readonly directoryBlockBytes: number;
  /** 0 in the copies that do not know it. */
  readonly rootInode: number;
  readonly freeBlocks: number;
  /** Free blocks are summed up at unmount, and blocks of the free space trees count as free. */
  readonly lazyCount: boolean;
  readonly fileTypes: boolean;
  readonly wideCounts: boolean;
  /** First block of the log; 0 when it lies on another device. */
  readonly logStart: number;
  readonly logBlocks: number;
  readonly needsRepair: boolean;
  /** False when the superblock fails its own checksum: then nothing it says is to be trusted for a map. */
  readonly sound: boolean;
}

/** True when the bytes look like an XFS volume. */
export async function looksLikeXfs(device: BlockDevice): Promise<boolean> {
  return isSuperblock(device, 0);
}

async function isSuperblock(device: BlockDevice, offsetBytes: number): Promise<boolean> {
  if (device.sizeBytes < offsetBytes + headBytes) return false;
  const raw = new ByteReader(await readBytes(device, offsetBytes, headBytes), 'the superblock');
  const version = raw.u16be(100) & 0xf;
  return raw.u32be(0) === magic && (version === 4 || version === 5) && isPowerOfTwo(raw.u32be(4));
}

/**
 * @param offsetBytes where it lies: 0, or the start of another allocation group, which keeps a copy
 * @throws FilesystemError `FS_DAMAGED` when the geometry makes no sense, `FS_UNSUPPORTED` for features of the future.
 */
export async function readSuperblock(device: BlockDevice, offsetBytes = 0): Promise<Superblock> {
  if (!(await isSuperblock(device, offsetBytes))) throw new FilesystemError('FS_DAMAGED', 'this volume has no XFS superblock');
  const head = new ByteReader(await readBytes(device, offsetBytes, headBytes), 'the superblock');
  const sectorBytes = head.u16be(102);
  insist(isBetween(sectorBytes, 512, 32768) && device.sizeBytes >= offsetBytes + sectorBytes, 'an impossible sector size');
  const raw =
    sectorBytes === headBytes ? head : new ByteReader(await readBytes(device, offsetBytes, sectorBytes), 'the superblock');
  // Copies keep the mark for good.
  insist(offsetBytes > 0 || raw.u8(126) === 0, 'it is marked as still being made');
  const shape = features(raw);
  const superblock = { ...identity(raw), ...shape, ...geometry(raw, sectorBytes) };
  const totalBytes = superblock.blockCount * superblock.blockBytes;
  if (totalBytes > device.sizeBytes) {
    throw new FilesystemError('FS_DAMAGED', `the filesystem has ${totalBytes} bytes, but the volume only ${device.sizeBytes}`);
  }
  return superblock;
}

function insist(condition: boolean, what: string): void {
  if (!condition) throw new FilesystemError('FS_DAMAGED', `the superblock is damaged: ${what}`);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function isBetween(value: number, least: number, most: number): boolean {
  return isPowerOfTwo(value) && value >= least && value <= most;
}

function identity(raw: ByteReader) {
  const hex = raw.slice(32, 16).toString('hex');
  const uuid = /^0+$/.test(hex) ? '' : hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const rawLabel = raw.slice(108, 12);
  const end = rawLabel.indexOf(0);
  return { label: rawLabel.subarray(0, end < 0 ? 12 : end).toString('utf8'), uuid };
}

function features(raw: ByteReader) {
  const version = raw.u16be(100);
  if ((version & 0xf) === 5) {
    const bits = raw.u32be(216);
    const unknown = (bits & ~incompatKnown) >>> 0;
    if (unknown !== 0) {
      throw new FilesystemError(
        'FS_UNSUPPORTED',
        `this XFS volume uses features 0x${unknown.toString(16)} that are not known here`,
      );
    }
    return {
      checksums: true,
      sound: isSealed(raw.bytes, 224),
      metaUuidBytes: raw.slice((bits & incompat.metaUuid) !== 0 ? 248 : 32, 16),
      lazyCount: true,
      fileTypes: (bits & incompat.fileTypes) !== 0,
      wideCounts: (bits & incompat.wideCounts) !== 0,
      needsRepair: (bits & incompat.needsRepair) !== 0,
    };
  }
  const bits = (version & versionBit.moreBits) !== 0 ? raw.u32be(200) : 0;
  return {
    checksums: false,
    sound: true,
    metaUuidBytes: raw.slice(32, 16),
    lazyCount: (bits & feature2.lazyCount) !== 0,
    fileTypes: (bits & feature2.fileTypes) !== 0,
    wideCounts: false,
    needsRepair: false,
  };
}

function geometry(raw: ByteReader, sectorBytes: number) {
  const blockBytes = raw.u32be(4);
  const inodeBytes = raw.u16be(104);
  insist(isBetween(blockBytes, 512, 65536) && 2 ** raw.u8(120) === blockBytes, 'an impossible block size');
  insist(sectorBytes <= blockBytes, 'sectors larger than blocks');
  insist(isBetween(inodeBytes, 256, 2048) && inodeBytes <= blockBytes, 'an impossible inode size');
  const inodesPerBlockLog = Math.log2(blockBytes / inodeBytes);
  insist(
    raw.u16be(106) === blockBytes / inodeBytes && raw.u8(123) === inodesPerBlockLog,
    'an impossible count of inodes per block',
  );
  const blockCount = raw.u64be(8);
  const groupBlocks = raw.u32be(84);
  const groupCount = raw.u32be(88);
  const groupBlocksLog = raw.u8(124);
  insist(groupBlocks * blockBytes >= smallestGroupBytes, 'allocation groups are too small');
  insist(groupCount > 0 && groupCount === Math.ceil(blockCount / groupBlocks), 'the allocation groups do not add up');
  insist(groupBlocksLog === Math.ceil(Math.log2(groupBlocks)), 'an impossible size of allocation groups');
  const directoryBlockBytes = blockBytes * 2 ** raw.u8(192);
  insist(directoryBlockBytes <= 65536, 'an impossible size of folder blocks');
  return {
    blockBytes,
    sectorBytes,
    blockCount,
    groupBlocks,
    groupCount,
    groupBlocksLog,
    inodeBytes,
    inodesPerBlockLog,
    directoryBlockBytes,
    rootInode: raw.u64bigbe(56) === noInode ? 0 : raw.u64be(56),
    freeBlocks: raw.u64be(144),
    logStart: raw.u64be(48),
    logBlocks: raw.u32be(96),
  };
}
