import { sizeText } from '../sizeText.ts';
import type { DiskLayout, LayoutPartition, RestorePlan } from '../types.ts';
import type { Fate } from './leftOut.ts';

/** One sentence for each partition that is not part of the point: what becomes of it. */
export function leftOutNotes(
  saved: DiskLayout,
  target: DiskLayout | null,
  fates: ReadonlyMap<number, Fate>,
): RestorePlan['warnings'] {
  return saved.partitions.flatMap((partition) => {
    const fate = fates.get(partition.number);
    if (fate === undefined) return [];
    const { number, filesystem, name, typeName, sizeBytes } = partition;
    const about = [filesystem?.label || name || typeName, sizeText(sizeBytes)].filter(Boolean).join(', ');
    const what = `partition ${number} (${about}) is not part of this restore point`;
    const moved = fate === 'empty' && target !== null && movedOn(target, partition);
    const notes = [noteOf(fate, what)];
    if (moved) {
      const text = `partition ${number} (${about}) lies elsewhere on the target than when the point was made: it will be lost there. Back it up first, or restore the other partitions one by one`;
      notes.push({ code: 'LEFT_OUT_MOVED', text });
    }
    return notes;
  });
}

function noteOf(fate: Fate, what: string): { code: string; text: string } {
  switch (fate) {
    case 'keep':
      return { code: 'LEFT_OUT_KEPT', text: `${what}: the target has it, and it stays as it is there` };
    case 'untouched':
      return { code: 'LEFT_OUT_UNTOUCHED', text: `${what}: it is made, and what lies in its place on the target is not touched` };
    case 'empty':
      return { code: 'LEFT_OUT_EMPTY', text: `${what}: it is made without content` };
    case 'drop':
      return { code: 'LEFT_OUT_DROPPED', text: `${what} and does not fit the target: it is not made` };
  }
}

function movedOn({ partitions }: DiskLayout, { id }: LayoutPartition): boolean {
  return id !== null && partitions.some((one) => one.id === id);
}
