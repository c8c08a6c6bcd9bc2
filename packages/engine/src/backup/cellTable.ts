/** What became of each used cell, in shared memory: written by workers, read by the map builder once all workers are done. */

/** Not read yet: must not occur when the map is built. */
export const CELL_PENDING = 0;
/** Every used byte of the cell is zero: nothing was stored. */
export const CELL_ZERO = 1;
/** Stored as a chunk; its id is in the table. */
export const CELL_DATA = 2;

export const ID_BYTES = 32;

export interface CellTable {
  readonly ids: Uint8Array;
  readonly states: Uint8Array;
}

export function createCellTable(cellCount: number): CellTable {
  return {
    ids: new Uint8Array(new SharedArrayBuffer(Math.max(1, cellCount) * ID_BYTES)),
    states: new Uint8Array(new SharedArrayBuffer(Math.max(1, cellCount))),
  };
}
