/**
 * The boot sector of a FAT volume and what follows from it. Source: Microsoft FAT32 File System Specification 1.03; where it and
 * the world differ, we do as Linux does (FAT32 is told by its FAT length, not by its cluster count).
 *
 * | at | bytes | field |
 * | 0  | 3 | jump EB xx 90 or E9 xx xx |
 * | 11 | 2 | bytes per sector |
 * | 13 | 1 | sectors per cluster |
 * | 14 | 2 | reserved sectors |
 * | 16 | 1 | number of FATs |
 * | 17 | 2 | root directory entries (0: FAT32) |
 * | 19 | 2 | total sectors, or 0 |
 * | 21 | 1 | media: F0 or F8..FF |
 * | 22 | 2 | sectors per FAT (0: FAT32) |
 * | 32 | 4 | total sectors when the short field is 0 |
 * FAT12/16: 37 state, 38 extended signature 28/29, 39 serial, 43 label (11).
 * FAT32: 36 sectors per FAT (4), 40 flags, 42 version, 44 root cluster (4), 65 state, 66 signature, 67 serial, 71 label (11).
 */
import { ByteReader } from '../byteReader.ts';

export const BOOT_SECTOR_BYTES = 512;

export interface FatGeometry {
  readonly kind: 'fat12' | 'fat16' | 'fat32';
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  /** As the boot sector claims it. */
  readonly totalBytes: number;
  readonly fatOffsetBytes: number;
  readonly fatBytes: number;
  readonly fatCount: number;
  /** The one FAT that counts where mirroring is off; null when all are copies. */
  readonly activeFat: number | null;
  /** FAT12/16: the fixed root directory. Empty for FAT32. */
  readonly rootOffsetBytes: number;
  readonly rootBytes: number;
  /** FAT32: where the root directory's chain begins; 0 otherwise. */
  readonly rootCluster: number;
  /** Where cluster 2 begins. */
  readonly dataOffsetBytes: number;
  /** Clusters are numbered 2 to `clusterCount + 1`. */
  readonly clusterCount: number;
  readonly serial: number;
  readonly bootLabel: Buffer;
  /** The state byte says it is mounted or was not unmounted. */
  readonly dirty: boolean;
}

/** Marks of volumes that carry a FAT-like boot sector and are something else. */
const FOREIGN_OEM_IDS = ['NTFS    ', 'EXFAT   ', '-FVE-FS-'];
/** BitLocker To Go: a FAT32 decoy in front of an encrypted volume. GUID 4967d63b-2e29-4ad8-8399-f6a339e3d001 at 424. */
const BITLOCKER_TO_GO = Buffer.from('3bd66749292ed84a8399f6a339e3d001', 'hex');
const BITLOCKER_OFFSET = 424;

const MAX_FATS = 4;
const MAX_CLUSTER_BYTES = 512 << 10;
const MAX_FAT12_CLUSTERS = 4084;
const MAX_FAT16_CLUSTERS = 65_524;
const MAX_FAT32_CLUSTERS = 0x0ffffff5;

/** @returns null when these 512 bytes are not the boot sector of a FAT volume */
export function decodeBootSector(bytes: Uint8Array): FatGeometry | null {
  if (bytes.length < BOOT_SECTOR_BYTES) return null;
  const boot = new ByteReader(bytes.subarray(0, BOOT_SECTOR_BYTES), 'FAT boot sector');
  if (!looksLikeFat(boot)) return null;
  const sectorBytes = boot.u16(11);
  const isFat32 = boot.u16(22) === 0;
  const reservedSectors = boot.u16(14);
  const fatCount = boot.u8(16);
  const fatSectors = isFat32 ? boot.u32(36) : boot.u16(22);
  const rootBytes = boot.u16(17) * 32;
  const totalSectors = boot.u16(19) || boot.u32(32);
  const clusterBytes = boot.u8(13) * sectorBytes;
  if (fatSectors === 0 || isFat32 !== (rootBytes === 0) || rootBytes % sectorBytes !== 0) return null;
  if (isFat32 && boot.u16(42) !== 0) return null;

  const fatOffsetBytes = reservedSectors * sectorBytes;
  const fatBytes = fatSectors * sectorBytes;
  const rootOffsetBytes = fatOffsetBytes + fatCount * fatBytes;
  const dataOffsetBytes = rootOffsetBytes + rootBytes;
  const totalBytes = totalSectors * sectorBytes;
  const roomForClusters = Math.floor((totalBytes - dataOffsetBytes) / clusterBytes);
  if (roomForClusters < 1) return null;
  const kind = isFat32 ? 'fat32' : roomForClusters <= MAX_FAT12_CLUSTERS ? 'fat12' : 'fat16';
  const entryBits = { fat12: 12, fat16: 16, fat32: 32 }[kind];
  const maxClusters = { fat12: MAX_FAT12_CLUSTERS, fat16: MAX_FAT16_CLUSTERS, fat32: MAX_FAT32_CLUSTERS }[kind];
  if (roomForClusters > maxClusters) return null;
  // A FAT may be longer or shorter than the data area needs; clusters it cannot name do not exist.
  const clusterCount = Math.min(roomForClusters, Math.floor((fatBytes * 8) / entryBits) - 2);
  const rootCluster = isFat32 ? boot.u32(44) : 0;
  if (clusterCount < 1 || (isFat32 && (rootCluster < 2 || rootCluster > clusterCount + 1))) return null;

  const flags = isFat32 ? boot.u16(40) : 0;
  const activeFat = (flags & 0x80) !== 0 ? flags & 0x0f : null;
  if (activeFat !== null && activeFat >= fatCount) return null;
  const extended = isFat32 ? 64 : 36;
  const hasSerial = boot.u8(extended + 2) === 0x29 || boot.u8(extended + 2) === 0x28;
  const hasLabel = boot.u8(extended + 2) === 0x29;
  return {
    kind,
    sectorBytes,
    clusterBytes,
    totalBytes,
    fatOffsetBytes,
    fatBytes,
    fatCount,
    activeFat,
    rootOffsetBytes,
    rootBytes,
    rootCluster,
    dataOffsetBytes,
    clusterCount,
    serial: hasSerial ? boot.u32(extended + 3) : 0,
    bootLabel: hasLabel ? boot.slice(extended + 7, 11) : Buffer.alloc(0),
    dirty: (boot.u8(extended + 1) & 1) !== 0,
  };
}

function looksLikeFat(boot: ByteReader): boolean {
  const isPowerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0;
  const [jump, media, sectorBytes] = [boot.u8(0), boot.u8(21), boot.u16(11)];
  return (
    boot.u16(510) === 0xaa55 &&
    (jump === 0xeb || jump === 0xe9) &&
    !FOREIGN_OEM_IDS.includes(boot.slice(3, 8).toString('latin1')) &&
    !boot.slice(BITLOCKER_OFFSET, 16).equals(BITLOCKER_TO_GO) &&
    isPowerOfTwo(sectorBytes) &&
    sectorBytes >= 512 &&
    sectorBytes <= 4096 &&
    isPowerOfTwo(boot.u8(13)) &&
    boot.u8(13) * sectorBytes <= MAX_CLUSTER_BYTES &&
    boot.u16(14) > 0 &&
    boot.u8(16) > 0 &&
    boot.u8(16) <= MAX_FATS &&
    (media === 0xf0 || media >= 0xf8)
  );
}
