/**
 * Set algebra on byte ranges. Results are always normal: sorted by offset, disjoint, non-adjacent, none empty.
 * Arguments need not be normal.
 */
import type { Extent } from './blockDevice.ts';

/** The normal form of the union of `extents`. */
export function mergeExtents(extents: Iterable<Extent>): Extent[] {
  const sorted = [...extents]
    .filter((extent) => extent.lengthBytes > 0)
    .sort((left, right) => left.offsetBytes - right.offsetBytes);
  const merged: Extent[] = [];
  let start = 0;
  let end = -1;
  for (const { offsetBytes, lengthBytes } of sorted) {
    if (offsetBytes > end) {
      if (end > start) merged.push({ offsetBytes: start, lengthBytes: end - start });
      start = offsetBytes;
      end = offsetBytes + lengthBytes;
    } else if (offsetBytes + lengthBytes > end) {
      end = offsetBytes + lengthBytes;
    }
  }
  if (end > start) merged.push({ offsetBytes: start, lengthBytes: end - start });
  return merged;
}

/** What is in `from` and not in `remove`. */
export function subtractExtents(from: Iterable<Extent>, remove: Iterable<Extent>): Extent[] {
  const holes = mergeExtents(remove);
  const left: Extent[] = [];
  let hole = 0;
  for (const { offsetBytes, lengthBytes } of mergeExtents(from)) {
    const end = offsetBytes + lengthBytes;
    let at = offsetBytes;
    while (at < end) {
      const next = holes[hole];
      if (next === undefined || next.offsetBytes >= end) {
        left.push({ offsetBytes: at, lengthBytes: end - at });
        break;
      }
      if (next.offsetBytes > at) left.push({ offsetBytes: at, lengthBytes: next.offsetBytes - at });
      const holeEnd = next.offsetBytes + next.lengthBytes;
      at = Math.max(at, Math.min(holeEnd, end));
      if (holeEnd <= end) hole += 1;
    }
  }
  return left;
}

/** What is in both. */
export function intersectExtents(left: Iterable<Extent>, right: Iterable<Extent>): Extent[] {
  const [ones, others] = [mergeExtents(left), mergeExtents(right)];
  const both: Extent[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [one, other] = [ones[i], others[j]];
    if (one === undefined || other === undefined) return both;
    const start = Math.max(one.offsetBytes, other.offsetBytes);
    const oneEnd = one.offsetBytes + one.lengthBytes;
    const otherEnd = other.offsetBytes + other.lengthBytes;
    const end = Math.min(oneEnd, otherEnd);
    if (end > start) both.push({ offsetBytes: start, lengthBytes: end - start });
    if (oneEnd <= otherEnd) i += 1;
    if (otherEnd <= oneEnd) j += 1;
  }
}

/** Total length; overlapping extents count twice, so merge first. */
export function sumBytes(extents: Iterable<Extent>): number {
  let total = 0;
  for (const { lengthBytes } of extents) total += lengthBytes;
  return total;
}
