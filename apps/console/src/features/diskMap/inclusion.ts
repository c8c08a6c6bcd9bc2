import type { PointDisk } from '@diskfleet/protocol';

/** What a backup takes of a disk, for the map to draw: each segment is in or out, and says why. */
export interface Inclusion {
  /** Head of the column and of the fact: "In this backup", "In this point". */
  readonly title: string;
  /** By segment key; segments that are not named belong to no partition and are nobody's choice. */
  readonly takes: ReadonlyMap<string, Take>;
  /** Without it the map only shows. */
  readonly onToggle?: (key: string) => void;
}

export interface Take {
  readonly included: boolean;
  /** One or two words on the segment: "Included", "Left out", "Emptied". */
  readonly text: string;
  /** The clause behind it. */
  readonly reason: string;
  /** How much of it is read, as far as known: how far the segment is filled. */
  readonly readBytes: number;
}

/** What a restore point lacks of its disk, or undefined when it holds all of it. */
export function inclusionOfPoint(disk: Pick<PointDisk, 'partitions'>): Inclusion | undefined {
  const takes = new Map<string, Take>();
  for (const { number, content } of disk.partitions) {
    if (content === 'leftOut') {
      takes.set(`p${number}`, { included: false, text: 'Left out', reason: 'not part of this restore point', readBytes: 0 });
    }
  }
  return takes.size > 0 ? { title: 'In this point', takes } : undefined;
}
