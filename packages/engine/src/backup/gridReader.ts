/** Works off a grid: reads region after region (from the disk, or from what was captured), blanks what is free, hands in its cells. */
import { takeNext } from '../threads/control.ts';
import type { ChunkSink } from './chunkSink.ts';
import { CELL_BYTES, loadRegion, REGION_CELLS, type Region } from './grid.ts';
import type { SourceReader } from './sourceReader.ts';
import type { BackupJob, GridWork } from './work.ts';

export const REGION_BYTES = CELL_BYTES * REGION_CELLS;

/** What the readers of one thread share. */
export interface ThreadTools {
  readonly readers: readonly SourceReader[];
  readonly sink: ChunkSink;
  readonly memory: Buffer;
}

/** Reading over a gap is cheaper than another read. */
const NEAR_BYTES = 128 * 1024;

/** Bytes of the disk that are read in one go. */
interface Span {
  from: number;
  to: number;
}

export class GridReader {
  readonly #job: BackupJob;
  readonly #readers: readonly SourceReader[];
  readonly #sink: ChunkSink;
  readonly #buffer: Buffer;
  /** `#buffer`, cell by cell. */
  readonly #cells: readonly Buffer[];
  readonly #region: Region = { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 };

  /** `memory`: page-aligned, at least `REGION_BYTES`; others may use it between two works. */
  constructor(job: BackupJob, { readers, sink, memory }: ThreadTools) {
    this.#job = job;
    this.#readers = readers;
    this.#sink = sink;
    this.#buffer = memory;
    this.#cells = Array.from({ length: REGION_CELLS }, (_, cell) => memory.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES));
  }

  /** Takes regions until none is left or the run is stopped. */
  async work(work: GridWork): Promise<void> {
    while (!this.#sink.isStopped) {
      const next = takeNext(work.next);
      if (next >= work.grid.regionCount) return;
      const region = loadRegion(work.grid.regions, next, this.#region);
      const reader = this.#readers[region.disk];
      if (reader === undefined) return;
      if (this.#load(work, reader)) await this.#storeCells(work);
      else {
        const { firstOrdinal: first, cells: count } = region;
        this.#sink.markZero(work.table, { first, count, bytes: count * CELL_BYTES });
      }
      this.#sink.reportPacks();
    }
  }

  /** Fills the buffer with the region and blanks every byte of it that is in no used extent. False: all of it is a hole. */
  #load(work: GridWork, reader: SourceReader): boolean {
    const { extents } = work.grid;
    const { firstCell, cells, firstExtent, disk, firstOrdinal } = this.#region;
    const base = firstCell * CELL_BYTES;
    const end = base + cells * CELL_BYTES;
    const last = work.grid.firstExtentOfDisk[disk + 1] ?? 0;
    if (work.captured !== null) {
      this.#buffer.set(new Uint8Array(work.captured, firstOrdinal * CELL_BYTES, cells * CELL_BYTES));
    } else if (!this.#read(work, reader, { base, end })) return false;
    let clean = 0;
    for (let index = firstExtent; index < last && (extents[index * 2] ?? 0) < end; index++) {
      const start = Math.max(extents[index * 2] ?? 0, base) - base;
      if (start > clean) this.#buffer.fill(0, clean, start);
      clean = Math.min(extents[index * 2 + 1] ?? 0, end) - base;
    }
    if (clean < end - base) this.#buffer.fill(0, clean, end - base);
    return true;
  }

  /** Reads the used extents of the region, over small gaps and not over large ones. False: all of it is a hole. */
  #read(
    { grid: { extents, firstExtentOfDisk } }: GridWork,
    reader: SourceReader,
    region: { base: number; end: number },
  ): boolean {
    const { base, end } = region;
    const last = firstExtentOfDisk[this.#region.disk + 1] ?? 0;
    const span: Span = { from: base, to: base };
    let found = false;
    const readSpan = () => {
      if (span.to === span.from) return;
      if (reader.isHole(span)) this.#buffer.fill(0, span.from - base, span.to - base);
      else {
        found = true;
        this.#sink.count(1, reader.read(this.#buffer, base, span));
      }
    };
    for (let index = this.#region.firstExtent; index < last && (extents[index * 2] ?? 0) < end; index++) {
      const from = Math.max(extents[index * 2] ?? 0, base);
      if (from - span.to > NEAR_BYTES || span.to === span.from) {
        readSpan();
        span.from = from;
      }
      span.to = Math.min(extents[index * 2 + 1] ?? 0, end);
    }
    readSpan();
    return found;
  }

  async #storeCells({ table }: GridWork): Promise<void> {
    const { disk, firstCell, cells, firstOrdinal } = this.#region;
    const sizeBytes = this.#job.sources[disk]?.sizeBytes ?? 0;
    for (let index = 0; index < cells; index++) {
      const length = Math.min(CELL_BYTES, sizeBytes - (firstCell + index) * CELL_BYTES);
      const whole = this.#cells[index];
      if (whole === undefined) return;
      const cell = length === CELL_BYTES ? whole : whole.subarray(0, length);
      if (!(await this.#sink.store(cell, table, firstOrdinal + index))) return;
    }
  }
}
