/** From what files claim to what each byte belongs to: pieces are cut down to used bytes nobody else has, and the rest is named. */
import type { Extent } from '@diskfleet/disk';
import { PieceList } from './pieceList.ts';

export interface Settled {
  /** In the order of the disk, disjoint, inside `used`. */
  readonly pieces: PieceList;
  /** What of `used` is in no piece, in the order of the disk. */
  readonly rest: Extent[];
  /** Chunks with a piece that claimed what another one has, or what is not used. */
  readonly disputed: ReadonlySet<number>;
}

/** Of pieces that claim the same bytes the one that begins first gets them (then the one told first). `used` is sorted, disjoint. */
export function settle(claimed: PieceList, used: readonly Extent[]): Settled {
  const { offset } = claimed;
  const order = new Uint32Array(claimed.length).map((_, index) => index);
  if (!isSorted(claimed)) order.sort((a, b) => (offset[a] ?? 0) - (offset[b] ?? 0) || a - b);
  const pieces = new PieceList();
  const rest: Extent[] = [];
  const disputed = new Set<number>();
  let next = 0;
  for (const { offsetBytes, lengthBytes } of used) {
    const usedEnd = offsetBytes + lengthBytes;
    let at = offsetBytes;
    while (next < order.length) {
      const piece = order[next] ?? 0;
      const start = offset[piece] ?? 0;
      if (start >= usedEnd) break;
      const from = Math.max(start, at);
      const to = Math.min(claimed.end(piece), usedEnd);
      if (from > start || to < claimed.end(piece)) {
        disputed.add(claimed.chunk[piece] ?? 0);
        if (pieces.length > 0) disputed.add(pieces.chunk[pieces.length - 1] ?? 0);
      }
      if (to > from) {
        if (from > at) rest.push({ offsetBytes: at, lengthBytes: from - at });
        pieces.add(from, to - from, { chunk: claimed.chunk[piece] ?? 0, at: (claimed.at[piece] ?? 0) + (from - start) });
        at = to;
      }
      // It may go on in the next used extent.
      if (claimed.end(piece) > usedEnd) break;
      next++;
    }
    if (at < usedEnd) rest.push({ offsetBytes: at, lengthBytes: usedEnd - at });
  }
  return { pieces, rest, disputed };
}

function isSorted({ offset, length }: PieceList): boolean {
  for (let index = 1; index < length; index++) if ((offset[index] ?? 0) < (offset[index - 1] ?? 0)) return false;
  return true;
}
