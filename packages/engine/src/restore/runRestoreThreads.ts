import type { ChunkReaderSeed } from '@diskfleet/vault';
import { createControl, stop, sumCounters } from '../threads/control.ts';
import { runThreads } from '../threads/runThreads.ts';
import { startThread, threadsFor } from '../threads/startThread.ts';
import { unpackError } from '../threads/threadErrors.ts';
import type { Operation } from '../types.ts';
import type { Batch } from './batches.ts';
import { RESTORE_COUNTERS, type RestoreJob, type RestoreReport } from './restoreJob.ts';

export interface RestoreCounts {
  readonly writtenBytes: number;
  readonly skippedBytes: number;
  readonly comparedBytes: number;
}

export interface RestoreThreadsInput {
  readonly seed: ChunkReaderSeed;
  readonly batch: Batch;
  readonly found: Uint8Array;
  readonly target: RestoreJob['target'];
  readonly mode: RestoreJob['mode'];
  readonly onCounts: (counts: RestoreCounts) => void;
}

/** Writes or compares one batch with all cores. Rejects with the first error. */
export async function runRestoreThreads(input: RestoreThreadsInput, op: Operation): Promise<RestoreCounts> {
  const { seed, batch, found, target, mode, onCounts } = input;
  const threadCount = threadsFor(batch.bytes, op.workers);
  const control = createControl();
  const counters = new SharedArrayBuffer(threadCount * RESTORE_COUNTERS * 8);
  const counts = (): RestoreCounts => {
    const [writtenBytes = 0, skippedBytes = 0, comparedBytes = 0] = sumCounters(counters, RESTORE_COUNTERS);
    return { writtenBytes, skippedBytes, comparedBytes };
  };
  const threads = Array.from({ length: threadCount }, (_, thread) => {
    const job: RestoreJob = { thread, seed, batch, found, target, mode, control, counters };
    return startThread(new URL('./restoreWorker.ts', import.meta.url), job);
  });
  await runThreads<RestoreReport>(threads, {
    signal: op.signal,
    stop: () => stop(control),
    onTick: () => onCounts(counts()),
    onMessage: (message) => {
      if (message.kind === 'failed') throw unpackError(message.error, () => target.name);
      return true;
    },
  });
  return counts();
}
