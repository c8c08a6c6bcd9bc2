// biome-ignore-all lint/a11y/useSemanticElements: only the rows in view exist, which a table element cannot hold
// biome-ignore-all lint/a11y/useFocusableInteractive: the sort buttons inside the column heads take the focus
'use client';
import type { ExplorerEntry } from '@diskfleet/protocol';
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { type KeyboardEvent, useRef, useState } from 'react';
import { Checkbox } from '@/ui/Choice';
import { cn } from '@/ui/cn';
import { EntryRow, rowColumns } from './EntryRow';
import { childPath, exploreHref, parentPath, type SortKey } from './imagePath';

interface Sort {
  readonly sort: SortKey;
  readonly desc: boolean;
}

interface EntryListProps {
  readonly entries: readonly ExplorerEntry[];
  readonly pointId: string;
  readonly disk: number;
  readonly path: string;
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
  /** Names of partitions whose content is not in the point. */
  readonly leftOut: ReadonlySet<string>;
  readonly ticked: ReadonlySet<string>;
  readonly onTick: (ticked: ReadonlySet<string>) => void;
}

const rowHeight = 40;

/** Only the rows in view exist. Arrows walk, Enter opens, Space ticks, Backspace goes up. */
export function EntryList({ entries, pointId, disk, path, sort, onSort, leftOut, ticked, onTick }: EntryListProps) {
  const router = useRouter();
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(-1);
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const tickable = path !== '/';
  const toggle = (entryPath: string) => {
    const next = new Set(ticked);
    if (!next.delete(entryPath)) next.add(entryPath);
    onTick(next);
  };
  const move = (to: number) => {
    const next = Math.min(entries.length - 1, Math.max(0, to));
    setActive(next);
    rows.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 12,
      PageUp: -12,
      Home: -entries.length,
      End: entries.length,
    };
    const step = steps[event.key];
    const entry = entries[active];
    if (step !== undefined) move(active + step);
    else if (event.key === 'Enter' && entry?.browsable) router.push(exploreHref(pointId, disk, childPath(path, entry.name)));
    else if (event.key === ' ' && entry && tickable) toggle(childPath(path, entry.name));
    else if (event.key === 'Backspace' && path !== '/') router.push(exploreHref(pointId, disk, parentPath(path)));
    else return;
    event.preventDefault();
  };
  const all = entries.map((entry) => childPath(path, entry.name));
  const tickedHere = all.filter((each) => ticked.has(each)).length;
  const tickAll = (on: boolean) => {
    const rest = [...ticked].filter((each) => !all.includes(each));
    onTick(new Set(on ? [...rest, ...all] : rest));
  };
  const column = (key: SortKey, label: string, className: string) => (
    <SortButton
      label={label}
      className={className}
      state={sort.sort === key ? (sort.desc ? 'descending' : 'ascending') : 'none'}
      onPress={() => onSort({ sort: key, desc: sort.sort === key ? !sort.desc : key !== 'name' })}
    />
  );
  return (
    <div role="table" aria-label="Entries" aria-rowcount={entries.length + 1}>
      <div
        role="row"
        aria-rowindex={1}
        tabIndex={-1}
        className={cn(rowColumns, 'h-9 border-line border-b bg-sunken/60 font-medium text-[0.8125rem] text-ink-3')}
      >
        <span role="columnheader" className="flex">
          {!tickable && <span className="sr-only">Tick</span>}
          {tickable && (
            <Checkbox
              label="Tick all"
              checked={tickedHere === 0 ? false : tickedHere === all.length ? true : 'indeterminate'}
              onChange={tickAll}
            />
          )}
        </span>
        {column('name', path === '/' ? 'Partition' : 'Name', '')}
        {column('size', 'Size', 'justify-end text-right')}
        {column('modified', 'Changed', 'hidden md:flex')}
        <span role="columnheader">
          <span className="sr-only">Download</span>
        </span>
      </div>
      <div
        ref={box}
        role="rowgroup"
        aria-label="Arrow keys walk, Enter opens, Space ticks, Backspace goes up"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the rows are walked by arrow keys from here
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="group/list max-h-[min(64vh,46rem)] overflow-y-auto outline-offset-[-2px]"
      >
        <div className="relative w-full" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => {
            const entry = entries[item.index];
            if (!entry) return null;
            const entryPath = childPath(path, entry.name);
            return (
              <EntryRow
                key={entryPath}
                entry={entry}
                pointId={pointId}
                disk={disk}
                path={entryPath}
                rowIndex={item.index + 2}
                leftOut={leftOut.has(entry.name)}
                active={item.index === active}
                ticked={tickable ? ticked.has(entryPath) : null}
                onTick={() => toggle(entryPath)}
                offsetPx={item.start}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface SortButtonProps {
  readonly label: string;
  readonly state: 'ascending' | 'descending' | 'none';
  readonly className: string;
  readonly onPress: () => void;
}

function SortButton({ label, state, className, onPress }: SortButtonProps) {
  const Icon = state === 'descending' ? ArrowDown : ArrowUp;
  return (
    <span role="columnheader" aria-sort={state} className={cn('flex', className)}>
      <button
        type="button"
        onClick={onPress}
        className={cn(
          'flex h-7 items-center gap-1 rounded hover:text-ink',
          className.includes('justify-end') && 'flex-row-reverse',
        )}
      >
        {label}
        <Icon className={cn('size-3.5', state === 'none' && 'invisible')} aria-hidden />
      </button>
    </span>
  );
}
