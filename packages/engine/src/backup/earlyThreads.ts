/**
 * Threads of a backup that is about to be: a thread takes as long to start as reading a gigabyte, and so does opening a vault with a
 * passphrase. Started side by side, neither waits for the other.
 */
import type { Worker } from 'node:worker_threads';
import { startThread, threadsFor } from '../threads/startThread.ts';

/** Below this a backup is over before its threads matter. */
const WORTH_IT_BYTES = 1024 ** 3;

/** What `worker.threadId` is once a thread is gone. */
const ENDED = -1;

export interface EarlyThreads {
  /** All that run, once. */
  take(): readonly Worker[];
  /** Ends those nobody took. Harmless after `take`. */
  end(): void;
}

export function startBackupThread(): Worker {
  return startThread(new URL('./backupWorker.ts', import.meta.url), null);
}

/** @param sizeBytes of all disks that will be backed up */
export function startBackupThreadsEarly(sizeBytes: number): EarlyThreads {
  const count = sizeBytes < WORTH_IT_BYTES ? 0 : threadsFor(sizeBytes);
  let threads: readonly Worker[] = Array.from({ length: count }, startBackupThread);
  // What goes wrong with a thread is heard by whoever takes it; until then it must not end the process.
  for (const thread of threads) thread.on('error', () => {});
  const take = () => {
    // One that ended already would be waited for for ever.
    const taken = threads.filter(({ threadId }) => threadId !== ENDED);
    threads = [];
    return taken;
  };
  return {
    take,
    end: () => {
      for (const thread of take()) thread.postMessage({ kind: 'finish' });
    },
  };
}
