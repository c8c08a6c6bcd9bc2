/** Turns a cut and what became of its chunks into the entries of a disk's map: ranges in the order of the disk, each in one chunk. */
import type { MapEntry } from '@diskfleet/vault';
import { CELL_DATA, CELL_ZERO, type CellTable, ID_BYTES } from '../backup/cellTable.ts';
import { EngineError } from '../errors.ts';
import type { FileCut } from './fileCut.ts';

/** Lazily, so that the map of a huge disk never exists as objects at once. Adjacent zero ranges come out as one entry. */
export function* fileMapEntries(cut: FileCut, table: CellTable, disk: number): Generator<MapEntry> {
  const ids = new ChunkIds(table);
  let zero: { kind: 'zero'; offsetBytes: number; lengthBytes: number } | null = null;
  for (let index = cut.firstOfDisk[disk] ?? 0; index < (cut.firstOfDisk[disk + 1] ?? 0); index++) {
    const entry = pieceEntry(cut, ids, cut.mapOrder[index] ?? 0);
    if (entry.kind === 'zero' && zero !== null && zero.offsetBytes + zero.lengthBytes === entry.offsetBytes) {
      zero.lengthBytes += entry.lengthBytes;
      continue;
    }
    if (zero !== null) yield zero;
    zero = entry.kind === 'zero' ? { ...entry } : null;
    if (entry.kind === 'data') yield entry;
  }
  if (zero !== null) yield zero;
}

/** How many bytes of the disk from `fromBytes` up to `toBytes` the cut takes. */
export function bytesCutWithin(
  cut: FileCut,
  disk: number,
  { fromBytes, toBytes }: { fromBytes: number; toBytes: number },
): number {
  const [first, end] = [cut.firstOfDisk[disk] ?? 0, cut.firstOfDisk[disk + 1] ?? 0];
  const startOf = (index: number) => cut.pieceOffset[cut.mapOrder[index] ?? 0] ?? 0;
  const endOf = (index: number) => startOf(index) + (cut.pieceBytes[cut.mapOrder[index] ?? 0] ?? 0);
  let [low, high] = [first, end];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOf(middle) <= fromBytes) low = middle + 1;
    else high = middle;
  }
  let bytes = 0;
  for (let index = low; index < end && startOf(index) < toBytes; index++) {
    bytes += Math.min(toBytes, endOf(index)) - Math.max(fromBytes, startOf(index));
  }
  return bytes;
}

function pieceEntry(cut: FileCut, ids: ChunkIds, piece: number): MapEntry {
  const chunk = cut.pieceChunk[piece] ?? 0;
  const place = { offsetBytes: cut.pieceOffset[piece] ?? 0, lengthBytes: cut.pieceBytes[piece] ?? 0 };
  const state = ids.table.states[chunk];
  if (state === CELL_ZERO) return { kind: 'zero', ...place };
  if (state !== CELL_DATA) {
    throw new EngineError('WORKER_FAILED', `the chunk with byte ${place.offsetBytes} was left out by the workers`);
  }
  return { kind: 'data', ...place, chunkId: ids.of(chunk), chunkOffsetBytes: cut.pieceAt[piece] ?? 0 };
}

/** Neighbours on the disk are mostly of one chunk: its id is copied out of shared memory once. */
class ChunkIds {
  readonly table: CellTable;
  #chunk = -1;
  #id = Buffer.alloc(0);

  constructor(table: CellTable) {
    this.table = table;
  }

  of(chunk: number): Buffer {
    if (chunk !== this.#chunk) {
      this.#chunk = chunk;
      this.#id = Buffer.from(this.table.ids.subarray(chunk * ID_BYTES, (chunk + 1) * ID_BYTES));
    }
    return this.#id;
  }
}
