import type { DiskLayout } from '../types.ts';

/** Where a byte of a disk lies, in words: `partition 2 (Linux filesystem), byte 4096 of it`. */
export function placeOf(layout: Pick<DiskLayout, 'table' | 'partitions'>, offsetBytes: number): string {
  const inside = layout.partitions.findLast(
    ({ startBytes, sizeBytes }) => offsetBytes >= startBytes && offsetBytes < startBytes + sizeBytes,
  );
  if (inside !== undefined) {
    return `partition ${inside.number} (${inside.typeName}), byte ${offsetBytes - inside.startBytes} of it`;
  }
  return layout.table === null ? `byte ${offsetBytes} of the disk` : 'outside of all partitions';
}
