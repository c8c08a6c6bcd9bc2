'use client';
import { Lock } from 'lucide-react';
import { type KeyboardEvent, useRef } from 'react';
import { formatBytes } from '@/format/bytes';
import { cn } from '@/ui/cn';
import type { Inclusion, Take } from './inclusion';
import { familyOf, isLocked, type MapVolume, type Segment, segmentTitle } from './layoutDisk';

/** What happens to a segment in a plan. */
export interface Verb {
  readonly text: string;
  readonly tone: 'make' | 'lose' | 'keep' | 'empty';
}

const seg = { ntfs: 'seg-ntfs', ext: 'seg-ext', fat: 'seg-fat', other: 'seg-other', raw: 'seg-raw' } as const;
const weave = { ntfs: '', ext: 'weave-ext', fat: 'weave-fat', other: 'weave-other', raw: 'weave-raw' } as const;

interface DiskBarProps {
  readonly segments: readonly Segment[];
  readonly chosen: string | null;
  readonly onChoose: (key: string | null) => void;
  readonly verbs?: ReadonlyMap<string, Verb> | undefined;
  readonly inclusion?: Inclusion | undefined;
  /** Every segment is wide enough for its words. */
  readonly roomy?: boolean;
}

/** The segments of a disk in a row. Arrow keys walk, Enter or Space presses: shows the facts, or takes in and leaves out. */
export function DiskBar({ segments, chosen, onChoose, verbs, inclusion, roomy = false }: DiskBarProps) {
  const bar = useRef<HTMLDivElement>(null);
  const walk = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, Home: -segments.length, End: segments.length };
    const step = steps[event.key];
    if (event.key === 'Escape' && chosen !== null) {
      // The first Escape closes the facts, not the dialog around the map.
      event.stopPropagation();
      onChoose(null);
    }
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...(bar.current?.querySelectorAll('button') ?? [])];
    const from = buttons.findIndex((button) => button.matches(':focus'));
    const next = Math.min(buttons.length - 1, Math.max(0, from + step));
    buttons[next]?.focus();
    onChoose(segments[next]?.key ?? null);
  };
  const stop = segments.some((segment) => segment.key === chosen) ? chosen : segments[0]?.key;
  return (
    <div className="overflow-x-auto overflow-y-hidden rounded-xl border border-line bg-sunken">
      <div
        ref={bar}
        role="toolbar"
        aria-label="Partitions in their order on the disk"
        onKeyDown={walk}
        className="flex h-19 gap-[3px] p-[3px]"
        // On a narrow screen the bar scrolls rather than shrink to where nothing can be read or pressed.
        style={{ minWidth: segments.length * (roomy ? 80 : 64) }}
      >
        {segments.map((segment) => {
          const take = inclusion?.takes.get(segment.key);
          const toggles = take !== undefined && inclusion?.onToggle !== undefined;
          return (
            <SegmentButton
              key={segment.key}
              segment={segment}
              verb={verbs?.get(segment.key)}
              take={take}
              toggles={toggles}
              roomy={roomy}
              shown={segment.key === chosen}
              tabIndex={segment.key === stop ? 0 : -1}
              onPress={() => {
                if (toggles) inclusion.onToggle?.(segment.key);
                onChoose(segment.key === chosen && !toggles ? null : segment.key);
              }}
            />
          );
        })}
      </div>
    </div>
  );
}

interface SegmentButtonProps {
  readonly segment: Segment;
  readonly verb: Verb | undefined;
  readonly take: Take | undefined;
  /** Pressing it takes it in or leaves it out. */
  readonly toggles: boolean;
  /** Its facts stand below the bar. */
  readonly shown: boolean;
  readonly roomy: boolean;
  readonly tabIndex: number;
  readonly onPress: () => void;
}

function SegmentButton({ segment, verb, take, toggles, shown, roomy, tabIndex, onPress }: SegmentButtonProps) {
  const { partition } = segment;
  const kind = partition?.filesystem?.kind ?? null;
  const family = familyOf(kind);
  const volumes = partition?.filesystem?.volumes?.length ? partition.filesystem.volumes : null;
  const usedBytes = take?.included ? take.readBytes : partition?.filesystem?.usedBytes;
  const used = usedBytes === undefined ? null : Math.min(1, usedBytes / Math.max(1, segment.sizeBytes));
  const out = take?.included === false || verb?.tone === 'empty';
  const state = toggles
    ? ({ role: 'checkbox', 'aria-checked': take?.included ?? false } as const)
    : ({ 'aria-pressed': shown } as const);
  return (
    <button
      type="button"
      {...state}
      tabIndex={tabIndex}
      onClick={onPress}
      className={cn(
        'group relative flex basis-0 flex-col justify-start overflow-hidden rounded-lg text-left outline-offset-[-3px] transition-shadow',
        roomy ? 'min-w-19' : 'min-w-1.5',
        partition ? cn(seg[family], out ? 'seg-out' : verb?.tone === 'keep' ? 'seg-kept' : 'seg') : 'hatch bg-surface text-ink-3',
        shown && 'ring-2 ring-ink ring-inset',
        verb?.tone === 'lose' && 'ring-2 ring-bad ring-inset',
      )}
      style={{ flexGrow: Math.max(0.2, segment.widthPercent) }}
    >
      {!out && volumes && <VolumeBar volumes={volumes} />}
      {partition && !out && !volumes && (
        <span
          className={cn('seg-used absolute inset-x-0 bottom-0 h-3', weave[family], used === null && 'opacity-60')}
          style={{ width: `${(used ?? 1) * 100}%` }}
        />
      )}
      <span className="relative block w-full truncate px-2 pt-1.5 font-medium text-[0.8125rem] text-ink leading-[1.125rem]">
        {isLocked(kind) && <Lock className="mr-1 inline size-3 -translate-y-px" aria-hidden />}
        {partition && <span className="sr-only">Partition {partition.number}: </span>}
        {segmentTitle(segment)}
      </span>
      <span className="relative block w-full truncate px-2 text-ink-2 text-xs leading-4">
        {formatBytes(segment.sizeBytes)}
        {kind && ` · ${kind}`}
        {volumes && <span className="sr-only"> with {volumes.map(({ name }) => name).join(', ')}</span>}
        {partition?.filesystem && <span className="sr-only"> ({formatBytes(partition.filesystem.usedBytes)} used)</span>}
      </span>
      {verb && <VerbLabel verb={verb} />}
      {take && <TakeLabel take={take} />}
    </button>
  );
}

/** Logical volumes as segments of the segment, in the order of their group, each with its own fill. */
function VolumeBar({ volumes }: { volumes: readonly MapVolume[] }) {
  return (
    <span className="absolute inset-x-0 bottom-0 flex h-3 gap-px bg-surface">
      {volumes.map(({ name, sizeBytes, filesystem }) => {
        const family = familyOf(filesystem?.kind ?? null);
        const share = filesystem ? Math.min(1, filesystem.usedBytes / Math.max(1, sizeBytes)) : 1;
        return (
          <span key={name} className={cn('seg h-full min-w-1 basis-0', seg[family])} style={{ flexGrow: Math.max(1, sizeBytes) }}>
            <span className={cn('seg-used block h-full', weave[family])} style={{ width: `${share * 100}%` }} />
          </span>
        );
      })}
    </span>
  );
}

const foot = 'absolute bottom-4 left-2 max-w-[calc(100%-1rem)] truncate font-semibold text-2xs leading-3';

function VerbLabel({ verb }: { verb: Verb }) {
  const tone = {
    make: 'text-accent-text',
    lose: '-ml-1 rounded bg-surface px-1 py-px text-bad',
    keep: 'text-ink-2',
    empty: 'text-ink-2',
  } as const;
  return (
    <span className={cn(foot, tone[verb.tone])}>
      {verb.tone === 'keep' && <Lock className="mr-1 inline size-2.5 -translate-y-px" aria-hidden />}
      {verb.text}
    </span>
  );
}

function TakeLabel({ take }: { take: Take }) {
  return (
    <span className={cn(foot, take.included ? 'text-accent-text' : 'text-ink-2')}>
      {take.text}
      <span className="sr-only"> ({take.reason})</span>
    </span>
  );
}
