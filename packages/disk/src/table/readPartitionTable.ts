import { type BlockDevice, readBytes } from '../blockDevice.ts';
import { readGpt } from '../gpt/readGpt.ts';
import { decodeMbrSector, MBR_BYTES } from '../mbr/mbrSector.ts';
import { findMbrSectorBytes } from '../mbr/mbrSectorSize.ts';
import { readMbr } from '../mbr/readMbr.ts';
import type { FoundTable } from './foundTable.ts';
import type { PartitionTable } from './partitionTable.ts';

/**
 * Reads the partition table of a whole disk. What does not add up but can be read is kept and named in `warnings`.
 *
 * @returns null when the disk has no table: it is empty, or one filesystem from its first byte on
 * @throws DiskError `TABLE_DAMAGED` (there is a GPT, but neither copy proves), `TABLE_TOO_LARGE`, `DISK_READ_FAILED`
 */
export async function readPartitionTable(device: BlockDevice): Promise<PartitionTable | null> {
  return (await findTable(device))?.table ?? null;
}

/** As `readPartitionTable`, and where the table's bytes are. */
export async function findTable(device: BlockDevice): Promise<FoundTable | null> {
  if (device.sizeBytes < MBR_BYTES) return null;
  const mbr = decodeMbrSector(await readBytes(device, 0, MBR_BYTES));
  return (await readGpt(device, mbr)) ?? (await readMbr(device, mbr, await findMbrSectorBytes(device, mbr)));
}
