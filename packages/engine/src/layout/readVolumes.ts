/**
 * One look at a disk for both inventory and backup: its partition table and an opened reader for every volume we know, and the
 * name of what we know but do not read.
 * A damaged table or filesystem never stops the look: it is named in the warnings and the bytes count as "not understood".
 */
import {
  type BlockDevice,
  DiskError,
  type Partition,
  type PartitionTable,
  readPartitionTable,
  sliceDevice,
} from '@diskfleet/disk';
import { type Filesystem, FilesystemError, openFilesystem, type RecognisedVolume, recogniseVolume } from '@diskfleet/filesystem';

/** What lies on a volume. `recognised` is set only where there is no reader for it, or its reader could not open it. */
export interface VolumeContent {
  readonly filesystem: Filesystem | null;
  readonly recognised: RecognisedVolume | null;
  /**
   * Another kind whose marks the volume carries beside those of `filesystem`: one of them is left from earlier use, and we cannot
   * know which. The reader may be looked through, but its map of used blocks is not believed.
   */
  readonly rival: string | null;
}

interface VolumeOfPartition extends VolumeContent {
  readonly partition: Partition;
}

export interface DiskVolumes {
  readonly table: PartitionTable | null;
  readonly volumes: readonly VolumeOfPartition[];
  /** What the disk holds when it has no table. */
  readonly whole: VolumeContent;
  readonly warnings: readonly string[];
}

const nothing: VolumeContent = { filesystem: null, recognised: null, rival: null };

export async function readVolumes(device: BlockDevice): Promise<DiskVolumes> {
  const warnings: string[] = [];
  const table = await readTable(device, warnings);
  if (table === null) {
    return { table, volumes: [], whole: await openVolume(device, 'the disk', warnings), warnings };
  }
  const volumes: VolumeOfPartition[] = [];
  for (const partition of table.partitions) {
    const known = partition.role !== 'extended' && partition.sizeBytes > 0;
    const content = known
      ? await openVolume(
          sliceDevice(device, partition.startBytes, partition.sizeBytes),
          `partition ${partition.number}`,
          warnings,
        )
      : nothing;
    volumes.push({ partition, ...content });
  }
  return { table, volumes, whole: nothing, warnings };
}

async function readTable(device: BlockDevice, warnings: string[]): Promise<PartitionTable | null> {
  try {
    const table = await readPartitionTable(device);
    if (table !== null) warnings.push(...table.warnings);
    return table;
  } catch (error) {
    if (!(error instanceof DiskError) || (error.code !== 'TABLE_DAMAGED' && error.code !== 'TABLE_TOO_LARGE')) throw error;
    warnings.push(`the partition table cannot be used, so the whole disk counts as used: ${error.message}`);
    return null;
  }
}

async function openVolume(volume: BlockDevice, what: string, warnings: string[]): Promise<VolumeContent> {
  try {
    const filesystem = await openFilesystem(volume);
    const marked = await recogniseVolume(volume);
    if (filesystem === null) return { filesystem, recognised: marked, rival: null };
    return { filesystem, recognised: null, rival: marked && marked.kind !== filesystem.info.kind ? marked.kind : null };
  } catch (error) {
    warnings.push(`${what}: its filesystem cannot be read, so all of it counts as used: ${reasonOf(error)}`);
    return { filesystem: null, recognised: await nameOf(volume), rival: null };
  }
}

/** The name of a volume that could not be opened: none of its bytes are left out, whatever the name. */
async function nameOf(volume: BlockDevice): Promise<RecognisedVolume | null> {
  try {
    const found = await recogniseVolume(volume);
    return found && { ...found, usedExtents: null, usedBytes: found.totalBytes };
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

/** The message of an error that says something about the *bytes*; anything else is a fault of ours and goes on up. */
export function reasonOf(error: unknown): string {
  if (error instanceof FilesystemError || error instanceof DiskError) return error.message;
  throw error;
}
