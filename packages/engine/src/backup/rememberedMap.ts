/** The entries of a remembered map as threads look at them: records in shared memory, the few of one region at a time. */
import { ENTRY_BYTES } from './remembered.ts';

/** What of the used ranges lies in one chunk. */
export interface ChunkRange {
  /** Number of the chunk's id in the map; 0: zeros. */
  chunk: number;
  from: number;
  to: number;
}

export class MapWindow {
  readonly #records: Buffer;
  readonly #count: number;
  #found: ChunkRange[] = [];
  #index = 0;

  constructor(records: SharedArrayBuffer) {
    this.#records = Buffer.from(records);
    this.#count = Math.floor(records.byteLength / ENTRY_BYTES);
  }

  /** @param ranges what is used, in the order of the disk, all behind `fromBytes` */
  load(ranges: Iterable<{ readonly from: number; readonly to: number }>, fromBytes: number): void {
    this.#found = [];
    let isSorted = true;
    let record = this.#firstBehind(fromBytes);
    for (const range of ranges) {
      while (record < this.#count && this.#endOf(record) <= range.from) record++;
      for (let at = record; at < this.#count && this.#startOf(at) < range.to; at++) {
        const chunk = this.#records.readUInt32LE(at * ENTRY_BYTES + 16);
        isSorted &&= chunk >= (this.#found.at(-1)?.chunk ?? 0);
        this.#found.push({ chunk, from: Math.max(range.from, this.#startOf(at)), to: Math.min(range.to, this.#endOf(at)) });
      }
    }
    // Stable: the ranges of a chunk stay in the order of the disk.
    if (!isSorted) this.#found.sort((left, right) => left.chunk - right.chunk);
  }

  /** What `load` found, chunk after chunk. */
  *byChunk(): Generator<ChunkRange> {
    for (this.#index = 0; this.#index < this.#found.length; this.#index++) {
      const found = this.#found[this.#index];
      if (found !== undefined) yield found;
    }
  }

  /** Whether the range given last is the last of its chunk. */
  get endsChunk(): boolean {
    return this.#found[this.#index]?.chunk !== this.#found[this.#index + 1]?.chunk;
  }

  #firstBehind(fromBytes: number): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#endOf(middle) <= fromBytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #startOf(record: number): number {
    return this.#records.readDoubleLE(record * ENTRY_BYTES);
  }

  #endOf(record: number): number {
    return this.#startOf(record) + this.#records.readDoubleLE(record * ENTRY_BYTES + 8);
  }
}
