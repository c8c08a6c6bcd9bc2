/** What `backup()` and its worker threads share: the job of a thread, pieces of work, the counters, and what a thread reports. */
import type { ChunkWriterSeed, SealedPack } from '@diskfleet/vault';
import type { FileCut } from '../cut/fileCut.ts';
import type { ThreadError } from '../threads/threadErrors.ts';
import type { CellTable } from './cellTable.ts';
import type { Grid } from './grid.ts';
import type { SlotParts } from './slotTable.ts';
import type { SourceToRead } from './sourceReader.ts';
import type { SumsPlaces } from './sumsFile.ts';

/** For the whole life of a thread. */
export interface BackupJob {
  readonly thread: number;
  readonly seed: ChunkWriterSeed;
  readonly sources: readonly SourceToRead[];
  /** Where the sums of pieces go; null where nothing is remembered. */
  readonly sums: SumsPlaces | null;
  /** [unused, stop flag] */
  readonly control: Int32Array;
  /** `COUNTERS` numbers per thread, each written by its thread alone. */
  readonly counters: SharedArrayBuffer;
}

/** Cells of a grid to read and store; what became of each goes into `table`. */
export interface GridWork {
  readonly kind: 'grid';
  readonly grid: Grid;
  readonly table: CellTable;
  /** Null: read the sources. Else: bytes taken aside while the sources stood still, region after region. */
  readonly captured: SharedArrayBuffer | null;
  /** [next region, unused] */
  readonly next: Int32Array;
}

/** Groups of chunks of files to read and store; what became of each chunk goes into `table`. */
export interface FilesWork {
  readonly kind: 'files';
  readonly cut: FileCut;
  readonly table: CellTable;
  /** [next group, unused] */
  readonly next: Int32Array;
}

export const PIECE_SAME = 1;

/** Cells of a grid to compare with what is remembered of their pieces. */
export interface CompareWork {
  readonly kind: 'compare';
  readonly grid: Grid;
  /** `PIECE_SAME` for each piece of each cell that is as the last point has it. */
  readonly verdicts: Uint8Array;
  /** Per disk its remembered entries. */
  readonly maps: readonly SharedArrayBuffer[];
  /** [next region, unused] */
  readonly next: Int32Array;
}

export type BackupWork = GridWork | FilesWork | CompareWork;

/** The first order a thread gets is to begin. */
export type BackupOrder =
  | { readonly kind: 'begin'; readonly job: BackupJob }
  | { readonly kind: 'work'; readonly work: BackupWork }
  | { readonly kind: 'finish' };

export type BackupReport =
  | { readonly kind: 'packs'; readonly packs: SealedPack[] }
  /** `shared`: what it has of sums to which others have parts too. */
  | { readonly kind: 'worked'; readonly shared: SlotParts | null }
  | { readonly kind: 'done'; readonly packs: SealedPack[] }
  | { readonly kind: 'failed'; readonly error: ThreadError };

export const COUNTERS = 4;
/** 0: bytes of chunks done; 1: bytes read; 2: bytes new to the vault; 3: bytes stored. */
export type Counter = 0 | 1 | 2 | 3;
