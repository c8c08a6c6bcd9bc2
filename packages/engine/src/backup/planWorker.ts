/** The thread that plans one disk: walking millions of files leaves a large heap behind, which ends with it. */
import { parentPort, workerData } from 'node:worker_threads';
import { packError, type ThreadError } from '../threads/threadErrors.ts';
import { type PlanJob, type PlannedDisk, planDisk } from './planDisk.ts';

export type PlanReport =
  | { readonly kind: 'done'; readonly planned: PlannedDisk }
  | { readonly kind: 'failed'; readonly error: ThreadError };

function report(message: PlanReport): void {
  parentPort?.postMessage(message, message.kind === 'done' ? memoryOf(message.planned) : []);
}

/** Handed over, not copied: a plan may have millions of pieces. */
function memoryOf({ plan }: PlannedDisk): ArrayBuffer[] {
  if (plan === null) return [];
  const { pieces, chunkBytes, doubtful } = plan;
  return [pieces.offset, pieces.bytes, pieces.chunk, pieces.at, chunkBytes, doubtful].map(({ buffer }) => buffer);
}

const job: PlanJob = workerData;
planDisk(job).then(
  (planned) => report({ kind: 'done', planned }),
  (error) => report({ kind: 'failed', error: packError(error) }),
);
