import { Worker } from 'node:worker_threads';

/**
 * Starts the worker thread that lives in the file `name` beside the caller. The same code runs from source (`.ts`, types
 * stripped by Node) and bundled (`.js`, one bundle per worker next to the main one), so the extension follows the caller's.
 */
export function startThread(name: string, baseUrl: string, workerData: unknown): Worker {
  const extension = new URL(baseUrl).pathname.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./${name}.${extension}`, baseUrl), { workerData, resourceLimits: { maxYoungGenerationSizeMb: 16 } });
}
