/**
 * Chunks of what belongs to no file: folders, inode tables, bitmaps, files whose place is not known. On a full disk that is a little
 * of everywhere, and cells of the grid would be nearly empty and nearly as many as without files. So a range of the disk becomes one
 * chunk as long as what is left in it fits one, else its halves do: ranges of 16 MiB down to 256 KiB, always at multiples of their
 * size, so that a change in one place changes one chunk. A range that is in use throughout is left to the grid, which would make the
 * same chunks of it and needs no piece for each.
 */
import type { Extent } from '@diskfleet/disk';
import { FILE_CHUNK_BYTES, PAGE_BYTES, REST_RANGE_BYTES } from './fileCut.ts';
import { PieceList } from './pieceList.ts';

export interface RestChunks {
  /** In the order of the disk. Chunks are numbered from 0. */
  readonly pieces: PieceList;
  readonly chunkBytes: number[];
  /** Left to the grid: in the order of the disk, disjoint. */
  readonly others: Extent[];
}

/** @param rest sorted, disjoint */
export function chunkRest(rest: readonly Extent[]): RestChunks {
  const chunks: RestChunks = { pieces: new PieceList(), chunkBytes: [], others: [] };
  let first = 0;
  for (let start = 0; first < rest.length; ) {
    const extent = rest[first];
    if (extent === undefined) break;
    start = Math.max(start, Math.floor(extent.offsetBytes / REST_RANGE_BYTES) * REST_RANGE_BYTES);
    const whole = wholeRanges(extent, start);
    if (whole > 0) chunks.others.push({ offsetBytes: start, lengthBytes: whole });
    else divide(chunks, rest, { first, start, bytes: REST_RANGE_BYTES });
    start += Math.max(whole, REST_RANGE_BYTES);
    while (first < rest.length && endOf(rest[first]) <= start) first++;
  }
  return chunks;
}

/** How many bytes of ranges from `start` on lie in the extent, every byte of each. */
function wholeRanges({ offsetBytes, lengthBytes }: Extent, start: number): number {
  if (offsetBytes > start) return 0;
  return Math.max(0, Math.floor((offsetBytes + lengthBytes - start) / REST_RANGE_BYTES)) * REST_RANGE_BYTES;
}

interface Range {
  /** The first extent that reaches into the range or lies behind it. */
  readonly first: number;
  readonly start: number;
  readonly bytes: number;
}

function divide(chunks: RestChunks, rest: readonly Extent[], { first, start, bytes }: Range): void {
  const end = start + bytes;
  let sum = 0;
  for (let index = first; index < rest.length && (rest[index]?.offsetBytes ?? end) < end; index++) {
    sum += lengthWithin(rest[index], start, end);
  }
  if (sum === 0) return;
  if (sum > FILE_CHUNK_BYTES) {
    const half = bytes / 2;
    divide(chunks, rest, { first, start, bytes: half });
    let second = first;
    while (second < rest.length && endOf(rest[second]) <= start + half) second++;
    divide(chunks, rest, { first: second, start: start + half, bytes: half });
    return;
  }
  let at = 0;
  for (let index = first; index < rest.length && (rest[index]?.offsetBytes ?? end) < end; index++) {
    const length = lengthWithin(rest[index], start, end);
    if (length === 0) continue;
    chunks.pieces.add(Math.max(rest[index]?.offsetBytes ?? 0, start), length, { chunk: chunks.chunkBytes.length, at });
    at += length;
  }
  chunks.chunkBytes.push(Math.ceil(at / PAGE_BYTES) * PAGE_BYTES);
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? Number.POSITIVE_INFINITY : extent.offsetBytes + extent.lengthBytes;
}

function lengthWithin(extent: Extent | undefined, start: number, end: number): number {
  if (extent === undefined) return 0;
  return Math.max(0, Math.min(extent.offsetBytes + extent.lengthBytes, end) - Math.max(extent.offsetBytes, start));
}
