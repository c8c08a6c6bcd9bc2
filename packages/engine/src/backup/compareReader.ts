/** Works off a comparison: brings in region after region and notes which pieces are as the last point has them. Stores nothing. */
import { takeNext } from '../threads/control.ts';
import { CELL_BYTES } from './grid.ts';
import type { ThreadTools } from './gridReader.ts';
import { MapWindow } from './rememberedMap.ts';
import { PIECES_PER_CELL } from './sumsOfThread.ts';
import { type CompareWork, PIECE_SAME } from './work.ts';

export class CompareReader {
  readonly #tools: ThreadTools;

  constructor(tools: ThreadTools) {
    this.#tools = tools;
  }

  /** Takes regions until none is left or the run is stopped. */
  work({ grid, verdicts, next, maps }: CompareWork): void {
    const { sink, loader, memory, sums } = this.#tools;
    const windows = maps.map((records) => new MapWindow(records));
    while (!sink.isStopped) {
      const region = takeNext(next);
      if (region >= grid.regionCount) return;
      sink.count(1, loader.load(grid, region, null).readBytes);
      const { firstOrdinal, cells, disk } = loader.region;
      const map = windows[disk];
      // Without sums no piece is known to be the same.
      if (map !== undefined) {
        sums?.compareRegion({ loader, grid, memory }, map, (piece) => {
          verdicts[firstOrdinal * PIECES_PER_CELL + piece] = PIECE_SAME;
        });
      }
      sink.count(0, cells * CELL_BYTES);
    }
  }
}
