/**
 * The grid cutter: used bytes of a disk, grouped into cells of 256 KiB counted from byte 0, and cells into regions a worker
 * reads in one go. Pure arithmetic over typed arrays in shared memory, so that a worker needs no message to know its work and a
 * disk of many terabytes costs memory for its *used* cells only.
 *
 * Invariant (property-tested): every used byte lies in exactly one cell of exactly one region.
 */
import type { Extent } from '@diskfleet/disk';

/** Unit of deduplication. Small enough that a 4 KiB change costs little, large enough that the index stays small. */
export const CELL_BYTES = 256 * 1024;
/** Most cells one worker reads at once (4 MiB). */
export const REGION_CELLS = 16;

/** Numbers per region in `Grid.regions`: disk number, first cell, count of cells, ordinal of the first cell, its first extent. */
export const REGION_FIELDS = 5;

export interface Grid {
  /** Start and end of each used extent in bytes: `[start0, end0, start1, end1, …]`, disks after each other. */
  readonly extents: Float64Array;
  /** Index of the first extent of each disk, and the total at the end. */
  readonly firstExtentOfDisk: readonly number[];
  readonly regions: Float64Array;
  readonly regionCount: number;
  /** Count of used cells; cells are numbered by ordinals in disk and device order. */
  readonly cellCount: number;
  readonly usedBytes: number;
}

/** Cuts the used extents (sorted, disjoint) of each disk. */
export function cutGrid(disks: readonly (readonly Extent[])[]): Grid {
  let extentCount = 0;
  for (const extents of disks) extentCount += extents.length;
  const flat = new Float64Array(new SharedArrayBuffer(Math.max(1, extentCount) * 16));
  const firstExtentOfDisk: number[] = [];
  const regions: number[] = [];
  const state = { at: 0, cellCount: 0, usedBytes: 0 };
  for (const [disk, extents] of disks.entries()) {
    firstExtentOfDisk.push(state.at);
    cutDisk(disk, extents, { flat, regions, state });
  }
  firstExtentOfDisk.push(state.at);
  const shared = new Float64Array(new SharedArrayBuffer(Math.max(1, regions.length) * 8));
  shared.set(regions);
  return {
    extents: flat,
    firstExtentOfDisk,
    regions: shared,
    regionCount: regions.length / REGION_FIELDS,
    cellCount: state.cellCount,
    usedBytes: state.usedBytes,
  };
}

interface Cutting {
  readonly flat: Float64Array;
  readonly regions: number[];
  readonly state: { at: number; cellCount: number; usedBytes: number };
}

function cutDisk(disk: number, extents: readonly Extent[], { flat, regions, state }: Cutting): void {
  let lastCell = -1;
  let room = 0;
  for (const { offsetBytes, lengthBytes } of extents) {
    const index = state.at++;
    flat[index * 2] = offsetBytes;
    flat[index * 2 + 1] = offsetBytes + lengthBytes;
    state.usedBytes += lengthBytes;
    const from = Math.max(Math.floor(offsetBytes / CELL_BYTES), lastCell + 1);
    const to = Math.floor((offsetBytes + lengthBytes - 1) / CELL_BYTES);
    for (let cell = from; cell <= to; cell++) {
      if (room > 0 && cell === lastCell + 1) {
        const last = regions.length - REGION_FIELDS + 2;
        regions[last] = (regions[last] ?? 0) + 1;
        room--;
      } else {
        regions.push(disk, cell, 1, state.cellCount, index);
        room = REGION_CELLS - 1;
      }
      state.cellCount++;
      lastCell = cell;
    }
  }
}

export interface Region {
  disk: number;
  firstCell: number;
  cells: number;
  firstOrdinal: number;
  /** Index of the first extent that reaches into the region. */
  firstExtent: number;
}

/** Reads region `index` into `target` (reused by the caller: nothing is allocated per region). */
export function loadRegion(regions: Float64Array, index: number, target: Region): Region {
  const at = index * REGION_FIELDS;
  target.disk = regions[at] ?? 0;
  target.firstCell = regions[at + 1] ?? 0;
  target.cells = regions[at + 2] ?? 0;
  target.firstOrdinal = regions[at + 3] ?? 0;
  target.firstExtent = regions[at + 4] ?? 0;
  return target;
}
