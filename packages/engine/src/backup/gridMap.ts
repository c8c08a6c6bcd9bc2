/** Turns the filled cell table into the entries of a disk's map: used ranges in device order, each in exactly one chunk. */
import type { MapEntry } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { CELL_DATA, CELL_ZERO, type CellTable, ID_BYTES } from './cellTable.ts';
import { CELL_BYTES, type Grid, REGION_FIELDS } from './grid.ts';

/** Lazily, so that the map of a huge disk never exists as objects at once. Adjacent zero ranges come out as one entry. */
export function* gridMapEntries(grid: Grid, table: CellTable, disk: number): Generator<MapEntry> {
  let ordinal = firstOrdinalOf(grid, disk) - 1;
  let lastCell = -1;
  let zero: { kind: 'zero'; offsetBytes: number; lengthBytes: number } | null = null;
  const end = grid.firstExtentOfDisk[disk + 1] ?? 0;
  for (let index = grid.firstExtentOfDisk[disk] ?? 0; index < end; index++) {
    const extentEnd = grid.extents[index * 2 + 1] ?? 0;
    let at = grid.extents[index * 2] ?? 0;
    while (at < extentEnd) {
      const cell = Math.floor(at / CELL_BYTES);
      if (cell !== lastCell) ordinal++;
      lastCell = cell;
      const stop = Math.min(extentEnd, (cell + 1) * CELL_BYTES);
      const entry = cellEntry(table, ordinal, at, stop);
      if (entry.kind === 'zero' && zero !== null && zero.offsetBytes + zero.lengthBytes === at) {
        zero.lengthBytes += entry.lengthBytes;
      } else {
        if (zero !== null) yield zero;
        zero = entry.kind === 'zero' ? { ...entry } : null;
        if (entry.kind === 'data') yield entry;
      }
      at = stop;
    }
  }
  if (zero !== null) yield zero;
}

function cellEntry(table: CellTable, ordinal: number, from: number, to: number): MapEntry {
  const state = table.states[ordinal];
  if (state === CELL_ZERO) return { kind: 'zero', offsetBytes: from, lengthBytes: to - from };
  if (state !== CELL_DATA) throw new EngineError('WORKER_FAILED', `the cell at byte ${from} was left out by the workers`);
  return {
    kind: 'data',
    offsetBytes: from,
    lengthBytes: to - from,
    chunkId: Buffer.from(table.ids.subarray(ordinal * ID_BYTES, (ordinal + 1) * ID_BYTES)),
    chunkOffsetBytes: from % CELL_BYTES,
  };
}

/** Ordinals run on from disk to disk: count the cells of the disks before. */
function firstOrdinalOf(grid: Grid, disk: number): number {
  for (let region = 0; region < grid.regionCount; region++) {
    if ((grid.regions[region * REGION_FIELDS] ?? 0) >= disk) return grid.regions[region * REGION_FIELDS + 3] ?? 0;
  }
  return grid.cellCount;
}
