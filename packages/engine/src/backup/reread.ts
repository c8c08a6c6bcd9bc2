/** What has to be read again after writes to a disk that is being backed up. Pure. */
import { type Extent, intersectExtents, mergeExtents, subtractExtents } from '@diskfleet/disk';

/** Writes are counted in whole pages: readers ask the medium for no less. */
export const PAGE_BYTES = 4096;

/**
 * Unit in which what was written is taken anew. Smaller than a cell: a page written here and there costs a quarter of the space, and the
 * rest of the cell stays what it was, a part of an older chunk.
 */
export const REREAD_BYTES = 64 * 1024;

export interface DiskState {
  readonly sizeBytes: number;
  /** What the image covers so far. */
  readonly used: readonly Extent[];
  /** What is never taken, written or not: the content of partitions that were not chosen, of swap space. */
  readonly leftOut: readonly Extent[];
}

/**
 * A unit that was written to is taken anew, with all that is used of it. What was free and is written now counts as used: the image may
 * so keep a block that became free meanwhile, and never misses one that came into use.
 */
export function rereadAfter(changes: readonly Extent[], state: DiskState): { reread: Extent[]; used: Extent[] } {
  const written = subtractExtents(rounded(changes, PAGE_BYTES, state.sizeBytes), state.leftOut);
  if (written.length === 0) return { reread: [], used: [...state.used] };
  const used = mergeExtents([...state.used, ...written]);
  return { reread: intersectExtents(used, rounded(written, REREAD_BYTES, state.sizeBytes)), used };
}

/** Every extent grown to multiples of `unitBytes`, inside the disk. */
export function rounded(extents: readonly Extent[], unitBytes: number, sizeBytes: number): Extent[] {
  return mergeExtents(
    extents.map(({ offsetBytes, lengthBytes }) => {
      const from = Math.min(sizeBytes, offsetBytes - (offsetBytes % unitBytes));
      const to = Math.min(sizeBytes, Math.ceil((offsetBytes + lengthBytes) / unitBytes) * unitBytes);
      return { offsetBytes: from, lengthBytes: Math.max(0, to - from) };
    }),
  );
}
