// biome-ignore-all lint/a11y/useSemanticElements: only the rows in view exist, which a table element cannot hold
'use client';
import type { ExplorerEntry } from '@diskfleet/protocol';
import { CircleSlash, Download, File, Folder, HardDrive, Link2, Shapes } from 'lucide-react';
import Link from 'next/link';
import { formatBytes } from '@/format/bytes';
import { buttonStyle } from '@/ui/Button';
import { Checkbox } from '@/ui/Choice';
import { cn } from '@/ui/cn';
import { Time } from '@/ui/Time';
import { downloadHref, exploreHref } from './imagePath';

export const rowColumns =
  'grid grid-cols-[1.25rem_minmax(0,1fr)_5.5rem_2rem] items-center gap-x-3 px-5 md:grid-cols-[1.25rem_minmax(0,1fr)_7rem_9rem_2rem] md:gap-x-5';

const icons = { partition: HardDrive, directory: Folder, file: File, symlink: Link2, other: Shapes } as const;

interface EntryRowProps {
  readonly entry: ExplorerEntry;
  readonly pointId: string;
  readonly disk: number;
  readonly path: string;
  readonly rowIndex: number;
  /** A partition that is described but not part of the point. */
  readonly leftOut: boolean;
  readonly active: boolean;
  /** null: cannot be ticked. */
  readonly ticked: boolean | null;
  readonly onTick: () => void;
  readonly offsetPx: number;
}

export function EntryRow({ entry, pointId, disk, path, rowIndex, leftOut, active, ticked, onTick, offsetPx }: EntryRowProps) {
  const Icon = leftOut ? CircleSlash : icons[entry.type];
  const label = entry.type === 'partition' ? `Partition ${entry.name}` : entry.name;
  const folder = entry.type === 'partition' || entry.type === 'directory';
  return (
    <div
      role="row"
      tabIndex={-1}
      aria-rowindex={rowIndex}
      className={cn(
        rowColumns,
        'absolute inset-x-0 top-0 h-10 border-line border-b hover:bg-sunken',
        ticked && 'bg-accent-soft/50',
        active && 'bg-hover group-focus-visible/list:shadow-[inset_3px_0_0_var(--accent-text)]',
      )}
      style={{ transform: `translateY(${offsetPx}px)` }}
    >
      <span role="cell" className="flex">
        {ticked !== null && <Checkbox label={`Tick ${entry.name}`} checked={ticked} onChange={onTick} />}
      </span>
      <span role="cell" className="flex min-w-0 items-center gap-2.5">
        <Icon
          className={cn('size-[18px] shrink-0', folder && !leftOut ? 'fill-accent-soft text-accent-text' : 'text-ink-3')}
          strokeWidth={1.7}
          aria-hidden
        />
        {entry.browsable ? (
          <Link
            href={exploreHref(pointId, disk, path)}
            prefetch={false}
            className="truncate rounded font-medium text-ink hover:text-accent-text hover:underline"
          >
            {label}
          </Link>
        ) : (
          <span aria-disabled={leftOut || undefined} className={cn('shrink-0', leftOut ? 'text-ink-3' : 'truncate text-ink')}>
            {label}
          </span>
        )}
        {entry.linkTarget !== null && <span className="truncate text-ink-3">→ {entry.linkTarget}</span>}
        {entry.description && <span className="truncate text-ink-3">{entry.description}</span>}
        {leftOut && !entry.description?.includes('not part of') && (
          <span className="truncate text-[0.8125rem] text-ink-3">left out: not part of this restore point</span>
        )}
        {entry.type === 'partition' && !entry.browsable && !leftOut && (
          <span className="hidden shrink-0 text-[0.8125rem] text-ink-3 sm:inline">not browsable</span>
        )}
      </span>
      <span role="cell" className="whitespace-nowrap text-right text-ink-2">
        {entry.type === 'directory' || entry.type === 'symlink' ? '' : formatBytes(entry.sizeBytes)}
      </span>
      <span role="cell" className="hidden truncate text-ink-3 md:block">
        {entry.modifiedAt && <Time iso={entry.modifiedAt} show="absolute" />}
      </span>
      <span role="cell" className="flex justify-end">
        {entry.type === 'file' && (
          <a
            href={downloadHref(pointId, disk, path)}
            download={entry.name}
            aria-label={`Download ${entry.name}`}
            className={buttonStyle({ look: 'ghost', size: 'icon' })}
          >
            <Download aria-hidden />
          </a>
        )}
      </span>
    </div>
  );
}
