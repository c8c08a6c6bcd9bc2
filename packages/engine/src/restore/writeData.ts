/** The middle of a restore: everything but the partition table, through worker threads, in bounded batches. */
import { type Extent, intersectExtents, mergeExtents, subtractExtents, type WritableBlockDevice } from '@diskfleet/disk';
import type { ChunkReaderSeed, MapEntry, Vault } from '@diskfleet/vault';
import { ID_BYTES } from '../backup/cellTable.ts';
import { EngineError } from '../errors.ts';
import { cancelled } from '../threads/runThreads.ts';
import type { Operation, Progress, RestorePlan } from '../types.ts';
import { type Batch, batchesOf } from './batches.ts';
import { untouchedExtents } from './leftOut.ts';
import { type RestoreCounts, runRestoreThreads } from './runRestoreThreads.ts';
import type { SavedView } from './savedView.ts';
import { signatureAreas, type TableAreas } from './tableAreas.ts';

const MIB = 1024 * 1024;
/** One chunk in so many is read back. */
const SAMPLE_ONE_IN = 64;
const SCAN_BYTES = 4 * MIB;

export interface RestoreRun {
  readonly vault: Vault;
  readonly view: SavedView;
  readonly target: WritableBlockDevice;
  readonly plan: RestorePlan;
  readonly op: Operation;
}

/** From here on the target carries no table and no whole-disk signature. */
export async function eraseSignatures({ target, plan }: RestoreRun): Promise<void> {
  if (plan.target.create) return;
  const areas = subtractExtents(signatureAreas(target.sizeBytes), mergeExtents(untouchedExtents(plan)));
  for (const { offsetBytes, lengthBytes } of areas) await target.zero(offsetBytes, lengthBytes);
  await target.flush();
}

export interface WrittenData extends RestoreCounts {
  /** Ids of those chunks of the sample that were read from the target and found right, so that nothing of them was written. */
  readonly foundIds: ReadonlySet<string>;
}

/** Writes every used range but the withheld ones. Counts what was written and what was right already. */
export async function writeData(run: RestoreRun, areas: TableAreas): Promise<WrittenData> {
  const { vault, view, target, plan, op } = run;
  const fresh = plan.target.create;
  const borders = bordersOf(plan);
  const progress = progressOf(run, 'write', plan.estimatedBytes);
  const done = { writtenBytes: 0, skippedBytes: 0, comparedBytes: 0 };
  const foundIds = new Set<string>();
  const zero = async ({ offsetBytes, lengthBytes }: Extent) => {
    if (op.signal?.aborted) throw cancelled();
    if (!fresh) await target.zero(offsetBytes, lengthBytes);
  };
  const batches = batchesOf({
    entries: view.entries(),
    locate: (id) => vault.locate(id),
    withheld: [...areas.withheld, ...untouchedExtents(plan)],
    endBytes: target.sizeBytes,
    onZero: zero,
    // Signatures of what the target held before must not outlive it where a partition begins or ends.
    onFree: async (free) => {
      if (!fresh) for (const part of intersectExtents([free], borders)) await zero(part);
    },
    wanted: () => true,
  });
  for await (const batch of batches) {
    const before = { ...done };
    const add = (counts: RestoreCounts) => {
      done.writtenBytes = before.writtenBytes + counts.writtenBytes;
      done.skippedBytes = before.skippedBytes + counts.skippedBytes;
      progress(done.writtenBytes + done.skippedBytes, done.skippedBytes);
    };
    const mode = fresh ? 'write' : 'update';
    const seed = await seedFor(vault, batch);
    const found = new Uint8Array(new SharedArrayBuffer(batch.chunkCount));
    add(await runRestoreThreads({ seed, batch, found, target: plan.target, mode, onCounts: add }, op));
    for (const [chunk, flag] of found.entries()) {
      const id = Buffer.from(batch.ids.buffer, batch.ids.byteOffset + chunk * ID_BYTES, ID_BYTES);
      if (flag === 1 && isSampled(id)) foundIds.add(id.toString('latin1'));
    }
  }
  return { ...done, foundIds };
}

/** Ids are hashes, so their first bytes choose evenly. */
function isSampled(chunkId: Buffer): boolean {
  return chunkId.readUInt32LE(0) % SAMPLE_ONE_IN === 0;
}

/** A batch may be gathered over millions of chunks that nobody wants, and the vault remembers the places of the latest ones only. */
async function seedFor(vault: Vault, { ids, chunkCount }: Batch): Promise<ChunkReaderSeed> {
  await vault.lookUp(Array.from({ length: chunkCount }, (_, at) => ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)));
  return vault.readerSeed();
}

/** First and last MiB of each partition that is written, inside the target. */
function bordersOf({ partitions, target }: RestorePlan): Extent[] {
  const made = partitions.filter(({ action, untouched }) => action !== 'keep' && action !== 'drop' && untouched !== true);
  const borders = made.flatMap(({ toStartBytes, toBytes }) => [
    { offsetBytes: toStartBytes, lengthBytes: Math.min(MIB, toBytes) },
    { offsetBytes: toStartBytes + Math.max(0, toBytes - MIB), lengthBytes: Math.min(MIB, toBytes) },
  ]);
  const inside = intersectExtents(borders, [{ offsetBytes: 0, lengthBytes: target.sizeBytes }]);
  return subtractExtents(mergeExtents(inside), mergeExtents(untouchedExtents({ partitions })));
}

/**
 * Reads back what was written and compares it with the vault: everything, or the borders of partitions (where filesystems keep
 * what they cannot live without) and an even sample of the rest, but for what was read and found right just before. @throws EngineError `COMPARE_FAILED`
 */
export async function compareData(
  run: RestoreRun,
  areas: TableAreas,
  { level, foundIds }: { readonly level: 'sample' | 'all'; readonly foundIds: ReadonlySet<string> },
): Promise<number> {
  const { vault, view, target, plan, op } = run;
  const borders = bordersOf(plan);
  const atBorder = (entry: MapEntry) => intersectExtents([entry], borders).length > 0;
  const total = level === 'all' ? plan.estimatedBytes : Math.ceil(plan.estimatedBytes / SAMPLE_ONE_IN);
  const progress = progressOf(run, 'compare', total);
  progress(0, 0);
  let done = 0;
  const batches = batchesOf({
    entries: view.entries(),
    locate: (id) => vault.locate(id),
    withheld: [...areas.withheld, ...untouchedExtents(plan)],
    endBytes: target.sizeBytes,
    onZero: async (zero) => {
      if (level === 'all') done += await compareZero(run, zero);
    },
    onFree: async () => {},
    wanted: (entry) =>
      level === 'all' || (isSampled(entry.chunkId) && !foundIds.has(entry.chunkId.toString('latin1'))) || atBorder(entry),
  });
  for await (const batch of batches) {
    const before = done;
    const add = ({ comparedBytes }: RestoreCounts) => {
      done = before + comparedBytes;
      progress(done, 0);
    };
    const seed = await seedFor(vault, batch);
    const found = new Uint8Array(new SharedArrayBuffer(0));
    add(await runRestoreThreads({ seed, batch, found, target: plan.target, mode: 'compare', onCounts: add }, op));
  }
  return done;
}

async function compareZero({ target, plan, op }: RestoreRun, { offsetBytes, lengthBytes }: Extent): Promise<number> {
  const there = Buffer.alloc(Math.min(SCAN_BYTES, lengthBytes));
  const zeros = Buffer.alloc(there.length);
  for (let at = 0; at < lengthBytes; at += SCAN_BYTES) {
    if (op.signal?.aborted) throw cancelled();
    const bytes = there.subarray(0, Math.min(SCAN_BYTES, lengthBytes - at));
    await target.read(offsetBytes + at, bytes);
    if (bytes.equals(zeros.subarray(0, bytes.length))) continue;
    const first = offsetBytes + at + bytes.findIndex((byte) => byte !== 0);
    const text = `${plan.target.name} is not zero at byte ${first}, where it was made so: the disk is not to be trusted`;
    throw new EngineError('COMPARE_FAILED', text);
  }
  return lengthBytes;
}

function progressOf({ op }: RestoreRun, phase: Progress['phase'], totalBytes: number) {
  return (doneBytes: number, skippedBytes: number) =>
    op.onProgress?.({
      phase,
      doneBytes: Math.min(doneBytes, totalBytes),
      totalBytes,
      newBytes: 0,
      storedBytes: 0,
      skippedBytes,
    });
}
