import { DiskError } from '../errors.ts';
import type { Partition } from './partitionTable.ts';

export function doesNotFit(message: string): DiskError {
  return new DiskError('TABLE_DOES_NOT_FIT', message);
}

/** Whole sectors of a byte count. @throws DiskError `TABLE_DOES_NOT_FIT` when it is not a whole number of them */
export function sectorsOf(bytes: number, sectorBytes: number, what: string): number {
  const sectors = bytes / sectorBytes;
  if (!Number.isSafeInteger(bytes) || !Number.isInteger(sectors) || bytes < 0) {
    throw doesNotFit(`${what} is not at a whole sector of ${sectorBytes} bytes`);
  }
  return sectors;
}

/**
 * What a table about to be written must satisfy: whole sectors, inside `room`, no two overlapping, no number twice.
 * Reading is lenient, writing is not.
 * @throws DiskError `TABLE_DOES_NOT_FIT`
 */
export function checkLayout(
  partitions: readonly Partition[],
  room: { startBytes: number; endBytes: number; sectorBytes: number },
): void {
  const byPlace = partitions.toSorted((left, right) => left.startBytes - right.startBytes);
  let previous: Partition | undefined;
  for (const partition of byPlace) {
    const what = `partition ${partition.number}`;
    sectorsOf(partition.startBytes, room.sectorBytes, what);
    if (sectorsOf(partition.sizeBytes, room.sectorBytes, what) === 0) throw doesNotFit(`${what} is empty`);
    const endBytes = partition.startBytes + partition.sizeBytes;
    if (partition.startBytes < room.startBytes || endBytes > room.endBytes) {
      throw doesNotFit(
        `${what} (bytes ${partition.startBytes} to ${endBytes}) lies outside ${room.startBytes} to ${room.endBytes}`,
      );
    }
    if (previous !== undefined && partition.startBytes < previous.startBytes + previous.sizeBytes) {
      throw doesNotFit(`${what} overlaps partition ${previous.number}`);
    }
    previous = partition;
  }
  const numbers = new Set(partitions.map((partition) => partition.number));
  if (numbers.size < partitions.length) throw doesNotFit('two partitions have the same number');
}
