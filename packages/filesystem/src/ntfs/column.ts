/** Columns of numbers that grow: tables of a million files in a few arrays instead of a million objects. */

interface NumberArray {
  readonly length: number;
  [index: number]: number;
  set(values: ArrayLike<number>, offset?: number): void;
}

const FIRST_LENGTH = 1024;

/** Grows by half. `make` is how its array is made: the width of a value is the caller's choice. */
export class Column {
  length = 0;
  private values: NumberArray;
  private readonly make: (length: number) => NumberArray;

  constructor(make: (length: number) => NumberArray) {
    this.make = make;
    this.values = make(FIRST_LENGTH);
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = this.make(Math.ceil(this.length * 1.5));
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }

  /** 0 behind the end. */
  at(index: number): number {
    return this.values[index] ?? 0;
  }
}

/** Byte strings one behind the other. */
export class BytePool {
  length = 0;
  private bytes = Buffer.alloc(FIRST_LENGTH);

  /** Returns where `text` now stands, in UTF-8, up to the new `length`. */
  push(text: string): number {
    const start = this.length;
    const mostBytes = start + text.length * 3;
    if (mostBytes > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(Math.ceil(this.bytes.length * 1.5), mostBytes));
      this.bytes.copy(grown, 0, 0, start);
      this.bytes = grown;
    }
    this.length += this.bytes.write(text, start, 'utf8');
    return start;
  }

  text(start: number, end: number): string {
    return this.bytes.toString('utf8', start, end);
  }

  compare(one: { start: number; end: number }, other: { start: number; end: number }): number {
    return this.bytes.compare(this.bytes, other.start, other.end, one.start, one.end);
  }
}
