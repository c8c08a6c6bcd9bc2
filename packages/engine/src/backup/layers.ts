/**
 * The map of a disk made of layers: what was read first, and over it what was read again because it changed meanwhile. The last layer
 * that covers a byte gives its content, so a chunk of a lower layer may end up used in part or not at all.
 */
import type { MapEntry } from '@diskfleet/vault';

/** Both in device order, disjoint in themselves; so is the result. A range of `under` that `over` covers is cut away. */
export function* overlayEntries(under: Iterable<MapEntry>, over: Iterable<MapEntry>): Generator<MapEntry> {
  const [low, high] = [under[Symbol.iterator](), over[Symbol.iterator]()];
  let [below, above] = [take(low), take(high)];
  while (below !== null && above !== null) {
    const aboveEnd = endOf(above);
    if (endOf(below) <= above.offsetBytes) {
      yield below;
      below = take(low);
    } else if (aboveEnd <= below.offsetBytes) {
      yield above;
      above = take(high);
    } else {
      if (below.offsetBytes < above.offsetBytes) yield part(below, below.offsetBytes, above.offsetBytes);
      below = endOf(below) > aboveEnd ? part(below, aboveEnd, endOf(below)) : take(low);
    }
  }
  for (; below !== null; below = take(low)) yield below;
  for (; above !== null; above = take(high)) yield above;
}

/** The bytes `from..to` of an entry that contains them. */
export function part(entry: MapEntry, from: number, to: number): MapEntry {
  const place = { offsetBytes: from, lengthBytes: to - from };
  if (entry.kind === 'zero') return { kind: 'zero', ...place };
  return { ...entry, ...place, chunkOffsetBytes: entry.chunkOffsetBytes + from - entry.offsetBytes };
}

export function endOf({ offsetBytes, lengthBytes }: MapEntry): number {
  return offsetBytes + lengthBytes;
}

function take(entries: Iterator<MapEntry>): MapEntry | null {
  const next = entries.next();
  return next.done === true ? null : next.value;
}
