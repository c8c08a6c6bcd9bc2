import { createHash } from 'node:crypto';
import { type BlockDevice, readBytes } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { mergeExtents } from '../extents.ts';
import { findTable } from './readPartitionTable.ts';

const NO_TABLE_BYTES = 1 << 20;

/**
 * A short name for how a disk is laid out now: 64 hex digits, different when its size, its sector size or any byte of its partition
 * table changed (first sector with boot code; both copies of a GPT; all EBRs). A disk with no readable table is named by its
 * first MiB. What the partitions hold does not matter, so it stays the same while a system runs from the disk.
 *
 * A restore plan keeps it and refuses to write when the target's differs.
 * @throws DiskError `DISK_READ_FAILED`
 */
export async function layoutFingerprint(device: BlockDevice): Promise<string> {
  const hash = createHash('sha256');
  hash.update(`diskfleet layout 1\n${device.sizeBytes} ${device.sectorBytes}\n`);
  const found = await findTable(device).catch((error: unknown) => {
    if (error instanceof DiskError && (error.code === 'TABLE_DAMAGED' || error.code === 'TABLE_TOO_LARGE')) return null;
    throw error;
  });
  const whole = [{ offsetBytes: 0, lengthBytes: Math.min(NO_TABLE_BYTES, device.sizeBytes) }];
  for (const extent of found === null ? whole : mergeExtents(found.tableExtents)) {
    hash.update(`${extent.offsetBytes} ${extent.lengthBytes}\n`);
    hash.update(await readBytes(device, extent.offsetBytes, extent.lengthBytes));
  }
  return hash.digest('hex');
}
