/**
 * The boot sector of an exFAT volume. Source: Microsoft exFAT file system specification 1.00, 3.1.
 *
 * | at | bytes | field |
 * | 0   | 3  | jump EB 76 90 |
 * | 3   | 8  | `EXFAT   ` |
 * | 11  | 53 | zero: where FAT has its parameters, so that nobody takes it for FAT |
 * | 72  | 8  | volume length in sectors |
 * | 80  | 4  | first sector of the FAT |
 * | 84  | 4  | sectors per FAT |
 * | 88  | 4  | first sector of the cluster heap |
 * | 92  | 4  | clusters |
 * | 96  | 4  | first cluster of the root directory |
 * | 100 | 4  | serial |
 * | 104 | 2  | revision, major in the upper byte |
 * | 106 | 2  | flags: 1 second FAT is active, 2 dirty, 4 media failure |
 * | 108 | 1  | log2 of bytes per sector, 9 to 12 |
 * | 109 | 1  | log2 of sectors per cluster, clusters of 32 MiB at most |
 * | 110 | 1  | FATs: 1, or 2 for TexFAT |
 * | 112 | 1  | per cent in use: a hint, not looked at |
 * | 510 | 2  | AA55 |
 */
import { ByteReader } from '../byteReader.ts';

export const BOOT_SECTOR_BYTES = 512;
export const OEM_ID = 'EXFAT   ';

export interface ExfatGeometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  /** As the boot sector claims it. */
  readonly totalBytes: number;
  readonly fatOffsetBytes: number;
  readonly fatBytes: number;
  readonly fatCount: number;
  /** 0 or 1: the FAT and the allocation bitmap that count. */
  readonly activeFat: number;
  /** Where cluster 2 begins. */
  readonly dataOffsetBytes: number;
  /** Clusters are numbered 2 to `clusterCount + 1`. */
  readonly clusterCount: number;
  readonly rootCluster: number;
  readonly serial: number;
  /** It is mounted or was not unmounted. */
  readonly dirty: boolean;
}

const MAX_CLUSTER_SHIFT = 25;
/** The boot region and its copy, 12 sectors each, come before anything else. */
const FIRST_FAT_SECTOR = 24;
const MAX_CLUSTERS = 2 ** 32 - 11;

/** @returns null when these bytes are not the boot sector of an exFAT volume we can read */
export function decodeBootSector(bytes: Uint8Array): ExfatGeometry | null {
  if (bytes.length < BOOT_SECTOR_BYTES) return null;
  const boot = new ByteReader(bytes.subarray(0, BOOT_SECTOR_BYTES), 'exFAT boot sector');
  if (!looksLikeExfat(boot)) return null;
  const sectorBytes = 2 ** boot.u8(108);
  const clusterBytes = 2 ** (boot.u8(108) + boot.u8(109));
  const volumeSectors = boot.u64big(72);
  const [fatSector, fatSectors, heapSector] = [boot.u32(80), boot.u32(84), boot.u32(88)];
  const [clusterCount, rootCluster, fatCount, flags] = [boot.u32(92), boot.u32(96), boot.u8(110), boot.u16(106)];
  if (volumeSectors * BigInt(sectorBytes) > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  const totalBytes = Number(volumeSectors) * sectorBytes;
  const dataOffsetBytes = heapSector * sectorBytes;
  const fits =
    fatSector >= FIRST_FAT_SECTOR &&
    fatSector + fatSectors * fatCount <= heapSector &&
    fatSectors * sectorBytes >= (clusterCount + 2) * 4 &&
    clusterCount >= 1 &&
    clusterCount <= MAX_CLUSTERS &&
    dataOffsetBytes + clusterCount * clusterBytes <= totalBytes &&
    rootCluster >= 2 &&
    rootCluster <= clusterCount + 1;
  if (!fits) return null;
  return {
    sectorBytes,
    clusterBytes,
    totalBytes,
    fatOffsetBytes: fatSector * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    fatCount,
    activeFat: fatCount === 2 ? flags & 1 : 0,
    dataOffsetBytes,
    clusterCount,
    rootCluster,
    serial: boot.u32(100),
    dirty: (flags & 2) !== 0,
  };
}

function looksLikeExfat(boot: ByteReader): boolean {
  const [sectorShift, clusterShift, fatCount] = [boot.u8(108), boot.u8(109), boot.u8(110)];
  return (
    boot.slice(0, 11).equals(Buffer.from(`\xeb\x76\x90${OEM_ID}`, 'latin1')) &&
    boot.slice(11, 53).every((byte) => byte === 0) &&
    boot.u16(510) === 0xaa55 &&
    // Revision 1.x: a new major one is not compatible.
    boot.u8(105) === 1 &&
    sectorShift >= 9 &&
    sectorShift <= 12 &&
    sectorShift + clusterShift <= MAX_CLUSTER_SHIFT &&
    (fatCount === 1 || fatCount === 2)
  );
}
