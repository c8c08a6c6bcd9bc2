/**
 * Backs up whole disks: scan what is used, read and store it with all cores, write the maps, commit. Nothing is visible in the
 * vault before the commit; a run that fails or is cancelled leaves unreferenced packs at most.
 */
import { type BlockDevice, openFileDevice } from '@diskfleet/disk';
import type { MapEntry, PointWriter, SavedDiskInfo, Vault } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { placeOf } from '../layout/placeOf.ts';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import { sizeText } from '../sizeText.ts';
import { cancelled } from '../threads/runThreads.ts';
import type { BackupRequest, BackupResult, DiskToBackUp, Operation, UsedDisk } from '../types.ts';
import { chooseParent, type Lineage } from './chooseParent.ts';
import { cutGrid, type Grid } from './grid.ts';
import { gridMapEntries } from './gridMap.ts';
import { runBackupThreads, type StoredCells } from './runBackupThreads.ts';

interface ScannedDisk {
  readonly disk: DiskToBackUp;
  readonly used: UsedDisk;
}

/**
 * @throws EngineError `SOURCE_EMPTY`, `SOURCE_CHANGED_SIZE`, `CANCELLED`, `WORKER_FAILED`; DiskError (a place that cannot be read
 *   is named by partition and byte); VaultError. After any of them the vault holds no new point.
 */
export async function backup(vault: Vault, request: BackupRequest, op: Operation): Promise<BackupResult> {
  const startedAt = performance.now();
  op.onProgress?.({ phase: 'scan', doneBytes: 0, totalBytes: 0, newBytes: 0, storedBytes: 0, skippedBytes: 0 });
  const { points } = await vault.listPoints({ machineId: request.machineId });
  const lineage = chooseParent(points, request);
  const scanned = await scanDisks(request, op);
  const warnings = warningsOf(scanned, op);
  sayMethod(request, lineage, op);
  const grid = cutGrid(scanned.map(({ used }) => used.usedExtents));
  stopIfAborted(op);
  const writer = await vault.beginPoint({
    machineId: request.machineId,
    machineName: request.machineName,
    source: request.source,
    kind: request.kind,
    method: lineage.method,
    parentId: lineage.parent?.id ?? null,
    expectedChunks: grid.cellCount,
    compression: request.compression,
    now: op.now,
  });
  try {
    const stored = await storeCells({ scanned, grid, writer }, op);
    const { infos, usedBytes } = await writeMaps({ scanned, grid, writer }, stored, op);
    stopIfAborted(op);
    const sourceBytes = infos.reduce((total, info) => total + info.sizeBytes, 0);
    const totals = { sizeBytes: sourceBytes, usedBytes, newBytes: stored.newBytes };
    const point = await writer.commit({ packs: stored.packs, disks: infos, warnings, totals });
    const seconds = (performance.now() - startedAt) / 1000;
    const { readBytes, newBytes, storedBytes } = stored;
    return { point, method: lineage.method, sourceBytes, usedBytes, readBytes, newBytes, storedBytes, seconds, warnings };
  } finally {
    await writer.abandon();
  }
}

async function scanDisks(request: BackupRequest, op: Operation): Promise<ScannedDisk[]> {
  const scanned: ScannedDisk[] = [];
  for (const disk of request.disks) {
    stopIfAborted(op);
    const device = await openFileDevice(disk.path);
    try {
      scanned.push({ disk, used: await scan(device, disk, request.sectorBySector) });
    } finally {
      await device.close();
    }
  }
  if (scanned.length === 0) throw new EngineError('SOURCE_EMPTY', 'no disk was named to back up');
  return scanned;
}

async function scan(device: BlockDevice, disk: DiskToBackUp, sectorBySector: boolean): Promise<UsedDisk> {
  if (device.sizeBytes === 0) {
    throw new EngineError(
      'SOURCE_EMPTY',
      `${disk.name} has a size of 0 bytes: there is nothing to back up (no medium inserted?)`,
    );
  }
  return readUsedDisk(device, { sectorBySector });
}

function warningsOf(scanned: readonly ScannedDisk[], op: Operation): string[] {
  const warnings: string[] = [];
  for (const { disk, used } of scanned) {
    for (const warning of [...used.layout.warnings, ...inUse(used)]) {
      const text = scanned.length > 1 ? `${disk.name}: ${warning}` : warning;
      warnings.push(text);
      op.onLog?.({ level: 'warning', text });
    }
    if (used.leftOutBytes > 0) {
      const text = `${disk.name}: ${sizeText(used.leftOutBytes)} behind the last partition belong to none and are left out; a sector-by-sector backup keeps them.`;
      op.onLog?.({ level: 'info', text });
    }
  }
  return warnings;
}

/** What is written while we read may be half in the image: said, because only the caller knows whether a snapshot was taken. */
function inUse({ layout }: UsedDisk): string[] {
  const volumes = [{ what: 'the disk', filesystem: layout.filesystem }];
  for (const { number, filesystem } of layout.partitions) volumes.push({ what: `partition ${number}`, filesystem });
  return volumes
    .filter(({ filesystem }) => filesystem?.clean === false)
    .map(
      ({ what }) =>
        `${what}: its filesystem was in use or not shut down cleanly; after a restore it needs the check its system makes at start`,
    );
}

function sayMethod(request: BackupRequest, { method, parent }: Lineage, op: Operation): void {
  if (method !== request.method) {
    op.onLog?.({
      level: 'info',
      text: `There is no earlier restore point to build on, so this ${request.method} backup is a full one.`,
    });
  } else if (parent !== null) {
    op.onLog?.({ level: 'info', text: `Building on restore point ${parent.id} of ${parent.createdAt}.` });
  }
}

interface Cut {
  readonly scanned: readonly ScannedDisk[];
  readonly grid: Grid;
  readonly writer: PointWriter;
}

async function storeCells({ scanned, grid, writer }: Cut, op: Operation): Promise<StoredCells> {
  const sources = scanned.map(({ disk, used: { layout } }) => ({
    path: disk.path,
    name: disk.name,
    sizeBytes: layout.sizeBytes,
    sectorBytes: layout.sectorBytes,
  }));
  const describe = (disk: number, offsetBytes: number) => {
    const layout = scanned[disk]?.used.layout;
    return layout === undefined ? `byte ${offsetBytes}` : placeOf(layout, offsetBytes);
  };
  return runBackupThreads({ sources, grid, writer, describe }, op);
}

async function writeMaps(cut: Cut, stored: StoredCells, op: Operation): Promise<{ infos: SavedDiskInfo[]; usedBytes: number }> {
  const infos: SavedDiskInfo[] = [];
  const { newBytes, storedBytes } = stored;
  const total = cut.grid.usedBytes;
  op.onProgress?.({ phase: 'commit', doneBytes: total, totalBytes: total, newBytes, storedBytes, skippedBytes: 0 });
  let allUsedBytes = 0;
  for (const [index, { disk, used }] of cut.scanned.entries()) {
    const { layout } = used;
    const data = { bytes: 0 };
    const { mapRootId } = await cut.writer.writeMap(
      countData(gridMapEntries(cut.grid, stored.table, index), data),
      layout.sizeBytes,
    );
    const usedBytes = data.bytes;
    allUsedBytes += usedBytes;
    infos.push({
      name: disk.name,
      model: disk.model,
      serial: disk.serial,
      sizeBytes: layout.sizeBytes,
      sectorBytes: layout.sectorBytes,
      usedBytes,
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
