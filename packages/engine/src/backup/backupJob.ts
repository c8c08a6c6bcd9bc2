/** What `backup()` and its worker threads share: the job, the counters, and what a thread reports. */
import type { ChunkWriterSeed, SealedPack } from '@diskfleet/vault';
import type { ThreadError } from '../threads/threadErrors.ts';
import type { CellTable } from './cellTable.ts';
import type { SourceToRead } from './sourceReader.ts';

export interface BackupJob {
  readonly thread: number;
  readonly seed: ChunkWriterSeed;
  readonly sources: readonly SourceToRead[];
  readonly extents: Float64Array;
  readonly firstExtentOfDisk: readonly number[];
  readonly regions: Float64Array;
  readonly regionCount: number;
  readonly table: CellTable;
  /** [next region, stop flag] */
  readonly control: Int32Array;
  /** `COUNTERS` numbers per thread, each written by its thread alone. */
  readonly counters: SharedArrayBuffer;
}

export type BackupReport =
  | { readonly kind: 'packs'; readonly packs: SealedPack[] }
  | { readonly kind: 'done'; readonly packs: SealedPack[] }
  | { readonly kind: 'failed'; readonly error: ThreadError };

export const COUNTERS = 4;
/** 0: bytes of cells done; 1: bytes read; 2: bytes new to the vault; 3: bytes stored. */
export type Counter = 0 | 1 | 2 | 3;
