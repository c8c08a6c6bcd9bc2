import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Starting a thread costs about as much as reading and hashing this much. */
const WORTH_A_THREAD_BYTES = 64 * 1024 * 1024;

/** Threads that allocate nothing per chunk need hardly any room for what is short-lived. */
const YOUNG_MB = 4;

/** One more than there are cores, so that one can wait for the disk; fewer when there is little to do. */
export function threadsFor(bytes: number, wanted = availableParallelism() + 1): number {
  return Math.max(1, Math.min(wanted, Math.ceil(bytes / WORTH_A_THREAD_BYTES)));
}

/**
 * Starts the worker thread whose source is `file` (`new URL('./x.ts', import.meta.url)`). The same code runs from source (types
 * stripped by Node) and bundled (one `.js` per worker next to the main bundle), so the extension follows our own.
 */
export function startThread(file: URL, workerData: unknown, youngMb = YOUNG_MB): Worker {
  const bundled = new URL(import.meta.url).pathname.endsWith('.js');
  const url = bundled ? new URL(file.href.replace(/\.ts$/, '.js')) : file;
  return new Worker(url, { workerData, resourceLimits: { maxYoungGenerationSizeMb: youngMb } });
}
