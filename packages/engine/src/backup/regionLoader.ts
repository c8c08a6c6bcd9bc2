/** Brings a region of a grid into memory: from the disk, or from what was captured; every byte that is in no extent of the grid is zero. */
import { CELL_BYTES, type Grid, loadRegion, REGION_CELLS, type Region } from './grid.ts';
import type { SourceReader } from './sourceReader.ts';

export const REGION_BYTES = CELL_BYTES * REGION_CELLS;

/** Reading over a gap is cheaper than another read. */
const NEAR_BYTES = 128 * 1024;

/** Bytes of the disk that are read in one go. */
interface Span {
  from: number;
  to: number;
}

export interface LoadedRegion {
  /** Bytes read from the medium. */
  readonly readBytes: number;
  /** All of it is a hole of the file: the memory holds zeros. */
  readonly isHole: boolean;
}

export class RegionLoader {
  readonly #readers: readonly SourceReader[];
  readonly #buffer: Buffer;
  readonly region: Region = { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 };

  /** `memory`: page-aligned, at least `REGION_BYTES`; others may use it between two regions. */
  constructor(readers: readonly SourceReader[], memory: Buffer) {
    this.#readers = readers;
    this.#buffer = memory;
  }

  /** @param captured what was read of the grid before, region after region; null: the disks are read */
  load(grid: Grid, index: number, captured: SharedArrayBuffer | null): LoadedRegion {
    const { disk, firstCell, cells, firstOrdinal } = loadRegion(grid.regions, index, this.region);
    const reader = this.#readers[disk];
    const base = firstCell * CELL_BYTES;
    const end = base + cells * CELL_BYTES;
    let loaded: LoadedRegion = { readBytes: 0, isHole: false };
    if (captured !== null) {
      this.#buffer.set(new Uint8Array(captured, firstOrdinal * CELL_BYTES, cells * CELL_BYTES));
    } else if (reader !== undefined) loaded = this.#read(grid, reader, { base, end });
    let clean = 0;
    for (const { from, to } of this.ranges(grid)) {
      if (from - base > clean) this.#buffer.fill(0, clean, from - base);
      clean = to - base;
    }
    if (clean < end - base) this.#buffer.fill(0, clean, end - base);
    return loaded;
  }

  /** The parts of the grid's extents that lie in the region, as bytes of the disk. */
  *ranges({ extents, firstExtentOfDisk }: Grid): Generator<Span> {
    const { disk, firstCell, cells, firstExtent } = this.region;
    const base = firstCell * CELL_BYTES;
    const end = base + cells * CELL_BYTES;
    const last = firstExtentOfDisk[disk + 1] ?? 0;
    for (let index = firstExtent; index < last && (extents[index * 2] ?? 0) < end; index++) {
      yield { from: Math.max(extents[index * 2] ?? 0, base), to: Math.min(extents[index * 2 + 1] ?? 0, end) };
    }
  }

  /** Reads over small gaps and not over large ones. */
  #read(grid: Grid, reader: SourceReader, { base, end }: { readonly base: number; readonly end: number }): LoadedRegion {
    const span: Span = { from: base, to: base };
    let [readBytes, isHole] = [0, true];
    const readSpan = () => {
      if (span.to === span.from) return;
      if (reader.isHole(span)) this.#buffer.fill(0, span.from - base, span.to - base);
      else {
        isHole = false;
        readBytes += reader.read(this.#buffer, base, span);
      }
    };
    for (const { from, to } of this.ranges(grid)) {
      if (from - span.to > NEAR_BYTES || span.to === span.from) {
        readSpan();
        span.from = from;
      }
      span.to = Math.min(to, end);
    }
    readSpan();
    return { readBytes, isHole };
  }
}
