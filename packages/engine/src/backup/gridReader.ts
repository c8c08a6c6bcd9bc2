/** Works off a grid: brings in region after region, hands in its cells, remembers the sums of its pieces. */
import { takeNext } from '../threads/control.ts';
import type { ChunkSink } from './chunkSink.ts';
import { CELL_BYTES, REGION_CELLS } from './grid.ts';
import type { RegionLoader } from './regionLoader.ts';
import type { SourceReader } from './sourceReader.ts';
import type { SumsOfThread } from './sumsOfThread.ts';
import type { BackupJob, GridWork } from './work.ts';

/** What the readers of one thread share. */
export interface ThreadTools {
  readonly readers: readonly SourceReader[];
  readonly sink: ChunkSink;
  readonly loader: RegionLoader;
  /** Page-aligned; whoever works has it for itself. */
  readonly memory: Buffer;
  /** Null where nothing is remembered. */
  readonly sums: SumsOfThread | null;
}

export class GridReader {
  readonly #job: BackupJob;
  readonly #tools: ThreadTools;
  /** The memory, cell by cell. */
  readonly #cells: readonly Buffer[];

  constructor(job: BackupJob, tools: ThreadTools) {
    this.#job = job;
    this.#tools = tools;
    this.#cells = Array.from({ length: REGION_CELLS }, (_, cell) =>
      tools.memory.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES),
    );
  }

  /** Takes regions until none is left or the run is stopped. */
  async work(work: GridWork): Promise<void> {
    const { sink, loader, memory, sums } = this.#tools;
    while (!sink.isStopped) {
      const next = takeNext(work.next);
      if (next >= work.grid.regionCount) return;
      const { readBytes, isHole } = loader.load(work.grid, next, work.captured);
      sink.count(1, readBytes);
      if (!isHole) await this.#storeCells(work);
      else {
        const { firstOrdinal: first, cells: count } = loader.region;
        sink.markZero(work.table, { first, count, bytes: count * CELL_BYTES });
      }
      if (!sink.isStopped) sums?.noteRegion({ loader, grid: work.grid, memory }, work.table);
      sink.reportPacks();
    }
  }

  async #storeCells({ table }: GridWork): Promise<void> {
    const { disk, firstCell, cells, firstOrdinal } = this.#tools.loader.region;
    const sizeBytes = this.#job.sources[disk]?.sizeBytes ?? 0;
    for (let index = 0; index < cells; index++) {
      const length = Math.min(CELL_BYTES, sizeBytes - (firstCell + index) * CELL_BYTES);
      const whole = this.#cells[index];
      if (whole === undefined) return;
      const cell = length === CELL_BYTES ? whole : whole.subarray(0, length);
      if (!(await this.#tools.sink.store(cell, table, firstOrdinal + index))) return;
    }
  }
}
