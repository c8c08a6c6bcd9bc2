import { EngineError } from '../errors.ts';
import { releaseMemory } from '../threads/releaseMemory.ts';
import { runThreads } from '../threads/runThreads.ts';
import { startThread } from '../threads/startThread.ts';
import { unpackError } from '../threads/threadErrors.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { PlannedDisk } from './planDisk.ts';
import type { PlanReport } from './planWorker.ts';
import type { ScannedDisk } from './scan.ts';

/** A walk makes many short-lived objects; they need room to die young. */
const YOUNG_MB = 16;

/**
 * Plans a disk by its files in a thread that ends with it.
 * @param records what was remembered of files, where their metadata is to be believed
 * @throws DiskError; EngineError `CANCELLED`, `WORKER_FAILED`
 */
export async function planInThread(
  { disk, used: { usedExtents } }: ScannedDisk,
  { request, records }: { readonly request: BackupRequest; readonly records: Uint8Array | null },
  op: Operation,
): Promise<PlannedDisk> {
  const { path, partitions = null, live } = disk;
  const job = { path, isLive: live !== undefined, partitions, usedExtents, cutter: request.cutter ?? null, records };
  const thread = startThread(new URL('./planWorker.ts', import.meta.url), job, YOUNG_MB);
  let planned: PlannedDisk | null = null;
  await runThreads<PlanReport>([thread], {
    signal: op.signal,
    stop: () => void thread.terminate(),
    onTick: () => {},
    onMessage: (message) => {
      if (message.kind === 'failed') throw unpackError(message.error, (_, offsetBytes) => `byte ${offsetBytes}`);
      planned = message.planned;
      return true;
    },
  });
  await releaseMemory();
  if (planned === null) throw new EngineError('WORKER_FAILED', 'a disk was not planned');
  return planned;
}
