/** The thread that plans one disk: walking millions of files leaves a large heap behind, which ends with it. */
import { parentPort, workerData } from 'node:worker_threads';
import { packError, type ThreadError } from '../threads/threadErrors.ts';
import { type PlanJob, type PlannedDisk, planDisk } from './planDisk.ts';

export type PlanReport =
  | { readonly kind: 'done'; readonly planned: PlannedDisk }
  | { readonly kind: 'failed'; readonly error: ThreadError };

function report(message: PlanReport): void {
  parentPort?.postMessage(message);
}

const job: PlanJob = workerData;
planDisk(job).then(
  (planned) => report({ kind: 'done', planned }),
  (error) => report({ kind: 'failed', error: packError(error) }),
);
