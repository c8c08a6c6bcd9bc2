/** What the table of recognised kinds is made of. */
import { type BlockDevice, type Extent, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';

export interface Magic {
  /** Where it stands, or how that follows from the size of the volume. */
  readonly atBytes: number | ((volumeBytes: number) => number);
  /** As Latin-1. */
  readonly bytes: string;
}

export interface Description {
  /** Where one magic stands for several kinds; the table's otherwise. */
  readonly kind?: RecognisedKind;
  readonly label?: string;
  readonly uuid?: string;
  readonly totalBytes?: number;
  readonly usedExtents?: readonly Extent[];
  /** What else people may want to know: of what is encrypted, how. */
  readonly details?: string;
}

export type RecognisedKind =
  | 'apfs'
  | 'bcache'
  | 'bcachefs'
  | 'bitlocker'
  | 'btrfs'
  | 'erofs'
  | 'exfat'
  | 'ext2'
  | 'ext3'
  | 'ext4'
  | 'f2fs'
  | 'fat12'
  | 'fat16'
  | 'fat32'
  | 'hfsplus'
  | 'iso9660'
  | 'jbd'
  | 'jfs'
  | 'linux-raid'
  | 'luks1'
  | 'luks2'
  | 'lvm2'
  | 'ntfs'
  | 'refs'
  | 'reiserfs'
  | 'squashfs'
  | 'swap'
  | 'swsuspend'
  | 'udf'
  | 'xfs'
  | 'zfs';

/** One line of the table. */
export interface Recogniser {
  readonly kind: RecognisedKind;
  readonly magics: readonly Magic[];
  /** Looks closer, at `magicAt` in bytes. Null: the magic stood there by chance. A `FilesystemError` says the same. */
  readonly describe: (volume: VolumeBytes, magicAt: number) => Promise<Description | null>;
}

/** To the end of the ring of ZFS, the farthest of the magics that stand at many places. */
const HEAD_BYTES = 256 << 10;

/** The bytes of a volume; its beginning, where most magics are, is read once. */
export class VolumeBytes {
  readonly sizeBytes: number;
  private readonly device: BlockDevice;
  private head: Promise<Buffer> | null = null;

  constructor(device: BlockDevice) {
    this.device = device;
    this.sizeBytes = device.sizeBytes;
  }

  /** Null where the volume does not have that many bytes. */
  async at(offsetBytes: number, lengthBytes: number): Promise<ByteReader | null> {
    if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || offsetBytes + lengthBytes > this.sizeBytes) return null;
    const what = 'the header of a volume';
    if (offsetBytes + lengthBytes > HEAD_BYTES)
      return new ByteReader(await readBytes(this.device, offsetBytes, lengthBytes), what);
    this.head ??= readBytes(this.device, 0, Math.min(HEAD_BYTES, this.sizeBytes));
    return new ByteReader((await this.head).subarray(offsetBytes, offsetBytes + lengthBytes), what);
  }
}

/** 16 bytes as blkid prints them; empty when all are zero. */
export function formatUuid(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return '';
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** UTF-8 up to a NUL, without the spaces behind it. */
export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end).trimEnd();
}

/** UTF-16 in the byte order given, up to a NUL. */
export function wideTextOf(bytes: Buffer, order: 'le' | 'be'): string {
  const units = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  const text = (order === 'be' ? units.swap16() : units).toString('utf16le').toWellFormed();
  const end = text.indexOf('\0');
  return (end < 0 ? text : text.slice(0, end)).trimEnd();
}
