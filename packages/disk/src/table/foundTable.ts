import type { Extent } from '../blockDevice.ts';
import type { PartitionTable } from './partitionTable.ts';

/** A table and where its bytes lie on the disk (what `layoutFingerprint` hashes). */
export interface FoundTable {
  readonly table: PartitionTable;
  readonly tableExtents: readonly Extent[];
}
