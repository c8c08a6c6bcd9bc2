/** The file cutter's part of the first layer: plans by the files of each disk, and stores the chunks that are wanted. */
import { type BlockDevice, openFileDevice } from '@diskfleet/disk';
import type { FileLayout, Filesystem } from '@diskfleet/filesystem';
import { assembleCut } from '../cut/assembleCut.ts';
import { cutsByFiles, tellsChanges } from '../cut/cutters.ts';
import { fileMapEntries } from '../cut/fileMap.ts';
import { type KnownRecords, type RecordList, recordOf } from '../cut/fileRecords.ts';
import { type DiskPlan, planFiles, type VolumeToCut } from '../cut/planFiles.ts';
import { readVolumes } from '../layout/readVolumes.ts';
import type { BackupRequest } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { createCellTable } from './cellTable.ts';
import type { ScannedDisk } from './scan.ts';
import type { Layer } from './sourceImage.ts';

/** Whether `planDisk` may find something to plan: asked before there is time to look. */
export function mayCutFiles({ used: { layout } }: ScannedDisk, { cutter }: BackupRequest): boolean {
  const kinds = [layout.filesystem, ...layout.partitions.map(({ filesystem }) => filesystem)].map((found) => found?.kind ?? '');
  return kinds.some((kind) => kind !== '' && cutsByFiles(cutter, kind));
}

/** Files of the last run and of this one, where their metadata is to be believed. */
export interface FileMemory {
  readonly known: KnownRecords;
  readonly list: RecordList;
}

/** Null when no volume of the disk is cut by its files. @throws DiskError */
export async function planDisk(scanned: ScannedDisk, request: BackupRequest, files: FileMemory | null): Promise<DiskPlan | null> {
  if (request.cutter === 'grid') return null;
  const { disk, used } = scanned;
  const device = await openFileDevice(disk.path, { uncached: disk.live !== undefined });
  try {
    const volumes = await volumesToCut(device, scanned, { request, files });
    return volumes.length === 0 ? null : await planFiles({ used: used.usedExtents, volumes });
  } finally {
    await device.close();
  }
}

async function volumesToCut(
  device: BlockDevice,
  { disk: { partitions, live } }: ScannedDisk,
  { request, files }: { readonly request: BackupRequest; readonly files: FileMemory | null },
): Promise<VolumeToCut[]> {
  const { volumes, whole } = await readVolumes(device);
  const found: VolumeToCut[] = [];
  const add = (filesystem: Filesystem | null, startBytes: number, sizeBytes: number) => {
    const layouts = filesystem?.fileLayouts?.();
    if (filesystem === null || layouts === undefined || !cutsByFiles(request.cutter, filesystem.info.kind)) return;
    const { kind, uuid, clean } = filesystem.info;
    // Metadata on the medium is that of the files only where nothing waits in a cache or a journal.
    const believed = files !== null && tellsChanges(kind) && (clean || live !== undefined);
    found.push({ startBytes, sizeBytes, layouts, ...(believed && { isUnchanged: noting(files, `${startBytes} ${uuid}`) }) });
  };
  add(whole.filesystem, 0, device.sizeBytes);
  for (const { partition, filesystem } of volumes) {
    if (partitions?.includes(partition.number) !== false) add(filesystem, partition.startBytes, partition.sizeBytes);
  }
  return found;
}

/** Remembers every file it is asked about. */
function noting({ known, list }: FileMemory, volume: string): (layout: FileLayout) => boolean {
  return (layout) => {
    if (layout.stamp === '') return false;
    const record = recordOf(layout, volume);
    list.add(record);
    return known.has(record);
  };
}

/** @param wanted per disk 1 for each chunk to store; null: all of them */
export async function storeFiles(
  pool: BackupPool,
  plans: readonly (DiskPlan | null)[],
  wanted: readonly (Uint8Array | null)[],
): Promise<Layer> {
  const cut = assembleCut(plans, wanted);
  const table = createCellTable(cut.chunkCount);
  if (cut.chunkCount > 0) {
    const next = new Int32Array(new SharedArrayBuffer(8));
    await pool.run({ kind: 'files', cut, table, next }, { usedBytes: cut.usedBytes, chunkBytes: cut.totalBytes });
  }
  return (disk) => fileMapEntries(cut, table, disk);
}
