/**
 * An MBR does not say how large its sectors are. The device knows, unless it is a plain file that holds the image of a
 * 4096-byte-sector disk: then what lies where the partitions would begin tells.
 */
import { type BlockDevice, readBytes } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { isExtendedType, type MbrSector } from './mbrSector.ts';

const START_BYTES = 4096;

/** The device's own sector size, unless only another one leads to things that look like the beginning of a partition. */
export async function findMbrSectorBytes(device: BlockDevice, mbr: MbrSector): Promise<number> {
  for (const sectorBytes of new Set([device.sectorBytes, 512, 4096])) {
    for (const slot of mbr.slots) {
      if (slot.type === 0 || slot.startSector === 0 || slot.sectorCount === 0) continue;
      const start = await readStart(device, slot.startSector * sectorBytes);
      if (start !== null && looksLikeStart(start, isExtendedType(slot.type))) return sectorBytes;
    }
  }
  return device.sectorBytes;
}

async function readStart(device: BlockDevice, offsetBytes: number): Promise<Buffer | null> {
  if (offsetBytes + START_BYTES > device.sizeBytes) return null;
  try {
    return await readBytes(device, offsetBytes, START_BYTES);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'DISK_READ_FAILED') return null;
    throw error;
  }
}

/** Boot sector or EBR, ext superblock, XFS, LUKS, LVM, swap. */
function looksLikeStart(start: Buffer, extended: boolean): boolean {
  if (start.readUInt16LE(510) === 0xaa55) return true;
  if (extended) return false;
  const text = (at: number, length: number) => start.toString('latin1', at, at + length);
  return (
    start.readUInt16LE(1080) === 0xef53 ||
    text(0, 4) === 'XFSB' ||
    text(0, 6) === 'LUKS\xba\xbe' ||
    text(512, 8) === 'LABELONE' ||
    text(4086, 10) === 'SWAPSPACE2'
  );
}
