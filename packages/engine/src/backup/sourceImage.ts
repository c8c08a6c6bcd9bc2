/**
 * The image of all disks of one run as it grows: each work that was stored is a layer over those before. `used` is what the image
 * covers; the map of a disk is its layers, the newest on top.
 */
import type { Extent } from '@diskfleet/disk';
import type { MapEntry } from '@diskfleet/vault';
import type { BackupPool } from './backupPool.ts';
import { createCellTable } from './cellTable.ts';
import { CELL_BYTES, cutGrid, type Grid } from './grid.ts';
import { gridMapEntries } from './gridMap.ts';
import { overlayEntries } from './layers.ts';

/** The map of disk number `disk`, in device order. Called once or more, lazily. */
export type Layer = (disk: number) => Iterable<MapEntry>;

export class SourceImage {
  readonly #layers: Layer[] = [];
  /** What people should know of how it came about. */
  readonly warnings: string[] = [];

  add(layer: Layer): void {
    this.#layers.push(layer);
  }

  entries(disk: number): Iterable<MapEntry> {
    return this.#layers.reduce<Iterable<MapEntry>>((under, layer) => overlayEntries(under, layer(disk)), []);
  }
}

/** Reads (or takes from `captured`) and stores the given extents of each disk by the grid. */
export async function storeGrid(
  pool: BackupPool,
  source: { readonly disks: readonly (readonly Extent[])[]; readonly captured?: { grid: Grid; memory: SharedArrayBuffer } },
): Promise<Layer> {
  const grid = source.captured?.grid ?? cutGrid(source.disks);
  const table = createCellTable(grid.cellCount);
  if (grid.cellCount > 0) {
    const work = {
      kind: 'grid' as const,
      grid,
      table,
      captured: source.captured?.memory ?? null,
      next: new Int32Array(new SharedArrayBuffer(8)),
    };
    await pool.run(work, { usedBytes: grid.usedBytes, chunkBytes: grid.cellCount * CELL_BYTES });
  }
  return (disk) => gridMapEntries(grid, table, disk);
}
