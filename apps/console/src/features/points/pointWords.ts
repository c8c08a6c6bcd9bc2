/** Restore points in words a person uses. */
import type { PointDisk, PointView } from '@diskfleet/protocol';

export const pointKindNames = {
  system: 'System',
  disk: 'Disk',
  partition: 'Partitions',
  file: 'Files',
} as const satisfies Record<PointView['kind'], string>;

/** "System, incremental". */
export function kindAndMethod({ kind, method }: Pick<PointView, 'kind' | 'method'>): string {
  return `${pointKindNames[kind]}, ${method}`;
}

/** Names of what is described in a point but not part of it; empty for a whole disk. */
export function leftOutNames(disks: readonly PointDisk[]): readonly string[] {
  const severalDisks = disks.length > 1;
  return disks.flatMap((disk) =>
    disk.partitions
      .filter(({ content }) => content === 'leftOut')
      .map((part) => {
        const name = part.filesystem?.label || part.name || part.typeName || `partition ${part.number}`;
        return severalDisks ? `${name} (${disk.name})` : name;
      }),
  );
}

/** Does a point answer to what was typed: machine, disk, comment, kind, method, day? Every word must be found somewhere. */
export function matchesPoint(point: PointView, text: string, day: string): boolean {
  const hay = [point.machineName, point.source, point.comment, pointKindNames[point.kind], point.method, day, point.id]
    .join(' ')
    .toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word));
}
