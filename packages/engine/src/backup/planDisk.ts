/** Plans a disk by the files of its volumes: walks them all and decides what becomes one chunk. Reads metadata only. */
import { type BlockDevice, type Extent, openFileDevice } from '@diskfleet/disk';
import type { FileLayout, Filesystem } from '@diskfleet/filesystem';
import { cutsByFiles, tellsChanges } from '../cut/cutters.ts';
import { KnownRecords, RecordList, recordOf } from '../cut/fileRecords.ts';
import { type DiskPlan, planFiles, type VolumeToCut } from '../cut/planFiles.ts';
import { readVolumes } from '../layout/readVolumes.ts';
import type { BackupRequest } from '../types.ts';

/** Plain data: a thread of its own does it. */
export interface PlanJob {
  readonly path: string;
  readonly isLive: boolean;
  readonly partitions: readonly number[] | null;
  readonly usedExtents: readonly Extent[];
  readonly cutter: BackupRequest['cutter'] | null;
  /** What was remembered of files, where their metadata is to be believed. */
  readonly records: Uint8Array | null;
}

export interface PlannedDisk {
  /** Null when no volume of the disk is cut by its files. */
  readonly plan: DiskPlan | null;
  /** What is to be remembered of its files. */
  readonly records: Uint8Array;
}

/** Files of the last run and of this one, where their metadata is to be believed. */
interface FileMemory {
  readonly known: KnownRecords;
  readonly list: RecordList;
}

/** @throws DiskError */
export async function planDisk(job: PlanJob): Promise<PlannedDisk> {
  const list = new RecordList();
  const files = job.records === null ? null : { known: new KnownRecords(Buffer.from(job.records)), list };
  const device = await openFileDevice(job.path, { uncached: job.isLive });
  try {
    const volumes = await volumesToCut(device, job, files);
    const plan = volumes.length === 0 ? null : await planFiles({ used: job.usedExtents, volumes });
    return { plan, records: list.encode() };
  } finally {
    await device.close();
  }
}

async function volumesToCut(
  device: BlockDevice,
  { partitions, isLive, cutter }: PlanJob,
  files: FileMemory | null,
): Promise<VolumeToCut[]> {
  const { volumes, whole } = await readVolumes(device);
  const found: VolumeToCut[] = [];
  const add = (filesystem: Filesystem | null, startBytes: number, sizeBytes: number) => {
    const layouts = filesystem?.fileLayouts?.();
    if (filesystem === null || layouts === undefined || !cutsByFiles(cutter ?? undefined, filesystem.info.kind)) return;
    const { kind, uuid, clean } = filesystem.info;
    // Metadata on the medium is that of the files only where nothing waits in a cache or a journal.
    const believed = files !== null && tellsChanges(kind) && (clean || isLive);
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
