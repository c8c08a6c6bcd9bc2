/**
 * The copy of the boot sector that FAT32 keeps, by rule and custom in sector 6. It is believed when it says so itself (50), when
 * both FATs begin with its media byte (21) as FATs do, and when its root directory has a chain.
 */
import { type BlockDevice, DiskError, readBytes } from '@diskfleet/disk';
import { BOOT_SECTOR_BYTES, decodeBootSector, type FatGeometry } from './bootSector.ts';

const BACKUP_SECTOR = 6;
const SECTOR_SIZES = [512, 1024, 2048, 4096];

/** @returns null when there is none that fits this volume, or none that can be read */
export async function readBackupBootSector(device: BlockDevice): Promise<FatGeometry | null> {
  for (const sectorBytes of SECTOR_SIZES) {
    try {
      const geometry = await readCopy(device, sectorBytes);
      if (geometry !== null) return geometry;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  return null;
}

async function readCopy(device: BlockDevice, sectorBytes: number): Promise<FatGeometry | null> {
  const offsetBytes = BACKUP_SECTOR * sectorBytes;
  if (offsetBytes + BOOT_SECTOR_BYTES > device.sizeBytes) return null;
  const copy = await readBytes(device, offsetBytes, BOOT_SECTOR_BYTES);
  const geometry = decodeBootSector(copy);
  const fits = geometry?.kind === 'fat32' && geometry.sectorBytes === sectorBytes && geometry.totalBytes <= device.sizeBytes;
  if (!fits || copy.readUInt16LE(50) !== BACKUP_SECTOR) return null;
  return (await hasFats(device, geometry, copy.readUInt8(21))) ? geometry : null;
}

/** Entry 0 is the media byte and ones, the root's is the number of a cluster or an end. */
async function hasFats(device: BlockDevice, geometry: FatGeometry, media: number): Promise<boolean> {
  for (let index = 0; index < geometry.fatCount; index += 1) {
    const fat = geometry.fatOffsetBytes + index * geometry.fatBytes;
    const first = (await readBytes(device, fat, 4)).readUInt32LE(0) & 0x0fffffff;
    const root = (await readBytes(device, fat + geometry.rootCluster * 4, 4)).readUInt32LE(0) & 0x0fffffff;
    if (first !== (0x0fffff00 | media) || root < 2) return false;
  }
  return true;
}
