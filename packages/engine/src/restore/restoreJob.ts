/** What `restore()` and its worker threads share. */
import type { ChunkReaderSeed } from '@diskfleet/vault';
import type { ThreadError } from '../threads/threadErrors.ts';
import type { Batch } from './batches.ts';

export interface RestoreJob {
  readonly thread: number;
  readonly seed: ChunkReaderSeed;
  readonly batch: Batch;
  /** Mode `update`: set to 1 for each chunk of the batch that the target held already, in all its places. In shared memory. */
  readonly found: Uint8Array;
  readonly target: { readonly path: string; readonly name: string; readonly sizeBytes: number };
  /**
   * `write` writes everything; `update` reads the target first and leaves alone what is right already; `compare` writes nothing and
   * fails at the first byte that differs.
   */
  readonly mode: 'write' | 'update' | 'compare';
  /** [next group, stop flag] */
  readonly control: Int32Array;
  /** `RESTORE_COUNTERS` numbers per thread, each written by its thread alone. */
  readonly counters: SharedArrayBuffer;
}

export type RestoreReport = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: ThreadError };

export const RESTORE_COUNTERS = 3;
/** 0: bytes written; 1: bytes left alone because they were right already; 2: bytes compared. */
export type RestoreCounter = 0 | 1 | 2;
