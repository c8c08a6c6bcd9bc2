/**
 * Brings the chunks of one group into memory: its pieces in the order of the disk, neighbours in one read, small gaps read through
 * rather than skipped. A run that lies in the chunks as it lies on the disk is read straight into them. All memory is made once.
 */
import { alignedBuffer } from '@diskfleet/disk';
import { type FileCut, GROUP_BYTES, GROUP_FIELDS, PAGE_BYTES } from './fileCut.ts';

/** To read on costs less than to ask again. */
const GAP_BYTES = 64 * 1024;
/** A run this long goes straight to its place even where a neighbour that does not could be read along with it. */
const LONG_RUN_BYTES = 256 * 1024;
/** Longest run that does not go straight to its place. */
const STAGED_BYTES = 1024 * 1024;

interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** One disk, as a worker reads it. */
export interface PieceSource {
  isHole(range: ByteRange): boolean;
  /**
   * Reads at least `range` to where byte 0 of `target` is byte `base` of the disk, and no more than the blocks of 4096 bytes it
   * touches; `target` is page-aligned and `base` a multiple of 4096. @returns bytes read
   */
  read(target: Buffer, base: number, range: ByteRange): number;
}

export class FileGroupReader {
  readonly #buffer: Buffer;
  readonly #staging = alignedBuffer(STAGED_BYTES + 2 * PAGE_BYTES);
  /** Where each chunk of the group begins in `#buffer`, and where the last one ends. */
  readonly #starts = new Uint32Array(GROUP_BYTES / PAGE_BYTES + 1);
  #firstChunk = 0;
  /** How many chunks are loaded. */
  chunkCount = 0;

  /** @param memory page-aligned, at least `GROUP_BYTES`; others may use it between two groups */
  constructor(memory: Buffer) {
    this.#buffer = memory;
  }

  /** @returns bytes read from the disk */
  load(cut: FileCut, group: number, source: PieceSource): number {
    const row = group * GROUP_FIELDS;
    this.#firstChunk = cut.groups[row + 1] ?? 0;
    this.chunkCount = (cut.groups[row + GROUP_FIELDS + 1] ?? 0) - this.#firstChunk;
    const first = cut.groups[row + 2] ?? 0;
    const end = cut.groups[row + GROUP_FIELDS + 2] ?? 0;
    this.#prepare(cut, first, end);
    let readBytes = 0;
    for (let piece = first; piece < end; ) {
      const run = this.#runFrom(cut, piece, end);
      readBytes += this.#readRun(cut, run, source);
      piece = run.next;
    }
    return readBytes;
  }

  /** The chunk at `index` of the group, page-aligned; valid until the next `load`. */
  chunk(index: number): Buffer {
    return this.#buffer.subarray(this.#starts[index] ?? 0, this.#starts[index + 1] ?? 0);
  }

  diskOf(cut: FileCut, group: number): number {
    return cut.groups[group * GROUP_FIELDS] ?? 0;
  }

  /** Tells of every chunk of the loaded group with its pieces, those in the order of the disk. */
  eachChunk(cut: FileCut, group: number, tell: (chunk: number, pieces: readonly LoadedPiece[]) => void): void {
    const row = group * GROUP_FIELDS;
    const end = cut.groups[row + GROUP_FIELDS + 2] ?? 0;
    const ofChunk: LoadedPiece[][] = Array.from({ length: this.chunkCount }, () => []);
    for (let piece = cut.groups[row + 2] ?? 0; piece < end; piece++) {
      const place = this.#placeOf(cut, piece);
      const bytes = this.#buffer.subarray(place, place + (cut.pieceBytes[piece] ?? 0));
      ofChunk[(cut.pieceChunk[piece] ?? 0) - this.#firstChunk]?.push({ offsetBytes: cut.pieceOffset[piece] ?? 0, bytes });
    }
    for (const [index, pieces] of ofChunk.entries()) tell(this.#firstChunk + index, pieces);
  }

  /** Lays the chunks out; what no piece will fill has to be zero. */
  #prepare(cut: FileCut, first: number, end: number): void {
    let at = 0;
    for (let index = 0; index < this.chunkCount; index++) {
      this.#starts[index] = at;
      at += cut.chunkBytes[this.#firstChunk + index] ?? 0;
    }
    this.#starts[this.chunkCount] = at;
    let covered = 0;
    for (let piece = first; piece < end; piece++) covered += cut.pieceBytes[piece] ?? 0;
    if (covered < at) this.#buffer.fill(0, 0, at);
  }

  /** Where a piece goes in `#buffer`. */
  #placeOf(cut: FileCut, piece: number): number {
    return (this.#starts[(cut.pieceChunk[piece] ?? 0) - this.#firstChunk] ?? 0) + (cut.pieceAt[piece] ?? 0);
  }

  #runFrom(cut: FileCut, first: number, end: number): Run {
    const from = cut.pieceOffset[first] ?? 0;
    let to = from + (cut.pieceBytes[first] ?? 0);
    const shift = from - this.#placeOf(cut, first);
    let straight = shift % PAGE_BYTES === 0 && from % PAGE_BYTES === 0;
    let next = first + 1;
    for (; next < end; next++) {
      const offset = cut.pieceOffset[next] ?? 0;
      const pieceEnd = offset + (cut.pieceBytes[next] ?? 0);
      const goesOn = offset === to && offset - this.#placeOf(cut, next) === shift;
      const room = straight && goesOn && pieceEnd % PAGE_BYTES === 0 ? GROUP_BYTES : STAGED_BYTES;
      if (offset - to > GAP_BYTES || pieceEnd - from > room) break;
      if (!goesOn && straight && to - from >= LONG_RUN_BYTES && to % PAGE_BYTES === 0) break;
      straight &&= goesOn;
      to = pieceEnd;
    }
    return { first, next, from, to, straight: straight && to % PAGE_BYTES === 0 };
  }

  #readRun(cut: FileCut, { first, next, from, to, straight }: Run, source: PieceSource): number {
    if (source.isHole({ from, to })) {
      for (let piece = first; piece < next; piece++) {
        const place = this.#placeOf(cut, piece);
        this.#buffer.fill(0, place, place + (cut.pieceBytes[piece] ?? 0));
      }
      return 0;
    }
    if (straight) return source.read(this.#buffer, from - this.#placeOf(cut, first), { from, to });
    const base = from - (from % PAGE_BYTES);
    const readBytes = source.read(this.#staging, base, { from, to });
    for (let piece = first; piece < next; piece++) {
      const start = (cut.pieceOffset[piece] ?? 0) - base;
      this.#staging.copy(this.#buffer, this.#placeOf(cut, piece), start, start + (cut.pieceBytes[piece] ?? 0));
    }
    return readBytes;
  }
}

/** Pieces `first` to `next` (not included), read together as bytes `from` to `to` of the disk. */
interface Run extends ByteRange {
  readonly first: number;
  readonly next: number;
  /** They lie in the buffer as on the disk, and on page borders. */
  readonly straight: boolean;
}

/** A piece of the disk as it lies in memory. */
export interface LoadedPiece {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}
