/** Finds out by the sums of pieces which ranges of disks differ from the last point, with all cores and without storing anything. */
import { type Extent, mergeExtents } from '@diskfleet/disk';
import type { BackupPool } from './backupPool.ts';
import { CELL_BYTES, cutGrid, type Grid, loadRegion } from './grid.ts';
import { PIECE_BYTES } from './pieceSums.ts';
import { PIECES_PER_CELL } from './sumsOfThread.ts';
import { PIECE_SAME } from './work.ts';

export interface DiskToCompare {
  /** What is used of it; nothing: it is not to be compared. */
  readonly used: readonly Extent[];
  /** The remembered entries, see `Remembered.records`. */
  readonly map: SharedArrayBuffer;
}

/** @returns per disk the pieces that are not known to hold what the last point has of them: sorted, disjoint */
export async function compareDisks(pool: BackupPool, disks: readonly DiskToCompare[]): Promise<Extent[][]> {
  const grid = cutGrid(disks.map(({ used }) => used));
  const verdicts = new Uint8Array(new SharedArrayBuffer(Math.max(1, grid.cellCount * PIECES_PER_CELL)));
  if (grid.cellCount > 0) {
    const next = new Int32Array(new SharedArrayBuffer(8));
    const size = { usedBytes: grid.usedBytes, chunkBytes: grid.cellCount * CELL_BYTES };
    await pool.run({ kind: 'compare', grid, verdicts, next, maps: disks.map(({ map }) => map) }, size);
  }
  return disks.map((_, disk) => piecesThatDiffer(grid, verdicts, disk));
}

function piecesThatDiffer(grid: Grid, verdicts: Uint8Array, disk: number): Extent[] {
  const found: Extent[] = [];
  const region = { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 };
  for (let index = 0; index < grid.regionCount; index++) {
    const { firstCell, firstOrdinal, cells } = loadRegion(grid.regions, index, region);
    if (region.disk !== disk) continue;
    for (let piece = 0; piece < cells * PIECES_PER_CELL; piece++) {
      if (verdicts[firstOrdinal * PIECES_PER_CELL + piece] === PIECE_SAME) continue;
      found.push({ offsetBytes: firstCell * CELL_BYTES + piece * PIECE_BYTES, lengthBytes: PIECE_BYTES });
    }
  }
  return mergeExtents(found);
}
