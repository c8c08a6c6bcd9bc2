/** Where a thread hands in its chunks, whatever cut them: zeros are noted, the rest goes to the writer, the counters follow. */
import type { ChunkWriter, SealedPack } from '@diskfleet/vault';
import { isStopped } from '../threads/control.ts';
import { CELL_DATA, CELL_ZERO, type CellTable, ID_BYTES } from './cellTable.ts';
import { type BackupJob, COUNTERS, type Counter } from './work.ts';

/** How many bytes are handed in between two looks for packs that are done. */
const REPORT_EVERY_BYTES = 64 * 1024 * 1024;
const LARGEST_CHUNK_BYTES = 256 * 1024;

export class ChunkSink {
  readonly #job: BackupJob;
  readonly #writer: ChunkWriter;
  readonly #onPacks: (packs: SealedPack[]) => void;
  readonly #counters: Float64Array;
  readonly #zeros = Buffer.alloc(LARGEST_CHUNK_BYTES);
  readonly #id = Buffer.alloc(ID_BYTES);
  #sinceReport = 0;

  constructor(job: BackupJob, writer: ChunkWriter, onPacks: (packs: SealedPack[]) => void) {
    this.#job = job;
    this.#writer = writer;
    this.#onPacks = onPacks;
    this.#counters = new Float64Array(job.counters, job.thread * COUNTERS * 8, COUNTERS);
  }

  get isStopped(): boolean {
    return isStopped(this.#job.control);
  }

  count(counter: Counter, bytes: number): void {
    this.#counters[counter] = (this.#counters[counter] ?? 0) + bytes;
  }

  /** Stores one chunk of at most 256 KiB as number `ordinal` of `table`. False when the run was stopped meanwhile. */
  async store(chunk: Buffer, table: CellTable, ordinal: number): Promise<boolean> {
    this.count(0, chunk.length);
    if (this.#isZero(chunk)) {
      table.states[ordinal] = CELL_ZERO;
      return true;
    }
    const stored = this.#writer.add(chunk, this.#id);
    table.ids.set(this.#id, ordinal * ID_BYTES);
    table.states[ordinal] = CELL_DATA;
    if (stored > 0) {
      this.count(2, chunk.length);
      this.count(3, stored);
    }
    this.#sinceReport += chunk.length;
    if (this.#writer.drainNeeded) {
      await this.#writer.drain();
      if (this.isStopped) return false;
    }
    return true;
  }

  /** Cells known to be zero without a look at them. */
  markZero(table: CellTable, range: { readonly first: number; readonly count: number; readonly bytes: number }): void {
    table.states.fill(CELL_ZERO, range.first, range.first + range.count);
    this.count(0, range.bytes);
  }

  /** Called between pieces of work: packs that became durable are told now and then. */
  reportPacks(): void {
    if (this.#sinceReport < REPORT_EVERY_BYTES) return;
    this.#sinceReport = 0;
    this.#onPacks(this.#writer.takeSealed());
  }

  /** Most chunks differ from zero at their first or last byte; only the others are compared whole. */
  #isZero(chunk: Buffer): boolean {
    if (chunk[0] !== 0 || chunk[chunk.length - 1] !== 0) return false;
    return chunk.equals(chunk.length === this.#zeros.length ? this.#zeros : this.#zeros.subarray(0, chunk.length));
  }
}
