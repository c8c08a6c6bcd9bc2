/**
 * One thread of a backup. Shared-nothing: it takes the next piece of the work under way by a shared counter, reads it, and hands
 * every chunk that is not zero to its own chunk writer. Nothing is sent or allocated per chunk; results go to shared memory.
 * Between two works it waits for an order; its packs fill on from one work to the next.
 */
import { parentPort } from 'node:worker_threads';
import { alignedBuffer } from '@diskfleet/disk';
import { openChunkWriter } from '@diskfleet/vault';
import { GROUP_BYTES } from '../cut/fileCut.ts';
import { isStopped } from '../threads/control.ts';
import { packError } from '../threads/threadErrors.ts';
import { ChunkSink } from './chunkSink.ts';
import { CompareReader } from './compareReader.ts';
import { FilesReader } from './filesReader.ts';
import { GridReader } from './gridReader.ts';
import { holeFinder } from './holes.ts';
import { REGION_BYTES, RegionLoader } from './regionLoader.ts';
import { SourceReader } from './sourceReader.ts';
import { SumsOfThread } from './sumsOfThread.ts';
import type { BackupJob, BackupOrder, BackupReport } from './work.ts';

function report(message: BackupReport): void {
  parentPort?.postMessage(message);
}

async function run(job: BackupJob, orders: AsyncIterable<BackupOrder>): Promise<void> {
  const holes = await holeFinder();
  const readers = job.sources.map((source, disk) => new SourceReader(source, disk, holes));
  const writer = await openChunkWriter(job.seed);
  const sink = new ChunkSink(job, writer, (packs) => report({ kind: 'packs', packs }));
  const memory = alignedBuffer(Math.max(REGION_BYTES, GROUP_BYTES));
  const sums = SumsOfThread.open(job);
  const tools = { readers, sink, memory, sums, loader: new RegionLoader(readers, memory) };
  const grid = new GridReader(job, tools);
  const compare = new CompareReader(tools);
  const files = new FilesReader(tools);
  try {
    for await (const order of orders) {
      if (order.kind !== 'work') break;
      if (order.work.kind === 'grid') await grid.work(order.work);
      else if (order.work.kind === 'compare') compare.work(order.work);
      else await files.work(order.work);
      if (isStopped(job.control)) break;
      for (const reader of readers) reader.checkSize();
      report({ kind: 'worked', shared: sums?.takeShared() ?? null });
    }
    const packs = isStopped(job.control) ? [] : await writer.finish();
    report({ kind: 'packs', packs });
  } finally {
    await writer.close();
    // Stopped or failed: what is durable already, the last writes under way included, spares the next run the work.
    report({ kind: 'packs', packs: writer.takeSealed() });
    sums?.close();
    for (const reader of readers) reader.close();
  }
}

/** Orders in the order they came in. */
async function* orders(): AsyncGenerator<BackupOrder> {
  const waiting: BackupOrder[] = [];
  let wake = () => {};
  parentPort?.on('message', (order: BackupOrder) => {
    waiting.push(order);
    wake();
  });
  for (;;) {
    const order = waiting.shift();
    if (order !== undefined) yield order;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

/** A thread may be started before its job is known; one that is told to finish first has none. */
async function start(): Promise<void> {
  const all = orders();
  const { value: first } = await all.next();
  if (first?.kind === 'begin') await run(first.job, all);
}

start()
  .then(
    () => report({ kind: 'done', packs: [] }),
    (error) => report({ kind: 'failed', error: packError(error) }),
  )
  .finally(() => parentPort?.close());
