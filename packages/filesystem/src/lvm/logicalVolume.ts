/** The bytes of a logical volume: where each lies, and a device made of the pieces. */
import { type BlockDevice, DiskError, type Extent } from '@diskfleet/disk';
import type { Segment } from './volumeGroup.ts';

/** A run of a logical volume as it lies on one member. */
export interface Piece {
  readonly member: string;
  /** Within the logical volume. */
  readonly volumeOffsetBytes: number;
  /** Within the data of the member, which begins with its first extent. */
  readonly dataOffsetBytes: number;
  readonly lengthBytes: number;
}

/** The pieces of a range in the order of the volume: one a stripe's turn. The range lies inside the segments. */
export function* piecesOf(segments: readonly Segment[], extentBytes: number, range: Extent): Generator<Piece> {
  const end = range.offsetBytes + range.lengthBytes;
  for (let at = range.offsetBytes; at < end; ) {
    const segment = segmentAt(segments, Math.floor(at / extentBytes));
    const { stripeBytes, stripes } = segment;
    const inside = at - segment.startExtent * extentBytes;
    const turn = Math.floor(inside / stripeBytes);
    const stripe = stripes[turn % stripes.length];
    const within = inside % stripeBytes;
    const segmentEnd = (segment.startExtent + segment.extentCount) * extentBytes;
    const turnEnd = stripes.length === 1 ? segmentEnd : at + stripeBytes - within;
    const lengthBytes = Math.min(end, turnEnd) - at;
    if (stripe === undefined) throw outside(at);
    const before = stripes.length === 1 ? inside : Math.floor(turn / stripes.length) * stripeBytes + within;
    const dataOffsetBytes = stripe.startExtent * extentBytes + before;
    yield { member: stripe.member, volumeOffsetBytes: at, dataOffsetBytes, lengthBytes };
    at += lengthBytes;
  }
}

/** What ranges of a volume cover on each member, not in order: of each range one extent a stripe, however many turns it takes. */
export function* coverOf(segments: readonly Segment[], extentBytes: number, ranges: Iterable<Extent>): Generator<Piece> {
  for (const { offsetBytes, lengthBytes } of ranges) {
    const end = offsetBytes + lengthBytes;
    for (let at = offsetBytes; at < end; ) {
      const segment = segmentAt(segments, Math.floor(at / extentBytes));
      const start = segment.startExtent * extentBytes;
      const stop = Math.min(end, start + segment.extentCount * extentBytes);
      yield* coverOfSegment(segment, extentBytes, { from: at - start, to: stop - start });
      at = stop;
    }
  }
}

function* coverOfSegment(segment: Segment, extentBytes: number, { from, to }: { from: number; to: number }): Generator<Piece> {
  const { stripeBytes, stripes, startExtent } = segment;
  const rowBytes = stripeBytes * stripes.length;
  for (const [index, { member, startExtent: first }] of stripes.entries()) {
    // How far into its own stripe the range has come before its first byte, and before its end.
    const upTo = (bytes: number) => {
      const row = Math.floor(bytes / rowBytes);
      return row * stripeBytes + Math.min(Math.max(bytes - row * rowBytes - index * stripeBytes, 0), stripeBytes);
    };
    const [begin, end] = [upTo(from), upTo(to)];
    if (end <= begin) continue;
    const volumeOffsetBytes = startExtent * extentBytes + from;
    yield { member, volumeOffsetBytes, dataOffsetBytes: first * extentBytes + begin, lengthBytes: end - begin };
  }
}

/** Binary search: the segments follow each other without gaps from extent 0. */
function segmentAt(segments: readonly Segment[], extent: number): Segment {
  let [low, high] = [0, segments.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle]?.startExtent ?? 0) <= extent) low = middle;
    else high = middle - 1;
  }
  const segment = segments[low];
  if (segment === undefined || extent >= segment.startExtent + segment.extentCount) throw outside(extent);
  return segment;
}

function outside(place: number): DiskError {
  return new DiskError('DISK_OUT_OF_RANGE', `${place} lies outside of the logical volume`);
}

/** @param data the data of each member, from its first extent on; closing the device leaves them open */
export function logicalDevice(
  segments: readonly Segment[],
  extentBytes: number,
  data: ReadonlyMap<string, BlockDevice>,
): BlockDevice {
  const sizeBytes = segments.reduce((sum, { extentCount }) => sum + extentCount * extentBytes, 0);
  const sectorBytes = Math.max(512, ...[...data.values()].map((device) => device.sectorBytes));
  return {
    sizeBytes,
    sectorBytes,
    async read(offsetBytes, target) {
      if (!(offsetBytes >= 0 && offsetBytes + target.length <= sizeBytes)) throw outside(offsetBytes);
      for (const piece of piecesOf(segments, extentBytes, { offsetBytes, lengthBytes: target.length })) {
        const device = data.get(piece.member);
        if (device === undefined) throw outside(offsetBytes);
        const from = piece.volumeOffsetBytes - offsetBytes;
        await device.read(piece.dataOffsetBytes, target.subarray(from, from + piece.lengthBytes));
      }
    },
    async close() {},
  };
}
