/**
 * What a machine remembers of every piece (64 KiB) of its disks: a keyed sum of the bytes that were saved. A disk that nobody watched in
 * between is then compared at the speed of reading it, and only the pieces that differ are stored anew: a quarter of a cell of the grid
 * each, a fraction of a chunk of files.
 *
 * The slot of a piece is 16 bytes: `SLOT_KNOWN` xor, for every chunk the map names in the piece, the sum over (the bytes of the piece
 * that are in this chunk, the ranges they lie in). So threads that each store some of the chunks of a piece need not wait for each other,
 * and whoever has the map can make the slot again from the disk. Ranges that are zero by the map add nothing: they are looked at. A slot
 * of zeros: nothing is known. A slot in which a chunk is missing fits no disk on which that chunk is in use: the piece counts as changed.
 */
import type { PieceHasher } from '@diskfleet/vault';
import { REREAD_BYTES } from './reread.ts';

/** What is stored again is as large as what is told apart. */
export const PIECE_BYTES = REREAD_BYTES;
export const SLOT_BYTES = 16;
/** So that a piece of nothing but zeros is not one of which nothing is known. */
export const SLOT_KNOWN = Buffer.from('Diskfleet piece.', 'latin1');

/** Adds one chunk's part (16 bytes) to a slot; `part` is valid during the call. Null: the part is odd, the piece must count as changed. */
export type OnPart = (piece: number, part: Buffer | null) => void;

/** Takes the bytes of one chunk after the other, each in the order of the disk, and gives its part of each piece. */
export class PieceSummer {
  readonly #hasher: PieceHasher;
  readonly #onPart: OnPart;
  readonly #part = Buffer.alloc(SLOT_BYTES);
  /** From and to of each range, inside the piece. */
  readonly #ranges = Buffer.alloc((PIECE_BYTES / 512) * 8);
  #used = 0;
  #end = -1;
  #piece = -1;
  /** More ranges than sectors. */
  #isOdd = false;

  constructor(hasher: PieceHasher, onPart: OnPart) {
    this.#hasher = hasher;
    this.#onPart = onPart;
  }

  /** Bytes of the disk from `offsetBytes` on, behind all that came since the last `endChunk`. */
  add(offsetBytes: number, bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) {
      const at = offsetBytes + done;
      const piece = Math.floor(at / PIECE_BYTES);
      if (piece !== this.#piece) {
        this.endChunk();
        this.#piece = piece;
      }
      const from = at - piece * PIECE_BYTES;
      const to = Math.min(PIECE_BYTES, from + bytes.length - done);
      this.#addRange(from, to);
      this.#hasher.update(bytes.subarray(done, done + to - from));
      done += to - from;
    }
  }

  endChunk(): void {
    if (this.#used > 0) {
      this.#hasher.update(this.#ranges.subarray(0, this.#used));
      this.#part.write(this.#hasher.digest().slice(0, 2 * SLOT_BYTES), 'hex');
      this.#onPart(this.#piece, this.#isOdd ? null : this.#part);
    }
    this.#used = 0;
    this.#end = -1;
    this.#piece = -1;
    this.#isOdd = false;
  }

  /** Ranges that touch are one: how bytes were handed in must not matter. */
  #addRange(from: number, to: number): void {
    if (from !== this.#end) {
      this.#isOdd ||= this.#used === this.#ranges.length;
      if (this.#isOdd) return;
      this.#ranges.writeUInt32LE(from, this.#used);
      this.#used += 8;
    }
    this.#ranges.writeUInt32LE(to, this.#used - 4);
    this.#end = to;
  }
}

/** Adds `part` to the 16 bytes of `slots` at `at`. */
export function addPart(slots: Buffer, at: number, part: Uint8Array): void {
  for (let index = 0; index < SLOT_BYTES; index++) slots[at + index] = (slots[at + index] ?? 0) ^ (part[index] ?? 0);
}

/** The slot of a piece whose parts come to `part`. */
export function slotWith(part: Uint8Array): Buffer {
  const slot = Buffer.from(SLOT_KNOWN);
  addPart(slot, 0, part);
  return slot;
}
