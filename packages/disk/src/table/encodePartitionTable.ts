import { encodeGpt } from '../gpt/encodeGpt.ts';
import { encodeMbr } from '../mbr/encodeMbr.ts';
import type { PartitionTable } from './partitionTable.ts';
import type { TableWrite } from './tableWrite.ts';

/**
 * The sectors that, written to a disk of `diskSizeBytes`, make it carry `table`: a GPT with its backup at *this* disk's end, or an
 * MBR with its EBRs. Boot code and disk signature are the table's. Reading the result gives `table` back, except that
 * `lastUsableEndBytes` follows the disk, logical partitions are numbered 5, 6, … in order, and `warnings`/`source` are those of
 * a healthy table. Pure.
 *
 * @returns in the order to write them: whenever the writing is cut short, no half-valid GPT is left
 * @throws DiskError `TABLE_DOES_NOT_FIT`: a partition outside the disk, overlapping another, not at a whole sector, or of a type
 *   or size the format cannot hold
 */
export function encodePartitionTable(table: PartitionTable, diskSizeBytes: number): TableWrite[] {
  return table.kind === 'gpt' ? encodeGpt(table, diskSizeBytes) : encodeMbr(table, diskSizeBytes);
}
