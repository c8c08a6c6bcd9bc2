/**
 * Slots while they are put together: number → the parts that came so far and how many bytes they are of. Open addressing over typed
 * arrays, nothing allocated per slot; bounded: what does not fit is not remembered.
 */
import { addPart, SLOT_BYTES } from './pieceSums.ts';

const EMPTY = 0xffffffff;

/** Slots whose parts are in more than one place: numbers, and 16 bytes for each. */
export interface SlotParts {
  readonly numbers: Uint32Array;
  readonly parts: Uint8Array;
}

export class SlotTable {
  readonly #most: number;
  #numbers = new Uint32Array(1024).fill(EMPTY);
  #bytes = new Uint32Array(1024);
  #parts = Buffer.alloc(1024 * SLOT_BYTES);
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @param part null: the slot will fit nothing */
  add(number: number, part: Uint8Array | null, bytes: number): void {
    const at = this.#placeOf(number);
    if (at === null) return;
    this.#bytes[at] = (this.#bytes[at] ?? 0) + bytes;
    // Not the sum of anything: whatever is added, it stays that.
    addPart(this.#parts, at * SLOT_BYTES, part ?? Buffer.alloc(SLOT_BYTES, 0xa5));
  }

  /** All slots in no order; empties the table. */
  take(give: (number: number, part: Buffer, bytes: number) => void): void {
    for (let at = 0; at < this.#numbers.length; at++) {
      const number = this.#numbers[at] ?? EMPTY;
      if (number === EMPTY) continue;
      give(number, this.#parts.subarray(at * SLOT_BYTES, (at + 1) * SLOT_BYTES), this.#bytes[at] ?? 0);
    }
    this.#numbers.fill(EMPTY);
    this.#bytes.fill(0);
    this.#parts.fill(0);
    this.#count = 0;
  }

  takeParts(): SlotParts {
    const found = { numbers: new Uint32Array(this.#count), parts: new Uint8Array(this.#count * SLOT_BYTES) };
    let index = 0;
    this.take((number, part) => {
      found.numbers[index] = number;
      found.parts.set(part, index * SLOT_BYTES);
      index += 1;
    });
    return found;
  }

  #placeOf(number: number): number | null {
    if (this.#count * 2 >= this.#numbers.length) {
      if (this.#count >= this.#most) return this.#find(number, false);
      this.#grow();
    }
    return this.#find(number, true);
  }

  #find(number: number, mayAdd: boolean): number | null {
    const mask = this.#numbers.length - 1;
    for (let at = Math.imul(number, 0x9e3779b1) & mask; ; at = (at + 1) & mask) {
      if (this.#numbers[at] === number) return at;
      if (this.#numbers[at] !== EMPTY) continue;
      if (!mayAdd) return null;
      this.#numbers[at] = number;
      this.#count += 1;
      return at;
    }
  }

  #grow(): void {
    const [numbers, bytes, parts] = [this.#numbers, this.#bytes, this.#parts];
    this.#numbers = new Uint32Array(numbers.length * 2).fill(EMPTY);
    this.#bytes = new Uint32Array(numbers.length * 2);
    this.#parts = Buffer.alloc(numbers.length * 2 * SLOT_BYTES);
    this.#count = 0;
    for (const [before, number] of numbers.entries()) {
      if (number === EMPTY) continue;
      const at = this.#find(number, true) ?? 0;
      this.#bytes[at] = bytes[before] ?? 0;
      this.#parts.set(parts.subarray(before * SLOT_BYTES, (before + 1) * SLOT_BYTES), at * SLOT_BYTES);
    }
  }
}

/** Puts together what several threads have of the same slots; gives them in order. */
export function joinParts(all: readonly SlotParts[], give: (number: number, part: Buffer) => void): void {
  const table = new SlotTable(Number.POSITIVE_INFINITY);
  for (const { numbers, parts } of all) {
    for (const [index, number] of numbers.entries())
      table.add(number, parts.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES), 0);
  }
  const { numbers, parts } = table.takeParts();
  const order = Uint32Array.from(numbers.keys()).sort((left, right) => (numbers[left] ?? 0) - (numbers[right] ?? 0));
  for (const index of order) {
    give(numbers[index] ?? 0, Buffer.from(parts.buffer, index * SLOT_BYTES, SLOT_BYTES));
  }
}
