/**
 * What is remembered of files so that an incremental may believe their metadata: 16 bytes each, a hash of where the file is called
 * what, its stamp, its length and where it lies. A file with the same 16 bytes is as it was, if its filesystem is honest.
 */
import { hash } from 'node:crypto';
import type { FileLayout } from '@diskfleet/filesystem';

const MAGIC = Buffer.from('DFFILES1');
const RECORD_BYTES = 16;

/** @param volume whatever tells the volume from others of the same machine */
export function recordOf({ path, sizeBytes, stamp, extents }: FileLayout, volume: string): Buffer {
  let text = `${volume}\0${path}\0${sizeBytes}\0${stamp}`;
  for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
    text += `\0${fileOffsetBytes},${volumeOffsetBytes},${lengthBytes}`;
  }
  return hash('sha256', text, 'buffer').subarray(0, RECORD_BYTES);
}

/** The records of this run, for the next one. */
export class RecordList {
  #memory = Buffer.alloc(RECORD_BYTES * 1024);
  #length = 0;

  add(record: Buffer): void {
    if (this.#length + RECORD_BYTES > this.#memory.length) {
      const grown = Buffer.alloc(this.#memory.length * 2);
      this.#memory.copy(grown);
      this.#memory = grown;
    }
    record.copy(this.#memory, this.#length);
    this.#length += RECORD_BYTES;
  }

  /** The records of another list, as it encoded them. */
  addAll(encoded: Uint8Array): void {
    for (let at = MAGIC.length; at < encoded.length; at += RECORD_BYTES)
      this.add(Buffer.from(encoded.subarray(at, at + RECORD_BYTES)));
  }

  encode(): Buffer {
    return Buffer.concat([MAGIC, this.#memory.subarray(0, this.#length)]);
  }
}

/** The records of an earlier run: a hash table of their bytes. */
export class KnownRecords {
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** Anything but what `RecordList.encode` made holds no records. */
  constructor(bytes: Buffer) {
    const sound = bytes.subarray(0, MAGIC.length).equals(MAGIC) && (bytes.length - MAGIC.length) % RECORD_BYTES === 0;
    const count = sound ? (bytes.length - MAGIC.length) / RECORD_BYTES : 0;
    const room = 2 ** Math.ceil(Math.log2(count * 2 + 2));
    this.#slots = new Int32Array(room * 4);
    this.#mask = room - 1;
    for (let index = 0; index < count; index++) {
      const at = MAGIC.length + index * RECORD_BYTES;
      this.#find(bytes.subarray(at, at + RECORD_BYTES), true);
    }
  }

  has(record: Buffer): boolean {
    return this.#find(record, false);
  }

  /** Whether it was there. An empty slot is all zero, which no hash of 16 bytes is. */
  #find(record: Buffer, put: boolean): boolean {
    const words = [record.readInt32LE(0), record.readInt32LE(4), record.readInt32LE(8), record.readInt32LE(12)];
    for (let slot = (words[0] ?? 0) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 4;
      if (words.every((word, index) => this.#slots[at + index] === word)) return true;
      if (this.#slots.subarray(at, at + 4).every((word) => word === 0)) {
        if (put) this.#slots.set(words, at);
        return false;
      }
    }
  }
}
