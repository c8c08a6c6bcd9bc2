/**
 * Which boot region to believe. exFAT keeps two, of 12 sectors each: the boot sector, 8 of boot code, 2 more, and a sector that
 * repeats the checksum of the 11 before it.
 *
 * 1. The first whose checksum holds is taken.
 * 2. Its copy is taken, with a warning, when its own checksum holds and the first sector is plainly that of an exFAT volume
 *    (its name is there), or is nothing but zeros while the 11 behind it equal those of the copy. Anything else in the first
 *    sector means that the volume has been made into something new, and the copy is a remnant.
 * 3. A first boot sector that makes sense is taken, with a warning, although neither checksum holds.
 */
import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { decodeBootSector, type ExfatGeometry, OEM_ID } from './bootSector.ts';
import { bootChecksum } from './checksums.ts';

const REGION_SECTORS = 12;
const SECTOR_SIZES = [512, 1024, 2048, 4096];
const MIN_VOLUME_BYTES = 2 * REGION_SECTORS * 512;

export interface BootRegion {
  readonly geometry: ExfatGeometry;
  readonly warnings: readonly string[];
}

/** @returns null when this is no exFAT volume; reads 96 KiB at most */
export async function readBootRegion(device: BlockDevice): Promise<BootRegion | null> {
  if (device.sizeBytes < MIN_VOLUME_BYTES) return null;
  const first = await readBytes(device, 0, 512);
  const [named, zero] = [first.toString('latin1', 3, 11) === OEM_ID, first.every((byte) => byte === 0)];
  if (!named && !zero) return null;
  const maxBytes = 2 * REGION_SECTORS * Math.max(...SECTOR_SIZES);
  const head = await readBytes(device, 0, Math.min(maxBytes, Math.floor(device.sizeBytes / 512) * 512));
  const main = decodeBootSector(head);
  if (main !== null && hasChecksum(head, main.sectorBytes)) return { geometry: main, warnings: [] };
  for (const sectorBytes of SECTOR_SIZES) {
    const regionBytes = REGION_SECTORS * sectorBytes;
    const copy = head.subarray(regionBytes, 2 * regionBytes);
    const geometry = copy.length === regionBytes ? decodeBootSector(copy) : null;
    if (geometry?.sectorBytes !== sectorBytes || !hasChecksum(copy, sectorBytes)) continue;
    if (!named && !head.subarray(sectorBytes, regionBytes).equals(copy.subarray(sectorBytes))) continue;
    // The copy's flags are those of the day it was written.
    const dirty = main === null || main.dirty;
    return { geometry: { ...geometry, dirty }, warnings: ['The boot sector is damaged; its copy was used.'] };
  }
  if (main === null) return null;
  return { geometry: main, warnings: ['The checksum of the boot sector is wrong, and so is that of its copy.'] };
}

function hasChecksum(region: Buffer, sectorBytes: number): boolean {
  const bodyBytes = (REGION_SECTORS - 1) * sectorBytes;
  if (region.length < bodyBytes + sectorBytes) return false;
  const expected = bootChecksum(region.subarray(0, bodyBytes));
  for (let at = bodyBytes; at < bodyBytes + sectorBytes; at += 4) {
    if (region.readUInt32LE(at) !== expected) return false;
  }
  return true;
}
