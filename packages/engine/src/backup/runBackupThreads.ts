import type { PointWriter, SealedPack } from '@diskfleet/vault';
import { createControl, stop, sumCounters } from '../threads/control.ts';
import { runThreads } from '../threads/runThreads.ts';
import { startThread, threadsFor } from '../threads/startThread.ts';
import { unpackError } from '../threads/threadErrors.ts';
import type { Operation } from '../types.ts';
import { type BackupJob, type BackupReport, COUNTERS, type Counter } from './backupJob.ts';
import { type CellTable, createCellTable } from './cellTable.ts';
import { CELL_BYTES, type Grid } from './grid.ts';
import type { SourceToRead } from './sourceReader.ts';

/** A run that dies after this much or this long leaves its packs to the next one. */
const CHECKPOINT_BYTES = 2 * 1024 ** 3;
const CHECKPOINT_MS = 60_000;

export interface StoredCells {
  readonly table: CellTable;
  /** Packs not yet given to a checkpoint. */
  readonly packs: readonly SealedPack[];
  readonly readBytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
}

export interface BackupThreadsInput {
  readonly sources: readonly SourceToRead[];
  readonly grid: Grid;
  readonly writer: PointWriter;
  /** Where byte `offsetBytes` of disk number `disk` lies, in words. */
  readonly describe: (disk: number, offsetBytes: number) => string;
}

/** Reads and stores every used cell of all sources. Rejects with the first error; then nothing was committed. */
export async function runBackupThreads(input: BackupThreadsInput, op: Operation): Promise<StoredCells> {
  const { grid, sources, writer } = input;
  const threadCount = threadsFor(grid.usedBytes, op.workers);
  const table = createCellTable(grid.cellCount);
  const control = createControl();
  const counters = new SharedArrayBuffer(threadCount * COUNTERS * 8);
  const job: Omit<BackupJob, 'thread'> = {
    seed: writer.seed,
    sources,
    extents: grid.extents,
    firstExtentOfDisk: grid.firstExtentOfDisk,
    regions: grid.regions,
    regionCount: grid.regionCount,
    table,
    control,
    counters,
  };
  const checkpoints = new Checkpoints(writer);
  const total = (counter: Counter) => sumCounters(counters, COUNTERS)[counter] ?? 0;
  const cellBytes = sumCellBytes(grid, sources);
  const tick = async () => {
    const share = cellBytes === 0 ? 1 : total(0) / cellBytes;
    const [newBytes, storedBytes] = [total(2), total(3)];
    const doneUsed = Math.min(grid.usedBytes, Math.round(grid.usedBytes * share));
    op.onProgress?.({ phase: 'read', doneBytes: doneUsed, totalBytes: grid.usedBytes, newBytes, storedBytes, skippedBytes: 0 });
    await checkpoints.maybe(op.now(), storedBytes);
  };
  const threads = Array.from({ length: threadCount }, (_, thread) =>
    startThread(new URL('./backupWorker.ts', import.meta.url), { ...job, thread } satisfies BackupJob),
  );
  const running = runThreads<BackupReport>(threads, {
    signal: op.signal,
    stop: () => stop(control),
    onTick: tick,
    onMessage: (message) => {
      if (message.kind === 'failed') throw unpackError(message.error, input.describe);
      checkpoints.add(message.packs);
      return message.kind === 'done';
    },
  });
  await running.catch(async (error: unknown) => {
    await checkpoints.last();
    throw error;
  });
  await tick();
  return { table, packs: checkpoints.rest(), readBytes: total(1), newBytes: total(2), storedBytes: total(3) };
}

/** Bytes of all used cells (the last one of a disk may be short by some; near enough for a progress bar). */
function sumCellBytes(grid: Grid, sources: readonly SourceToRead[]): number {
  const diskBytes = sources.reduce((total, source) => total + source.sizeBytes, 0);
  return Math.min(grid.cellCount * CELL_BYTES, diskBytes);
}

/** Hands finished packs to the vault now and then, each pack once. */
class Checkpoints {
  readonly #writer: PointWriter;
  #packs: SealedPack[] = [];
  #lastBytes = 0;
  #lastAt: number | null = null;

  constructor(writer: PointWriter) {
    this.#writer = writer;
  }

  add(packs: readonly SealedPack[]): void {
    this.#packs.push(...packs);
  }

  async maybe(now: Date, storedBytes: number): Promise<void> {
    this.#lastAt ??= now.getTime();
    const due = storedBytes - this.#lastBytes >= CHECKPOINT_BYTES || now.getTime() - this.#lastAt >= CHECKPOINT_MS;
    if (!due || this.#packs.length === 0) return;
    const packs = this.#packs;
    this.#packs = [];
    this.#lastBytes = storedBytes;
    this.#lastAt = now.getTime();
    await this.#writer.checkpoint(packs);
  }

  /** For a run that failed: the next one goes on from here. What made this one fail may well forbid that too. */
  async last(): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    if (packs.length > 0) await this.#writer.checkpoint(packs).catch(() => {});
  }

  rest(): readonly SealedPack[] {
    return this.#packs;
  }
}
