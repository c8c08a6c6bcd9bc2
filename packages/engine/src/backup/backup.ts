/**
 * Backs up disks: scan what is used, read and store it with all cores, reach one moment where the disk is in use, write the maps,
 * commit. Nothing is visible in the vault before the commit; a run that fails or is cancelled leaves unreferenced packs at most.
 */
import type { MapEntry, PointWriter, SavedDiskInfo, SealedPack, Vault } from '@diskfleet/vault';
import { mostChunks } from '../cut/fileCut.ts';
import { EngineError } from '../errors.ts';
import { placeOf } from '../layout/placeOf.ts';
import { cancelled } from '../threads/runThreads.ts';
import type { BackupRequest, BackupResult, Operation } from '../types.ts';
import { type BackupPool, type StoredTotals, startBackupPool } from './backupPool.ts';
import { chooseParent } from './chooseParent.ts';
import { CELL_BYTES } from './grid.ts';
import { quiesce, reachOneMoment, type ViewedDisk, ViewLost } from './liveView.ts';
import { type MemoryOfRun, openMemory } from './memoryOfRun.ts';
import { sayMethod, warningsOf } from './runLog.ts';
import { type ScannedDisk, scanDisk } from './scan.ts';
import type { SourceImage } from './sourceImage.ts';
import { storeBase } from './storeBase.ts';
import { mayCutFiles } from './storeFiles.ts';

/** How often a live disk is begun anew when the record of its writes was lost. */
const ATTEMPTS = 3;
/** Chunks a run may come to beside those of the first look: passes over what changed, files that were added. */
const SPARE_CHUNKS = 65_536;

/**
 * @throws EngineError `SOURCE_EMPTY`, `SOURCE_CHANGED_SIZE`, `LIVE_VIEW_LOST`, `CANCELLED`, `WORKER_FAILED`; DiskError (a place that
 *   cannot be read is named by partition and byte); VaultError. After any of them the vault holds no new point.
 */
export async function backup(vault: Vault, request: BackupRequest, op: Operation): Promise<BackupResult> {
  const startedAt = performance.now();
  op.onProgress?.({ phase: 'scan', doneBytes: 0, totalBytes: 0, newBytes: 0, storedBytes: 0, skippedBytes: 0 });
  if (request.disks.length === 0) throw new EngineError('SOURCE_EMPTY', 'no disk was named to back up');
  const { points } = await vault.listPoints({ machineId: request.machineId });
  const lineage = chooseParent(points, request);
  const memory = await openMemory(vault, request, lineage);
  const scanned = await scanAll(request, op);
  sayMethod(request, lineage, op);
  const writer = await vault.beginPoint({
    machineId: request.machineId,
    machineName: request.machineName,
    source: request.source,
    kind: request.kind,
    method: lineage.method,
    parentId: lineage.parent?.id ?? null,
    expectedChunks: chunksExpected(scanned, request),
    compression: request.compression,
    now: op.now,
  });
  try {
    const stored = await storeDisks({ request, memory, writer }, scanned, op);
    const warnings = [...warningsOf(stored.scanned, op), ...stored.image.warnings];
    const { infos, usedBytes } = await writeMaps(writer, stored, op);
    stopIfAborted(op);
    const sourceBytes = infos.reduce((total, info) => total + info.sizeBytes, 0);
    const { readBytes, newBytes, storedBytes } = stored.totals;
    const totals = { sizeBytes: sourceBytes, usedBytes, newBytes };
    const point = await writer.commit({ packs: stored.packs, disks: infos, warnings, totals });
    await memory.keep(point.id, stored.scanned, stored.image);
    const seconds = (performance.now() - startedAt) / 1000;
    return { point, method: lineage.method, sourceBytes, usedBytes, readBytes, newBytes, storedBytes, seconds, warnings };
  } finally {
    await memory.drop();
    await writer.abandon();
  }
}

/** Writes to live disks are told from here on. */
async function scanAll(request: BackupRequest, op: Operation): Promise<ScannedDisk[]> {
  await quiesce(request.disks.map(({ live }) => live ?? null));
  const scanned: ScannedDisk[] = [];
  for (const disk of request.disks) {
    stopIfAborted(op);
    scanned.push(await scanDisk(disk, request));
  }
  return scanned;
}

/** Live disks: what is read again, by its place on the disk, may come to twice the disk, three times over. */
function chunksExpected(scanned: readonly ScannedDisk[], request: BackupRequest): number {
  const bytes = scanned.reduce((total, { used }) => total + used.usedBytes, 0);
  const extents = scanned.reduce((total, { used }) => total + used.usedExtents.length, 0);
  const cells = Math.min(Math.ceil(bytes / CELL_BYTES) + 2 * extents, Math.ceil(sizeOf(scanned) / CELL_BYTES));
  const files = scanned.some((one) => mayCutFiles(one, request)) ? mostChunks(bytes, sizeOf(scanned)) : 0;
  const byPlace = cells + SPARE_CHUNKS;
  return files + (request.disks.some(({ live }) => live !== undefined) ? byPlace * 4 : byPlace);
}

function sizeOf(scanned: readonly ScannedDisk[]): number {
  return scanned.reduce((total, { used }) => total + used.layout.sizeBytes, 0);
}

interface Run {
  readonly request: BackupRequest;
  readonly memory: MemoryOfRun;
  readonly writer: PointWriter;
}

interface Stored {
  readonly scanned: readonly ScannedDisk[];
  readonly image: SourceImage;
  readonly packs: readonly SealedPack[];
  readonly totals: StoredTotals;
}

async function storeDisks(run: Run, first: readonly ScannedDisk[], op: Operation): Promise<Stored> {
  await run.memory.openSums(first);
  const pool = startBackupPool(
    {
      sources: first.map(sourceOf),
      writer: run.writer,
      sums: run.memory.sums,
      expectedBytes: first.reduce((total, { used }) => total + used.usedBytes, 0),
      describe: (disk, offsetBytes) => {
        const layout = first[disk]?.used.layout;
        return layout === undefined ? `byte ${offsetBytes}` : placeOf(layout, offsetBytes);
      },
    },
    op,
  );
  try {
    for (let attempt = 1, scanned = first; ; attempt++, scanned = await scanAll(run.request, op)) {
      const image = await imageOf(run, scanned, pool, op);
      if (image !== null) {
        const packs = await pool.finish();
        return { scanned, image, packs, totals: pool.totals };
      }
      if (attempt >= ATTEMPTS) {
        const text =
          'the disk is written faster than it can be read, or the system lost count of the writes: no picture of one moment was possible';
        throw new EngineError('LIVE_VIEW_LOST', text, { retry: 'later' });
      }
      op.onLog?.({ level: 'warning', text: 'Some writes to the disk were not told; it is read from the start.' });
    }
  } finally {
    await pool.abandon();
  }
}

function sourceOf({ disk, used: { layout } }: ScannedDisk): ViewedDisk['source'] {
  return { path: disk.path, name: disk.name, sizeBytes: layout.sizeBytes, sectorBytes: layout.sectorBytes };
}

/** Null when the view was lost. */
async function imageOf(run: Run, scanned: readonly ScannedDisk[], pool: BackupPool, op: Operation): Promise<SourceImage | null> {
  const disks = scanned.map(
    (one): ViewedDisk => ({
      source: sourceOf(one),
      live: one.disk.live ?? null,
      state: {
        sizeBytes: one.used.layout.sizeBytes,
        used: one.used.usedExtents,
        leftOut: one.used.leftOutExtents,
      },
    }),
  );
  try {
    const image = await storeBase({ ...run, scanned, pool }, op);
    await reachOneMoment({ disks, pool, image, op });
    return image;
  } catch (error) {
    if (error instanceof ViewLost) return null;
    throw error;
  }
}

async function writeMaps(
  writer: PointWriter,
  { scanned, image, totals }: Stored,
  op: Operation,
): Promise<{ infos: SavedDiskInfo[]; usedBytes: number }> {
  const infos: SavedDiskInfo[] = [];
  const { newBytes, storedBytes } = totals;
  const total = scanned.reduce((sum, { used }) => sum + used.usedBytes, 0);
  op.onProgress?.({ phase: 'commit', doneBytes: total, totalBytes: total, newBytes, storedBytes, skippedBytes: 0 });
  let allUsedBytes = 0;
  for (const [index, { disk, used }] of scanned.entries()) {
    const { layout } = used;
    const data = { bytes: 0 };
    const { mapRootId } = await writer.writeMap(countData(image.entries(index), data), layout.sizeBytes);
    allUsedBytes += data.bytes;
    infos.push({
      name: disk.name,
      model: disk.model,
      serial: disk.serial,
      sizeBytes: layout.sizeBytes,
      sectorBytes: layout.sectorBytes,
      usedBytes: data.bytes,
      table: layout.table,
      tableId: layout.tableId,
      partitions: layout.partitions.map(({ filesystem, ...rest }) => ({ ...rest, filesystem: filesystem && { ...filesystem } })),
      mapRootId,
    });
  }
  return { infos, usedBytes: allUsedBytes };
}

/** Adds up what is used and not zero: the bytes a restore has to write. */
function* countData(entries: Iterable<MapEntry>, data: { bytes: number }): Generator<MapEntry> {
  for (const entry of entries) {
    if (entry.kind === 'data') data.bytes += entry.lengthBytes;
    yield entry;
  }
}

function stopIfAborted(op: Operation): void {
  if (op.signal?.aborted) throw cancelled();
}
