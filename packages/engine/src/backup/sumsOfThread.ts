/** One thread's side of the sums of pieces: notes those of what it stored, compares a disk with what is remembered of it. */
import { pieceHasher } from '@diskfleet/vault';
import type { FileCut } from '../cut/fileCut.ts';
import type { FileGroupReader } from '../cut/fileGroupReader.ts';
import { bytesCutWithin } from '../cut/fileMap.ts';
import { CELL_ZERO, type CellTable } from './cellTable.ts';
import { CELL_BYTES, type Grid } from './grid.ts';
import { addPart, type OnPart, PIECE_BYTES, PieceSummer, SLOT_BYTES, SLOT_KNOWN, slotWith } from './pieceSums.ts';
import { REGION_BYTES, type RegionLoader } from './regionLoader.ts';
import type { MapWindow } from './rememberedMap.ts';
import { type SlotParts, SlotTable } from './slotTable.ts';
import { SumsAfter, SumsBefore, type SumsPlaces } from './sumsFile.ts';
import type { BackupJob } from './work.ts';

export const PIECES_PER_CELL = CELL_BYTES / PIECE_BYTES;
const PIECES_PER_REGION = REGION_BYTES / PIECE_BYTES;
/** Pieces of which a thread has only a part: beyond this many nothing is remembered of them. */
const MOST_SHARED = 1 << 20;

const nothing = Buffer.alloc(SLOT_BYTES);
const odd = Buffer.alloc(SLOT_BYTES, 0xa5);

export class SumsOfThread {
  readonly #places: SumsPlaces;
  readonly #summer: PieceSummer;
  readonly #after: SumsAfter;
  readonly #before: SumsBefore | null;
  readonly #slots = Buffer.alloc(PIECES_PER_REGION * SLOT_BYTES);
  readonly #slotsBefore = Buffer.alloc(PIECES_PER_REGION * SLOT_BYTES);
  readonly #isTouched = new Uint8Array(PIECES_PER_REGION);
  readonly #ofGroup = new SlotTable(Number.POSITIVE_INFINITY);
  readonly #shared = new SlotTable(MOST_SHARED);
  #onPart: OnPart = () => {};

  /** Null where the vault's ids are of a kind that has no cheap sums, or nothing is to be remembered. */
  static open({ sums, seed: { keys, vaultId, idAlgorithm } }: BackupJob): SumsOfThread | null {
    if (sums === null) return null;
    const hasher = pieceHasher({ idKey: keys.idKey, vaultId, idAlgorithm });
    return hasher === null ? null : new SumsOfThread(sums, (onPart) => new PieceSummer(hasher, onPart));
  }

  private constructor(places: SumsPlaces, summer: (onPart: OnPart) => PieceSummer) {
    this.#places = places;
    this.#after = new SumsAfter(places);
    this.#before = places.before === null ? null : new SumsBefore(places.before);
    this.#summer = summer((piece, part) => this.#onPart(piece, part));
  }

  /** A region of a grid whose cells are stored. */
  noteRegion({ loader, grid, memory }: LoadedGrid, table: CellTable): void {
    const { firstCell, firstOrdinal } = loader.region;
    this.#beginRegion(loader);
    let [cell, ordinal] = [-1, firstOrdinal - 1];
    for (const range of loader.ranges(grid)) {
      for (let at = range.from; at < range.to; ) {
        const now = Math.floor(at / CELL_BYTES);
        if (now !== cell) {
          this.#summer.endChunk();
          ordinal = firstOrdinal + now - firstCell;
          cell = now;
        }
        const to = Math.min(range.to, (cell + 1) * CELL_BYTES);
        this.#touch(loader, at, to);
        if (table.states[ordinal] !== CELL_ZERO) this.#add(loader, memory, { from: at, to });
        at = to;
      }
    }
    this.#summer.endChunk();
    for (let piece = 0; piece < PIECES_PER_REGION; piece++) {
      if (this.#isTouched[piece] === 1)
        this.#after.put(this.#slotOf(loader, piece), this.#slots.subarray(piece * SLOT_BYTES, (piece + 1) * SLOT_BYTES));
    }
    this.#after.flush();
  }

  /** Compares a region with the last point; tells which of its pieces, counted from its first, are as they were. */
  compareRegion({ loader, grid, memory }: LoadedGrid, map: MapWindow, tell: (piece: number) => void): void {
    this.#beginRegion(loader);
    const base = loader.region.firstCell * CELL_BYTES;
    const isOther = new Uint8Array(PIECES_PER_REGION);
    map.load(loader.ranges(grid), base);
    for (const { chunk, from, to } of map.byChunk()) {
      this.#touch(loader, from, to);
      if (chunk === 0) this.#expectZeros(memory, { from: from - base, to: to - base }, isOther);
      else this.#add(loader, memory, { from, to });
      if (map.endsChunk) this.#summer.endChunk();
    }
    const before = this.#slotsBefore.subarray(0, loader.region.cells * PIECES_PER_CELL * SLOT_BYTES);
    if (this.#before === null) before.fill(0);
    else this.#before.read(this.#slotOf(loader, 0), before);
    for (let piece = 0; piece < before.length / SLOT_BYTES; piece++) {
      const [start, end] = [piece * SLOT_BYTES, (piece + 1) * SLOT_BYTES];
      if (this.#isTouched[piece] === 0 || isOther[piece] === 1) continue;
      if (this.#slots.compare(before, start, end, start, end) !== 0) continue;
      tell(piece);
      this.#after.put(this.#slotOf(loader, piece), before.subarray(start, end));
    }
    this.#after.flush();
  }

  /** A group of chunks of files that is stored. */
  noteGroup(cut: FileCut, group: number, { loaded, table }: { loaded: FileGroupReader; table: CellTable }): void {
    const disk = loaded.diskOf(cut, group);
    const first = this.#places.firstSlot[disk] ?? 0;
    this.#onPart = (piece, part) => this.#ofGroup.add(first + piece, part ?? odd, 0);
    loaded.eachChunk(cut, group, (chunk, pieces) => {
      for (const { offsetBytes, bytes } of pieces) {
        for (let at = offsetBytes; at < offsetBytes + bytes.length; ) {
          const piece = Math.floor(at / PIECE_BYTES);
          const to = Math.min(offsetBytes + bytes.length, (piece + 1) * PIECE_BYTES);
          this.#ofGroup.add(first + piece, nothing, to - at);
          at = to;
        }
        if (table.states[chunk] !== CELL_ZERO) this.#summer.add(offsetBytes, bytes);
      }
      this.#summer.endChunk();
    });
    const whole: { number: number; slot: Buffer }[] = [];
    this.#ofGroup.take((number, part, bytes) => {
      const fromBytes = (number - first) * PIECE_BYTES;
      const all = bytesCutWithin(cut, disk, { fromBytes, toBytes: fromBytes + PIECE_BYTES });
      if (bytes < all) this.#shared.add(number, part, bytes);
      else whole.push({ number, slot: slotWith(part) });
    });
    for (const { number, slot } of whole.sort((left, right) => left.number - right.number)) this.#after.put(number, slot);
    this.#after.flush();
  }

  /** The parts this thread has of pieces that others have parts of too. */
  takeShared(): SlotParts {
    return this.#shared.takeParts();
  }

  close(): void {
    this.#after.close();
    this.#before?.close();
  }

  #beginRegion(loader: RegionLoader): void {
    const firstPiece = loader.region.firstCell * PIECES_PER_CELL;
    this.#isTouched.fill(0);
    this.#onPart = (piece, part) => addPart(this.#slots, (piece - firstPiece) * SLOT_BYTES, part ?? odd);
  }

  #touch({ region }: RegionLoader, from: number, to: number): void {
    const firstPiece = region.firstCell * PIECES_PER_CELL;
    const end = Math.ceil(to / PIECE_BYTES) - firstPiece;
    for (let piece = Math.floor(from / PIECE_BYTES) - firstPiece; piece < end; piece++) {
      if (this.#isTouched[piece] === 1) continue;
      this.#isTouched[piece] = 1;
      this.#slots.set(SLOT_KNOWN, piece * SLOT_BYTES);
    }
  }

  #add({ region }: RegionLoader, memory: Buffer, { from, to }: { readonly from: number; readonly to: number }): void {
    const base = region.firstCell * CELL_BYTES;
    this.#summer.add(from, memory.subarray(from - base, to - base));
  }

  #expectZeros(memory: Buffer, { from, to }: { readonly from: number; readonly to: number }, isOther: Uint8Array): void {
    for (let at = from; at < to; ) {
      const piece = Math.floor(at / PIECE_BYTES);
      const end = Math.min(to, (piece + 1) * PIECE_BYTES);
      if (!isZero(memory.subarray(at, end))) isOther[piece] = 1;
      at = end;
    }
  }

  #slotOf({ region }: RegionLoader, piece: number): number {
    return (this.#places.firstSlot[region.disk] ?? 0) + region.firstCell * PIECES_PER_CELL + piece;
  }
}

export interface LoadedGrid {
  readonly loader: RegionLoader;
  readonly grid: Grid;
  readonly memory: Buffer;
}

const zeros = Buffer.alloc(PIECE_BYTES);

function isZero(bytes: Buffer): boolean {
  return bytes.equals(zeros.subarray(0, bytes.length));
}
