'use client';
import type { InventoryDisk } from '@diskfleet/protocol';
import { useId } from 'react';
import { formatBytes } from '@/format/bytes';
import { Checkbox } from '@/ui/Choice';
import { DiskMap } from '../diskMap/DiskMap';
import { partitionTitle } from '../diskMap/layoutDisk';
import { type Choice, type DiskTaking, hasPartitions, partsOf, toggleDisk, toggleSegment } from './choice';

interface BackupMapsProps {
  readonly choice: Choice;
  readonly onChange: (choice: Choice) => void;
  readonly takings: readonly DiskTaking[];
}

/** Every disk of the PC with what the backup will take of it, before it starts. */
export function BackupMaps({ choice, onChange, takings }: BackupMapsProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="grid gap-2">
      <h3 id={id} className="font-medium text-[0.8125rem] text-ink">
        What is included
      </h3>
      <p className="text-[0.8125rem] text-ink-3">{hints[choice.kind]}</p>
      <ul className="divide-y divide-line rounded-xl border border-line">
        {takings.map((taking) => (
          <li key={taking.disk.key} className="grid gap-2 p-4">
            <DiskMap
              disk={taking.disk}
              inclusion={{
                title: 'In this backup',
                takes: taking.takes,
                ...(choice.kind === 'partition' && hasPartitions(taking.disk)
                  ? { onToggle: (key: string) => onChange(toggleSegment(choice, taking.disk, key)) }
                  : {}),
              }}
              lead={choice.kind === 'system' ? undefined : <DiskTick choice={choice} taking={taking} onChange={onChange} />}
            />
            <LeftOut taking={taking} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const hints = {
  system: 'Filled parts are read; hatched ones are left out. Partition tables and boot code are always taken.',
  disk: 'Tick the disks. Partition tables and boot code are always taken.',
  partition:
    'Press a partition to take it in or leave it out: with the mouse, or arrow keys and Space. Partition tables and boot code are always taken.',
} as const;

function DiskTick({ choice, taking, onChange }: { choice: Choice; taking: DiskTaking; onChange: (choice: Choice) => void }) {
  const { disk, taken } = taking;
  return (
    <Checkbox
      label={`Back up ${disk.name}`}
      checked={taken === 'some' ? 'indeterminate' : taken === 'all'}
      disabled={choice.kind === 'partition' && !hasPartitions(disk)}
      onChange={(on) => onChange(toggleDisk(choice, disk, on))}
    />
  );
}

/** The same in words: what will not be in the restore point, by name and by reason. */
function LeftOut({ taking }: { taking: DiskTaking }) {
  if (taking.taken === 'none') return <p className="text-[0.8125rem] text-ink-2">{nothingTaken(taking.disk, taking)}</p>;
  if (taking.leftOut.length === 0) return null;
  return (
    <ul className="grid gap-0.5 text-[0.8125rem]" aria-label={`Left out of ${taking.disk.name}`}>
      {[...byReason(taking.leftOut)].map(([reason, names]) => (
        <li key={reason} className="text-ink-2">
          <span className="font-medium text-ink">Left out: {names.join(', ')}</span>
          <span className="text-ink-3"> – {reason}</span>
        </li>
      ))}
    </ul>
  );
}

function byReason(leftOut: DiskTaking['leftOut']): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { part, reason } of leftOut) {
    const name = `${partitionTitle(part)} (${formatBytes(part.sizeBytes)})`;
    groups.set(reason, [...(groups.get(reason) ?? []), name]);
  }
  return groups;
}

function nothingTaken(disk: InventoryDisk, taking: DiskTaking): string {
  if (partsOf(disk).length === 0 && (disk.warnings?.length ?? 0) === 0) return 'Nothing of this disk is taken; it looks empty.';
  const reasons = new Set(taking.leftOut.map(({ reason }) => reason));
  return `Nothing of this disk is taken${reasons.size === 1 ? ` – ${[...reasons][0]}` : '.'}`;
}
