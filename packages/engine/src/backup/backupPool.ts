/**
 * The worker threads of one backup, kept for all its works: reading what is used, reading again what changed meanwhile, storing what
 * was captured. Threads fill their packs on from one work to the next, so many small passes cost no small packs.
 */
import type { PointWriter, SealedPack } from '@diskfleet/vault';
import { createControl, stop, sumCounters } from '../threads/control.ts';
import { runThreads } from '../threads/runThreads.ts';
import { threadsFor } from '../threads/startThread.ts';
import { unpackError } from '../threads/threadErrors.ts';
import type { Operation } from '../types.ts';
import { Checkpoints } from './checkpoints.ts';
import { startBackupThread } from './earlyThreads.ts';
import type { SlotParts } from './slotTable.ts';
import type { SourceToRead } from './sourceReader.ts';
import type { SumsPlaces } from './sumsFile.ts';
import { keepShared } from './sumsOfRun.ts';
import { type BackupJob, type BackupOrder, type BackupReport, type BackupWork, COUNTERS, type Counter } from './work.ts';

export interface PoolInput {
  readonly sources: readonly SourceToRead[];
  readonly writer: PointWriter;
  readonly sums: SumsPlaces | null;
  /** About how much is to be read: more threads are not worth their start. */
  readonly expectedBytes: number;
  /** Where byte `offsetBytes` of disk number `disk` lies, in words. */
  readonly describe: (disk: number, offsetBytes: number) => string;
}

/** How much there is to a work, for the progress bar: of the disk, and of the chunks made of it. */
export interface WorkSize {
  readonly usedBytes: number;
  readonly chunkBytes: number;
}

export interface StoredTotals {
  readonly readBytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
}

export interface BackupPool {
  /** Resolves when the work is done, rejects when any thread failed or the run was cancelled: then nothing may be committed. */
  run(work: BackupWork, size: WorkSize): Promise<void>;
  readonly totals: StoredTotals;
  /** Seals and stores what the threads hold; the packs not yet given to a checkpoint. */
  finish(): Promise<readonly SealedPack[]>;
  /** For a run that failed: stops the threads, waits until none runs any more. Harmless after `finish`. */
  abandon(): Promise<void>;
}

export function startBackupPool(input: PoolInput, op: Operation): BackupPool {
  return new ThreadPool(input, op);
}

class ThreadPool implements BackupPool {
  readonly #op: Operation;
  readonly #input: PoolInput;
  readonly #control = createControl();
  readonly #counters: SharedArrayBuffer;
  readonly #checkpoints: Checkpoints;
  readonly #count: number;
  /** Started with the first work: what goes before (planning) needs their memory. */
  #threads: ReturnType<typeof startBackupThread>[] = [];
  /** Settles when no thread is left. */
  #running: Promise<void> = Promise.resolve();
  #failed: (error: unknown) => void = () => {};
  #onWorked: (shared: SlotParts | null) => void = () => {};
  #done: WorkSize = { usedBytes: 0, chunkBytes: 0 };
  #current: WorkSize = { usedBytes: 0, chunkBytes: 0 };
  #ended = false;

  constructor(input: PoolInput, op: Operation) {
    this.#op = op;
    this.#input = input;
    this.#count = threadsFor(input.expectedBytes, op.workers);
    this.#counters = new SharedArrayBuffer(this.#count * COUNTERS * 8);
    this.#checkpoints = new Checkpoints(input.writer);
  }

  #start({ sources, writer, sums, describe }: PoolInput): void {
    const early = this.#op.early?.take() ?? [];
    this.#threads = Array.from({ length: this.#count }, (_, thread) => {
      const job: BackupJob = { thread, seed: writer.seed, sources, sums, control: this.#control, counters: this.#counters };
      const started = early[thread] ?? startBackupThread();
      started.postMessage({ kind: 'begin', job } satisfies BackupOrder);
      return started;
    });
    for (const spare of early.slice(this.#count)) spare.postMessage({ kind: 'finish' } satisfies BackupOrder);
    this.#running = runThreads<BackupReport>(this.#threads, {
      signal: this.#op.signal,
      stop: () => {
        stop(this.#control);
        // Those that wait for work have to be told.
        this.#tell({ kind: 'finish' });
      },
      onTick: () => this.#tick(),
      onMessage: (message) => {
        if (message.kind === 'failed') throw unpackError(message.error, describe);
        if (message.kind === 'packs') this.#checkpoints.add(message.packs);
        if (message.kind === 'worked') this.#onWorked(message.shared);
        return message.kind === 'done';
      },
    }).finally(() => {
      this.#ended = true;
    });
    this.#running.catch((error: unknown) => this.#failed(error));
  }

  get totals(): StoredTotals {
    return { readBytes: this.#total(1), newBytes: this.#total(2), storedBytes: this.#total(3) };
  }

  async run(work: BackupWork, size: WorkSize): Promise<void> {
    if (this.#threads.length === 0) this.#start(this.#input);
    this.#current = size;
    let missing = this.#threads.length;
    const shared: SlotParts[] = [];
    await new Promise<void>((resolve, reject) => {
      this.#failed = reject;
      this.#onWorked = (parts) => {
        if (parts !== null) shared.push(parts);
        missing -= 1;
        if (missing === 0) resolve();
      };
      if (this.#ended) this.#running.then(() => reject(new Error('the threads of this backup have ended')), reject);
      else this.#tell({ kind: 'work', work });
    });
    if (this.#input.sums !== null) keepShared(this.#input.sums, shared);
    const { usedBytes, chunkBytes } = this.#done;
    this.#done = { usedBytes: usedBytes + size.usedBytes, chunkBytes: chunkBytes + size.chunkBytes };
    this.#current = { usedBytes: 0, chunkBytes: 0 };
    await this.#tick();
  }

  async finish(): Promise<readonly SealedPack[]> {
    this.#tell({ kind: 'finish' });
    await this.#running;
    // A long run leaves its last packs to the next one too, should it fail from here on.
    await this.#checkpoints.maybe(this.#op.now(), this.totals.storedBytes);
    return this.#checkpoints.takeRest();
  }

  async abandon(): Promise<void> {
    stop(this.#control);
    this.#tell({ kind: 'finish' });
    await this.#running.catch(() => {});
    await this.#checkpoints.last();
  }

  #tell(order: BackupOrder): void {
    for (const thread of this.#threads) thread.postMessage(order);
  }

  #total(counter: Counter): number {
    return sumCounters(this.#counters, COUNTERS)[counter] ?? 0;
  }

  async #tick(): Promise<void> {
    const { newBytes, storedBytes } = this.totals;
    const { usedBytes, chunkBytes } = this.#current;
    const share = chunkBytes === 0 ? 1 : Math.min(1, Math.max(0, this.#total(0) - this.#done.chunkBytes) / chunkBytes);
    const doneBytes = this.#done.usedBytes + Math.round(usedBytes * share);
    const totalBytes = this.#done.usedBytes + usedBytes;
    this.#op.onProgress?.({ phase: 'read', doneBytes, totalBytes, newBytes, storedBytes, skippedBytes: 0 });
    await this.#checkpoints.maybe(this.#op.now(), storedBytes);
  }
}
