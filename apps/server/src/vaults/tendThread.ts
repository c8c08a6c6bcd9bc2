/** Thread: one order in, one result or failure out. A sweep looks at every chunk of a vault; agents must not wait for that. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../errors.ts';
import { type TendOrder, tendWork } from './tendWork.ts';

const order: TendOrder = workerData;
tendWork(order).then(
  (result) => parentPort?.postMessage({ result }),
  (error: unknown) => parentPort?.postMessage({ failure: describeError(error) }),
);
