import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Starting a thread costs about as much as reading and hashing this much. */
const WORTH_A_THREAD_BYTES = 64 * 1024 * 1024;

/** One more than there are cores, so that one can wait for the disk; fewer when there is little to do. */
export function threadsFor(bytes: number, wanted = availableParallelism() + 1): number {
  return Math.max(1, Math.min(wanted, Math.ceil(bytes / WORTH_A_THREAD_BYTES)));
}

/**
 * Starts the worker thread that lives in the file `name` beside the caller. The same code runs from source (`.ts`, types
 * stripped by Node) and bundled (`.js`, one bundle per worker next to the main one), so the extension follows the caller's.
 */
export function startThread(name: string, baseUrl: string, workerData: unknown): Worker {
  const extension = new URL(baseUrl).pathname.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./${name}.${extension}`, baseUrl), { workerData, resourceLimits: { maxYoungGenerationSizeMb: 16 } });
}
