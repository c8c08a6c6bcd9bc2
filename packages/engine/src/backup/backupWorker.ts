/**
 * One thread of a backup. Shared-nothing: it takes the next region by a shared counter, reads it, blanks what is free, and hands
 * every cell that is not zero to its own chunk writer. Nothing is sent or allocated per cell; results go to shared memory.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ChunkWriter, openChunkWriter, type SealedPack } from '@diskfleet/vault';
import { alignedBuffer } from '../threads/alignedBuffer.ts';
import { isStopped, takeNext } from '../threads/control.ts';
import { packError } from '../threads/threadErrors.ts';
import type { BackupJob, BackupReport } from './backupJob.ts';
import { COUNTERS, type Counter } from './backupJob.ts';
import { CELL_DATA, CELL_ZERO, ID_BYTES } from './cellTable.ts';
import { CELL_BYTES, loadRegion, REGION_CELLS, type Region } from './grid.ts';
import { holeFinder } from './holes.ts';
import { SourceReader } from './sourceReader.ts';

const REGION_BYTES = CELL_BYTES * REGION_CELLS;
/** How many regions go by between two looks for packs that are done (about 64 MiB of source). */
const REPORT_EVERY = 16;

/** All memory of a thread, made once. */
interface Bench {
  readonly buffer: Buffer;
  /** `buffer`, cell by cell. */
  readonly cells: readonly Buffer[];
  readonly zeros: Buffer;
  readonly id: Buffer;
  readonly region: Region;
  readonly counters: Float64Array;
}

function setUp(job: BackupJob): Bench {
  const buffer = alignedBuffer(REGION_BYTES);
  return {
    buffer,
    cells: Array.from({ length: REGION_CELLS }, (_, index) => buffer.subarray(index * CELL_BYTES, (index + 1) * CELL_BYTES)),
    zeros: Buffer.alloc(CELL_BYTES),
    id: Buffer.alloc(ID_BYTES),
    region: { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 },
    counters: new Float64Array(job.counters, job.thread * COUNTERS * 8, COUNTERS),
  };
}

function count(bench: Bench, counter: Counter, bytes: number): void {
  bench.counters[counter] = (bench.counters[counter] ?? 0) + bytes;
}

async function run(job: BackupJob): Promise<SealedPack[]> {
  const bench = setUp(job);
  const holes = await holeFinder();
  const readers = job.sources.map((source, disk) => new SourceReader(source, disk, holes));
  const writer = await openChunkWriter(job.seed);
  try {
    for (let sinceReport = 0; !isStopped(job.control); sinceReport++) {
      const next = takeNext(job.control);
      if (next >= job.regionCount) break;
      const region = loadRegion(job.regions, next, bench.region);
      const reader = readers[region.disk];
      if (reader === undefined) break;
      if (readRegion(job, bench, reader)) await storeRegion(job, bench, writer);
      else markZero(job, bench);
      if (sinceReport % REPORT_EVERY === REPORT_EVERY - 1) report({ kind: 'packs', packs: writer.takeSealed() });
    }
    return isStopped(job.control) ? [] : await writer.finish();
  } finally {
    await writer.close();
    // Stopped or failed: what is durable already, the last writes under way included, spares the next run the work.
    report({ kind: 'packs', packs: writer.takeSealed() });
    for (const reader of readers) reader.close();
  }
}

/** Fills the buffer with the region and blanks every byte of it that is in no used extent. False: all of it is a hole. */
function readRegion(job: BackupJob, bench: Bench, reader: SourceReader): boolean {
  const { extents } = job;
  const { region, buffer } = bench;
  const base = region.firstCell * CELL_BYTES;
  const end = base + region.cells * CELL_BYTES;
  const last = job.firstExtentOfDisk[region.disk + 1] ?? 0;
  const from = Math.max(extents[region.firstExtent * 2] ?? 0, base);
  let to = from;
  for (let index = region.firstExtent; index < last && (extents[index * 2] ?? 0) < end; index++) {
    to = Math.min(extents[index * 2 + 1] ?? 0, end);
  }
  if (reader.isHole({ from, to })) return false;
  count(bench, 1, reader.read(buffer, base, { from, to }));
  let clean = 0;
  for (let index = region.firstExtent; index < last && (extents[index * 2] ?? 0) < end; index++) {
    const start = Math.max(extents[index * 2] ?? 0, base) - base;
    if (start > clean) buffer.fill(0, clean, start);
    clean = Math.min(extents[index * 2 + 1] ?? 0, end) - base;
  }
  if (clean < end - base) buffer.fill(0, clean, end - base);
  return true;
}

function markZero(job: BackupJob, { region, counters }: Bench): void {
  job.table.states.fill(CELL_ZERO, region.firstOrdinal, region.firstOrdinal + region.cells);
  counters[0] = (counters[0] ?? 0) + region.cells * CELL_BYTES;
}

async function storeRegion(job: BackupJob, bench: Bench, writer: ChunkWriter): Promise<void> {
  const { region, id } = bench;
  const sizeBytes = job.sources[region.disk]?.sizeBytes ?? 0;
  for (let index = 0; index < region.cells; index++) {
    const ordinal = region.firstOrdinal + index;
    const cellStart = (region.firstCell + index) * CELL_BYTES;
    const length = Math.min(CELL_BYTES, sizeBytes - cellStart);
    const whole = bench.cells[index];
    if (whole === undefined) break;
    const cell = length === CELL_BYTES ? whole : whole.subarray(0, length);
    count(bench, 0, length);
    if (isZero(cell, bench.zeros)) {
      job.table.states[ordinal] = CELL_ZERO;
      continue;
    }
    const stored = writer.add(cell, id);
    job.table.ids.set(id, ordinal * ID_BYTES);
    job.table.states[ordinal] = CELL_DATA;
    if (stored > 0) {
      count(bench, 2, length);
      count(bench, 3, stored);
    }
    if (writer.drainNeeded) {
      await writer.drain();
      if (isStopped(job.control)) return;
    }
  }
}

/** Most cells differ from zero at their first or last byte; only the others are compared whole. */
function isZero(cell: Buffer, zeros: Buffer): boolean {
  if (cell[0] !== 0 || cell[cell.length - 1] !== 0) return false;
  return cell.equals(cell.length === zeros.length ? zeros : zeros.subarray(0, cell.length));
}

function report(message: BackupReport): void {
  parentPort?.postMessage(message);
}

const job: BackupJob = workerData;
run(job).then(
  (packs) => report({ kind: 'done', packs }),
  (error) => report({ kind: 'failed', error: packError(error) }),
);
