/**
 * Which blocks of a disk were written, as one bit a block. Memory is fixed by the size of the disk (a bit for 64 KiB: 2 MiB for
 * 1 TiB, at most 32 MiB), whatever is written and for however long.
 */
import type { Extent } from '@diskfleet/disk';

const MIN_BLOCK_BYTES = 64 * 1024;
const MAX_BITMAP_BYTES = 32 * 1024 * 1024;

export class BlockSet {
  readonly #sizeBytes: number;
  readonly #blockBytes: number;
  readonly #bytes: Uint8Array;
  #empty = true;

  constructor(sizeBytes: number) {
    let blockBytes = MIN_BLOCK_BYTES;
    while (sizeBytes / blockBytes / 8 > MAX_BITMAP_BYTES) blockBytes *= 2;
    this.#sizeBytes = sizeBytes;
    this.#blockBytes = blockBytes;
    this.#bytes = new Uint8Array(Math.ceil(Math.ceil(sizeBytes / blockBytes) / 8));
  }

  /** Every block the range touches; what lies beyond the disk is left out. */
  add({ offsetBytes, lengthBytes }: Extent): void {
    const end = Math.min(offsetBytes + lengthBytes, this.#sizeBytes);
    if (lengthBytes <= 0 || offsetBytes < 0 || offsetBytes >= end) return;
    this.#empty = false;
    const last = Math.floor((end - 1) / this.#blockBytes);
    for (let block = Math.floor(offsetBytes / this.#blockBytes); block <= last; block += 1) {
      const index = Math.floor(block / 8);
      // A discard of a whole disk is one range: whole bytes at a time.
      if (block % 8 === 0 && block + 7 <= last) {
        const lastByte = Math.floor((last + 1) / 8);
        this.#bytes.fill(0xff, index, lastByte);
        block = lastByte * 8 - 1;
      } else {
        this.#bytes[index] = (this.#bytes[index] ?? 0) | (1 << (block % 8));
      }
    }
  }

  clear(): void {
    if (!this.#empty) this.#bytes.fill(0);
    this.#empty = true;
  }

  /** In order, neighbours joined, the last one cut at the end of the disk. */
  extents(): Extent[] {
    const extents: Extent[] = [];
    if (this.#empty) return extents;
    let start = -1;
    const blocks = Math.ceil(this.#sizeBytes / this.#blockBytes);
    const end = (block: number) => {
      const offsetBytes = start * this.#blockBytes;
      extents.push({ offsetBytes, lengthBytes: Math.min(block * this.#blockBytes, this.#sizeBytes) - offsetBytes });
      start = -1;
    };
    for (let block = 0; block < blocks; block += 1) {
      const byte = this.#bytes[Math.floor(block / 8)] ?? 0;
      if (byte === 0 && start < 0) {
        block += 7 - (block % 8);
        continue;
      }
      const isSet = (byte >> (block % 8)) % 2 === 1;
      if (isSet && start < 0) start = block;
      else if (!isSet && start >= 0) end(block);
    }
    if (start >= 0) end(blocks);
    return extents;
  }
}
