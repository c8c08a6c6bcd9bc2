/** What the inventory says of a volume so that a system can be selected: what lies on it and who mounts it where. */
import { type FoundSystems, mountedByFstab } from '@diskfleet/engine';
import type { InventoryDisk } from '@diskfleet/protocol';
import type { DiskMount, DiskUse } from '../platform/types.ts';

interface VolumeFacts {
  holds?: string[];
  mountPoints?: string[];
  inUse?: boolean;
  group?: string;
}

/** Of one volume: a partition, or a disk without a table. */
export function factsOf(
  { mounts, swaps = [] }: DiskUse,
  { holds: found, groups }: FoundSystems,
  place: { number: number; startBytes: number; sizeBytes: number },
): VolumeFacts {
  const holds = found.get(place.number);
  const group = groups.get(place.number);
  const points = [...mounts, ...swaps].filter((mount) => liesIn(mount, place)).map(({ mountPoint }) => mountPoint);
  return {
    ...(holds === undefined ? {} : { holds: [...holds] }),
    ...(group === undefined ? {} : { group }),
    ...(points.length === 0 ? {} : { mountPoints: mostTelling(points), inUse: true }),
  };
}

function liesIn({ startBytes, memberBytes }: DiskMount, place: { startBytes: number; sizeBytes: number }): boolean {
  const at = startBytes ?? memberBytes;
  return at !== undefined && at >= place.startBytes && at < place.startBytes + place.sizeBytes;
}

/** A volume may be mounted at hundreds of places (containers): the short ones say what it is for. */
function mostTelling(points: readonly string[]): string[] {
  return [...new Set(points)].sort((left, right) => left.length - right.length || (left < right ? -1 : 1)).slice(0, 32);
}

/** Adds where systems at rest mount what the running system does not use. */
export function withFstabs(disks: readonly InventoryDisk[], fstabs: FoundSystems['fstabs']): InventoryDisk[] {
  const mounted = mountedByFstab(disks, fstabs);
  const add = <T extends VolumeFacts>(volume: T, disk: string, partition: number): T => {
    const mountPoints = volume.inUse === true ? [] : mostTelling(mounted(disk, partition));
    return mountPoints.length === 0 ? volume : { ...volume, mountPoints };
  };
  return disks.map((disk) => ({
    ...add(disk, disk.key, 0),
    partitions: disk.partitions.map((partition) => add(partition, disk.key, partition.number)),
  }));
}
