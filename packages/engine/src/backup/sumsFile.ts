/**
 * The slots of all pieces of all disks of a series, in one sparse file: a head that names the point they are of, then a slot per piece,
 * disks after each other. Threads read the file of the last point and write that of the new one, each at places of its own; the new file
 * gets its head, and its name, when the point is durable. A cache: whatever is odd about it, it is not used, and what cannot be
 * written is not remembered.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { SLOT_BYTES } from './pieceSums.ts';

export const SUMS_HEAD_BYTES = 64;
/** Slots that are written in one go. */
const MOST_WAITING = 1024;

/** Plain data for the threads. */
export interface SumsPlaces {
  /** Null: nothing is known. */
  readonly before: string | null;
  readonly after: string;
  /** Number of the first slot of each disk. */
  readonly firstSlot: readonly number[];
  /** Set to 1 when something could not be written: then nothing is remembered. In shared memory. */
  readonly broken: Int32Array;
}

/** The slots of the last point. */
export class SumsBefore {
  #file: number | null = null;

  constructor(path: string) {
    try {
      this.#file = openSync(path, 'r');
    } catch {
      // Nothing is known.
    }
  }

  /** Fills `target` with slots from number `first` on; zeros where nothing is known. */
  read(first: number, target: Buffer): void {
    let done = 0;
    try {
      while (this.#file !== null && done < target.length) {
        const count = readSync(this.#file, target, done, target.length - done, offsetOf(first) + done);
        if (count === 0) break;
        done += count;
      }
    } catch {
      done = 0;
    }
    target.fill(0, done);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

/** The slots of the new point, written where they follow each other in one go. */
export class SumsAfter {
  readonly #broken: Int32Array;
  readonly #waiting = Buffer.alloc(MOST_WAITING * SLOT_BYTES);
  #file: number | null = null;
  #first = 0;
  #count = 0;

  constructor({ after, broken }: SumsPlaces) {
    this.#broken = broken;
    this.#try(() => {
      this.#file = openSync(after, 'r+');
    });
  }

  put(number: number, slot: Uint8Array): void {
    if (number !== this.#first + this.#count || this.#count === MOST_WAITING) this.flush();
    if (this.#count === 0) this.#first = number;
    this.#waiting.set(slot, this.#count * SLOT_BYTES);
    this.#count += 1;
  }

  flush(): void {
    const [file, bytes, at] = [this.#file, this.#waiting.subarray(0, this.#count * SLOT_BYTES), offsetOf(this.#first)];
    this.#count = 0;
    if (file === null || bytes.length === 0) return;
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
    });
  }

  close(): void {
    this.flush();
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #try(work: () => void): void {
    try {
      work();
    } catch {
      Atomics.store(this.#broken, 0, 1);
    }
  }
}

function offsetOf(slot: number): number {
  return SUMS_HEAD_BYTES + slot * SLOT_BYTES;
}
