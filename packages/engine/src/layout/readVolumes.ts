/**
 * One look at a disk for both inventory and backup: its partition table and an opened reader for every volume we know.
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
import { type Filesystem, FilesystemError, openFilesystem } from '@diskfleet/filesystem';

interface VolumeOfPartition {
  readonly partition: Partition;
  readonly filesystem: Filesystem | null;
}

export interface DiskVolumes {
  readonly table: PartitionTable | null;
  readonly volumes: readonly VolumeOfPartition[];
  /** The disk's one filesystem when it has no table. */
  readonly filesystem: Filesystem | null;
  readonly warnings: readonly string[];
}

export async function readVolumes(device: BlockDevice): Promise<DiskVolumes> {
  const warnings: string[] = [];
  const table = await readTable(device, warnings);
  if (table === null) {
    return { table, volumes: [], filesystem: await openVolume(device, 'the disk', warnings), warnings };
  }
  const volumes: VolumeOfPartition[] = [];
  for (const partition of table.partitions) {
    const known = partition.role !== 'extended' && partition.sizeBytes > 0;
    const filesystem = known
      ? await openVolume(
          sliceDevice(device, partition.startBytes, partition.sizeBytes),
          `partition ${partition.number}`,
          warnings,
        )
      : null;
    volumes.push({ partition, filesystem });
  }
  return { table, volumes, filesystem: null, warnings };
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

async function openVolume(volume: BlockDevice, what: string, warnings: string[]): Promise<Filesystem | null> {
  try {
    return await openFilesystem(volume);
  } catch (error) {
    warnings.push(`${what}: its filesystem cannot be read, so all of it counts as used: ${reasonOf(error)}`);
    return null;
  }
}

/** The message of an error that says something about the *bytes*; anything else is a fault of ours and goes on up. */
export function reasonOf(error: unknown): string {
  if (error instanceof FilesystemError || error instanceof DiskError) return error.message;
  throw error;
}
