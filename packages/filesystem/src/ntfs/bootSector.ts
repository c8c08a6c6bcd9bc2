/**
 * The NTFS boot sector: where everything starts. Layout as in the public NTFS documentation of the linux-ntfs project:
 *
 * | offset | size | field                                                          |
 * |--------|------|----------------------------------------------------------------|
 * | 0x03   | 8    | `NTFS    `                                                     |
 * | 0x0B   | 2    | bytes per sector                                               |
 * | 0x0D   | 1    | sectors per cluster; above 128: 2^(256 - n) sectors            |
 * | 0x28   | 8    | sectors of the volume, without the backup boot sector after it |
 * | 0x30   | 8    | first cluster of $MFT                                          |
 * | 0x38   | 8    | first cluster of $MFTMirr                                      |
 * | 0x40   | 1    | clusters per MFT record; negative: 2^-n bytes                  |
 * | 0x48   | 8    | serial number                                                  |
 */
import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';

const SMALLEST_SECTOR_BYTES = 512;
const SECTOR_SIZES = [512, 4096, 1024, 2048];
const LARGEST_CLUSTER_BYTES = 2 * 1024 * 1024;
const OEM_ID = 'NTFS    ';

export interface NtfsGeometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly clusterCount: number;
  /** Sectors of the volume in bytes; the backup boot sector follows directly behind. */
  readonly volumeBytes: number;
  readonly mftCluster: number;
  readonly mftMirrorCluster: number;
  readonly recordBytes: number;
  /** 16 hex digits, upper case. */
  readonly serial: string;
}

export function hasNtfsOemId(sector: Buffer): boolean {
  return sector.length >= SMALLEST_SECTOR_BYTES && sector.toString('latin1', 3, 11) === OEM_ID;
}

/** @throws FilesystemError `FS_DAMAGED` when a field makes no sense. */
export function parseBootSector(bytes: Buffer): NtfsGeometry {
  if (!hasNtfsOemId(bytes)) throw damaged('it does not carry the NTFS mark');
  const reader = new ByteReader(bytes, 'NTFS boot sector');
  const sectorBytes = reader.u16(0x0b);
  if (!SECTOR_SIZES.includes(sectorBytes)) throw damaged(`sectors of ${sectorBytes} bytes`);
  const clusterBytes = sectorBytes * sectorsPerCluster(reader.u8(0x0d));
  if (clusterBytes > LARGEST_CLUSTER_BYTES) throw damaged(`clusters of ${clusterBytes} bytes`);
  const volumeBytes = reader.u64(0x28) * sectorBytes;
  if (!Number.isSafeInteger(volumeBytes)) throw damaged('an absurdly large volume');
  const clusterCount = Math.floor(volumeBytes / clusterBytes);
  const mftCluster = reader.u64(0x30);
  const mftMirrorCluster = reader.u64(0x38);
  if (clusterCount === 0 || mftCluster === 0 || mftCluster >= clusterCount) throw damaged('$MFT lies outside the volume');
  const recordBytes = sizeFromExponent(reader.bytes.readInt8(0x40), clusterBytes);
  if (!isPowerOfTwo(recordBytes) || recordBytes < 512 || recordBytes > 65536) throw damaged(`records of ${recordBytes} bytes`);
  const serial = reader.u64big(0x48).toString(16).toUpperCase().padStart(16, '0');
  return { sectorBytes, clusterBytes, clusterCount, volumeBytes, mftCluster, mftMirrorCluster, recordBytes, serial };
}

/** The first boot sector or, when that is damaged, its copy in the last sector of the volume (said in `warnings`). */
export async function readBootSector(device: BlockDevice): Promise<{ geometry: NtfsGeometry; warnings: string[] }> {
  if (device.sizeBytes < SMALLEST_SECTOR_BYTES) throw damaged('the volume is smaller than one sector');
  try {
    return { geometry: parseBootSector(await readBytes(device, 0, SMALLEST_SECTOR_BYTES)), warnings: [] };
  } catch (error) {
    const geometry = await readBackupBootSector(device);
    if (geometry === null) throw error;
    return { geometry, warnings: ['The NTFS boot sector is damaged; its backup at the end of the volume was used.'] };
  }
}

/**
 * Looks for the copy where a volume that fills its partition keeps it. Null when there is none that fits: the last sector of
 * a whole disk may well be the backup of its last partition.
 */
export async function readBackupBootSector(device: BlockDevice): Promise<NtfsGeometry | null> {
  for (const sectorBytes of SECTOR_SIZES) {
    const offsetBytes = (Math.floor(device.sizeBytes / sectorBytes) - 1) * sectorBytes;
    if (offsetBytes <= 0) continue;
    const sector = await readBytes(device, offsetBytes, SMALLEST_SECTOR_BYTES);
    if (!hasNtfsOemId(sector)) continue;
    try {
      const geometry = parseBootSector(sector);
      if (geometry.sectorBytes === sectorBytes && geometry.volumeBytes === offsetBytes) return geometry;
    } catch (error) {
      if (!(error instanceof FilesystemError)) throw error;
    }
  }
  return null;
}

function sectorsPerCluster(raw: number): number {
  const sectors = raw > 128 ? 2 ** (256 - raw) : raw;
  if (!isPowerOfTwo(sectors)) throw damaged(`${raw} sectors per cluster`);
  return sectors;
}

function sizeFromExponent(raw: number, clusterBytes: number): number {
  return raw < 0 ? 2 ** -raw : raw * clusterBytes;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function damaged(reason: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `The NTFS boot sector is damaged: ${reason}.`);
}
