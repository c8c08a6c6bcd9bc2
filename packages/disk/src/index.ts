export { type BlockDevice, type Extent, readBytes, type WritableBlockDevice } from './blockDevice.ts';
export { DiskError, type DiskErrorCode } from './errors.ts';
export { intersectExtents, mergeExtents, subtractExtents, sumBytes } from './extents.ts';
export { openFileDevice } from './fileDevice.ts';
export { memoryDevice } from './memoryDevice.ts';
export { sliceDevice } from './sliceDevice.ts';
export type { GptTable, MbrTable, Partition, PartitionRole, PartitionTable } from './table/partitionTable.ts';
export { readPartitionTable } from './table/readPartitionTable.ts';
