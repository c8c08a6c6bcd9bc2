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
import { type LogicalVolume, openPhysicalVolumes } from '@diskfleet/filesystem';
import { groupFilesystem, OpenedVolumes } from './groupFilesystem.ts';
import { nothing, openVolume, type VolumeContent } from './volumeContent.ts';

export { reasonOf, type VolumeContent } from './volumeContent.ts';

/** More logical volumes than anybody has are not opened. */
const MAX_LOGICAL_VOLUMES = 1000;

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

/** A volume on its way to be understood: what is a part of a volume group waits for the other parts. */
interface Place {
  readonly device: BlockDevice;
  readonly what: string;
  readonly content: VolumeContent;
}

export async function readVolumes(device: BlockDevice): Promise<DiskVolumes> {
  const warnings: string[] = [];
  const table = await readTable(device, warnings);
  const open = async (volume: BlockDevice, what: string): Promise<Place> => ({
    device: volume,
    what,
    content: await openVolume(volume, what, warnings),
  });
  if (table === null) {
    const [whole = nothing] = await joinGroups([await open(device, 'the disk')], warnings);
    return { table, volumes: [], whole, warnings };
  }
  const places: Place[] = [];
  for (const { number, role, startBytes, sizeBytes } of table.partitions) {
    const known = role !== 'extended' && sizeBytes > 0;
    const volume = known ? sliceDevice(device, startBytes, sizeBytes) : device;
    places.push(known ? await open(volume, `partition ${number}`) : { device: volume, what: '', content: nothing });
  }
  const contents = await joinGroups(places, warnings);
  const volumes = table.partitions.map((partition, index) => ({ partition, ...(contents[index] ?? nothing) }));
  return { table, volumes, whole: nothing, warnings };
}

/** The contents of the places, those of LVM put together from all of them. */
async function joinGroups(places: readonly Place[], warnings: string[]): Promise<VolumeContent[]> {
  const members = places.filter(({ content }) => content.filesystem === null && kindsOf(content).includes('lvm2'));
  const physicals = await openPhysicalVolumes(members.map(({ device }) => device));
  const contents = new Map<LogicalVolume, VolumeContent>();
  for (const [index, physical] of physicals.entries()) {
    const what = members[index]?.what ?? '';
    for (const doubt of physical?.doubts ?? []) warnings.push(`${what}: LVM: ${doubt}; all of it counts as used`);
    for (const volume of physical?.volumes ?? []) {
      if (contents.size >= MAX_LOGICAL_VOLUMES) break;
      if (volume.device) contents.set(volume, await openLogical(volume.device, `${what}: ${volume.name}`, warnings));
    }
  }
  const opened = new OpenedVolumes(contents);
  return places.map((place) => {
    const physical = physicals[members.indexOf(place)] ?? null;
    if (physical === null || physical.groupName === null) return place.content;
    return {
      filesystem: groupFilesystem(physical, place.device.sizeBytes, opened),
      recognised: null,
      rival: place.content.rival ?? kindsOf(place.content).find((kind) => kind !== 'lvm2') ?? null,
      logicalVolumes: physical.volumes.map((volume) => ({ volume, content: opened.contentOf(volume) })),
    };
  });
}

function kindsOf({ recognised }: VolumeContent): readonly string[] {
  return recognised === null ? [] : [recognised.kind, ...recognised.others];
}

/** A table in a logical volume makes it the disk of a virtual machine: a filesystem beside it is a remnant, or the table is. */
async function openLogical(device: BlockDevice, what: string, warnings: string[]): Promise<VolumeContent> {
  const content = await openVolume(device, what, warnings);
  const table = await readTable(device, []);
  return table === null || content.filesystem === null
    ? { ...content, ...(table && nothing) }
    : { ...content, rival: table.kind };
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
