/** Which ranges of a disk need no look because they are known to be as the last point has them. Pure. */
import { type Extent, intersectExtents, mergeExtents, subtractExtents } from '@diskfleet/disk';
import type { MapEntry } from '@diskfleet/vault';
import { part } from './layers.ts';
import { PAGE_BYTES, REREAD_BYTES, rounded } from './reread.ts';

export interface ReuseFacts {
  readonly sizeBytes: number;
  /** What is used now. */
  readonly used: readonly Extent[];
  /** Everything that may differ from the remembered point. */
  readonly changed: readonly Extent[];
  /** The map of the remembered point, in device order; walked twice. */
  readonly entries: () => Iterable<MapEntry>;
  /** Whether the vault still has a chunk. */
  readonly has: (chunkId: Uint8Array) => boolean;
}

export interface Reuse {
  /** Of `read`, what was not in the point at all: worth cutting by files, where the rest is a page here and there. */
  readonly fresh: readonly Extent[];
  /** To be read. */
  readonly read: readonly Extent[];
  /** Entries of the remembered map for all that need not be read, in device order: what is read lies over them. */
  readonly kept: () => Iterable<MapEntry>;
}

/**
 * Read: what changed (in units larger than a page, see `REREAD_BYTES`), what came into use since (its content was never saved), and what
 * the vault lost. All else that is used keeps its chunk.
 */
export function planReuse({ sizeBytes, used, changed, entries, has }: ReuseFacts): Reuse {
  const known: Extent[] = [];
  for (const entry of entries()) if (entry.kind === 'zero' || has(entry.chunkId)) known.push(entry);
  const fresh = intersectExtents(used, rounded(subtractExtents(used, mergeExtents(known)), PAGE_BYTES, sizeBytes));
  const read = intersectExtents(used, mergeExtents([...rounded(changed, REREAD_BYTES, sizeBytes), ...fresh]));
  return { fresh, read, kept: () => within(entries(), subtractExtents(used, read)) };
}

/** What of the entries (in device order) lies in the extents (normal). */
export function* within(entries: Iterable<MapEntry>, extents: readonly Extent[]): Generator<MapEntry> {
  let index = 0;
  for (const entry of entries) {
    const end = entry.offsetBytes + entry.lengthBytes;
    for (;;) {
      const extent = extents[index];
      if (extent === undefined) return;
      const extentEnd = extent.offsetBytes + extent.lengthBytes;
      const from = Math.max(entry.offsetBytes, extent.offsetBytes);
      const to = Math.min(end, extentEnd);
      if (from < to) yield part(entry, from, to);
      if (extentEnd > end) break;
      index += 1;
    }
  }
}
