'use client';
import { BarChart3, HardDrive, Lock, Table2, Usb } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react';
import { formatBytes, formatShare } from '@/format/bytes';
import { Segmented } from '@/ui/Choice';
import { cn } from '@/ui/cn';
import { Badge } from '@/ui/Status';
import { DiskTable } from './DiskTable';
import {
  familyOf,
  isLocked,
  isUnread,
  layoutDisk,
  type MapDisk,
  partitionTitle,
  type Scale,
  type Segment,
  segmentTitle,
} from './layoutDisk';

/** What happens to a segment in a plan. */
export interface Verb {
  readonly text: string;
  readonly tone: 'make' | 'lose' | 'keep';
}

interface DiskMapProps {
  readonly disk: MapDisk;
  /** In front of the name: "Source", "Target now". */
  readonly caption?: string;
  readonly verbs?: ReadonlyMap<string, Verb>;
  readonly actions?: ReactNode;
  readonly compact?: boolean;
}

const seg = { ntfs: 'seg-ntfs', ext: 'seg-ext', fat: 'seg-fat', other: 'seg-other', raw: 'seg-raw' } as const;
const weave = { ntfs: '', ext: 'weave-ext', fat: 'weave-fat', other: 'weave-other', raw: 'weave-raw' } as const;

export function DiskMap({ disk, caption, verbs, actions, compact = false }: DiskMapProps) {
  const [scale, setScale] = useState<Scale>('readable');
  const [view, setView] = useState<'map' | 'table'>('map');
  const [chosen, setChosen] = useState<string | null>(null);
  const segments = layoutDisk(disk, scale);
  const shown = segments.find((segment) => segment.key === chosen) ?? null;
  return (
    <figure className="min-w-0" aria-label={`${caption ? `${caption}: ` : ''}disk ${disk.name}, ${formatBytes(disk.sizeBytes)}`}>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <DiskLabel disk={disk} caption={caption} />
        <div className="flex flex-wrap items-center gap-2">
          {!compact && (
            <>
              {view === 'map' && segments.length > 1 && (
                <Segmented
                  label="Scale of the map"
                  value={scale}
                  onChange={setScale}
                  options={[
                    { value: 'readable', label: 'Readable' },
                    { value: 'true', label: 'True scale' },
                  ]}
                />
              )}
              <Segmented
                label="Show the disk as"
                value={view}
                onChange={setView}
                options={[
                  { value: 'map', label: <BarChart3 className="rotate-90" aria-hidden />, name: 'Map' },
                  { value: 'table', label: <Table2 aria-hidden />, name: 'Table' },
                ]}
              />
            </>
          )}
          {actions}
        </div>
      </div>
      {view === 'map' ? (
        <>
          <Bar segments={segments} chosen={chosen} onChoose={setChosen} verbs={verbs} />
          {shown && <SegmentDetail segment={shown} verb={verbs?.get(shown.key)} />}
        </>
      ) : (
        <DiskTable disk={disk} segments={segments} verbs={verbs} />
      )}
    </figure>
  );
}

export function DiskLabel({ disk, caption }: { disk: MapDisk; caption?: string | undefined }) {
  const Icon = disk.bus === 'usb' ? Usb : HardDrive;
  const facts = [
    disk.model,
    formatBytes(disk.sizeBytes),
    disk.serial && `…${disk.serial.slice(-4)}`,
    disk.bus?.toUpperCase(),
    disk.table?.toUpperCase() ?? (disk.filesystem ? 'no partition table' : isUnread(disk) ? 'could not be read' : 'empty'),
  ].filter(Boolean);
  return (
    <figcaption className="flex min-w-0 items-center gap-3">
      <span className="grid size-9 shrink-0 place-items-center rounded-lg border border-line bg-sunken text-ink-2">
        <Icon className="size-[18px]" strokeWidth={1.7} aria-hidden />
      </span>
      <span className="min-w-0">
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          {caption && <span className="text-ink-3">{caption}</span>}
          <span className="break-all font-semibold text-ink">{disk.name}</span>
          {disk.isSystemDisk && <Badge>System disk</Badge>}
          {disk.removable && <Badge>Removable</Badge>}
          {disk.readOnly && <Badge>Read-only</Badge>}
        </span>
        <span className="block break-words text-[0.8125rem] text-ink-3">{facts.join(' · ')}</span>
      </span>
    </figcaption>
  );
}

interface BarProps {
  readonly segments: readonly Segment[];
  readonly chosen: string | null;
  readonly onChoose: (key: string | null) => void;
  readonly verbs?: ReadonlyMap<string, Verb> | undefined;
}

function Bar({ segments, chosen, onChoose, verbs }: BarProps) {
  const bar = useRef<HTMLDivElement>(null);
  const walk = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, Home: -segments.length, End: segments.length };
    const step = steps[event.key];
    if (event.key === 'Escape') onChoose(null);
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
        style={{ minWidth: segments.length * 64 }}
      >
        {segments.map((segment) => (
          <SegmentButton
            key={segment.key}
            segment={segment}
            verb={verbs?.get(segment.key)}
            pressed={segment.key === chosen}
            tabIndex={segment.key === stop ? 0 : -1}
            onPress={() => onChoose(segment.key === chosen ? null : segment.key)}
          />
        ))}
      </div>
    </div>
  );
}

interface SegmentButtonProps {
  readonly segment: Segment;
  readonly verb: Verb | undefined;
  readonly pressed: boolean;
  readonly tabIndex: number;
  readonly onPress: () => void;
}

function SegmentButton({ segment, verb, pressed, tabIndex, onPress }: SegmentButtonProps) {
  const { partition } = segment;
  const kind = partition?.filesystem?.kind ?? null;
  const family = familyOf(kind);
  const used = partition?.filesystem ? Math.min(1, partition.filesystem.usedBytes / Math.max(1, segment.sizeBytes)) : null;
  return (
    <button
      type="button"
      tabIndex={tabIndex}
      aria-pressed={pressed}
      aria-label={describeSegment(segment, verb)}
      onClick={onPress}
      className={cn(
        'group relative flex min-w-1.5 basis-0 flex-col justify-start overflow-hidden rounded-lg text-left outline-offset-[-3px] transition-shadow',
        partition ? cn('seg', seg[family]) : 'hatch bg-surface text-ink-3',
        pressed && 'ring-2 ring-ink ring-inset',
        verb?.tone === 'lose' && 'ring-2 ring-bad ring-inset',
      )}
      style={{ flexGrow: Math.max(0.2, segment.widthPercent) }}
    >
      {partition && (
        <span
          className={cn('seg-used absolute inset-x-0 bottom-0 h-3', weave[family], used === null && 'opacity-60')}
          style={{ width: `${(used ?? 1) * 100}%` }}
        />
      )}
      <span className="relative block w-full truncate px-2 pt-1.5 font-medium text-[0.8125rem] text-ink leading-[1.125rem]">
        {isLocked(kind) && <Lock className="mr-1 inline size-3 -translate-y-px" aria-hidden />}
        {segmentTitle(segment)}
      </span>
      <span className="relative block w-full truncate px-2 text-ink-2 text-xs leading-4">
        {formatBytes(segment.sizeBytes)}
        {kind && ` · ${kind}`}
      </span>
      {verb && <VerbLabel verb={verb} className="absolute bottom-4 left-2 max-w-[calc(100%-1rem)] truncate" />}
    </button>
  );
}

function VerbLabel({ verb, className }: { verb: Verb; className?: string }) {
  const tone = { make: 'text-accent-text', lose: 'text-bad', keep: 'text-ink-2' } as const;
  return <span className={cn('font-semibold text-2xs leading-3', tone[verb.tone], className)}>{verb.text}</span>;
}

function SegmentDetail({ segment, verb }: { segment: Segment; verb: Verb | undefined }) {
  const { partition } = segment;
  const facts: [string, string][] = partition
    ? [
        ['Partition', partition.number > 0 ? `${partition.number} · ${partition.typeName}` : partition.typeName],
        [
          'Filesystem',
          partition.filesystem
            ? [partition.filesystem.kind, partition.filesystem.label].filter(Boolean).join(' · ')
            : 'not recognised',
        ],
        [
          'Used',
          partition.filesystem
            ? `${formatBytes(partition.filesystem.usedBytes)} (${formatShare(partition.filesystem.usedBytes, partition.sizeBytes)})`
            : 'unknown: taken whole',
        ],
        ['Size', formatBytes(partition.sizeBytes)],
        ['Begins at', formatBytes(partition.startBytes)],
        ...(partition.mountPoint ? [['Mounted at', partition.mountPoint] satisfies [string, string]] : []),
      ]
    : [
        [segmentTitle(segment), segment.unread ? 'the agent could not look inside' : 'belongs to no partition'],
        ['Size', formatBytes(segment.sizeBytes)],
        ['Begins at', formatBytes(segment.startBytes)],
      ];
  if (verb) facts.unshift(['In this plan', verb.text]);
  return (
    <dl className="mt-2 flex animate-fade-in flex-wrap gap-x-8 gap-y-2 rounded-xl border border-line bg-sunken px-4 py-3">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt className="text-ink-3 text-xs">{label}</dt>
          <dd className="break-all text-[0.8125rem] text-ink">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function describeSegment(segment: Segment, verb: Verb | undefined): string {
  const { partition } = segment;
  const verbText = verb ? `, ${verb.text}` : '';
  if (!partition) return `${segmentTitle(segment)}, ${formatBytes(segment.sizeBytes)}${verbText}`;
  const { filesystem } = partition;
  const used = filesystem ? `, ${filesystem.kind}, ${formatBytes(filesystem.usedBytes)} used` : '';
  return `Partition ${partition.number}: ${partitionTitle(partition)}, ${formatBytes(segment.sizeBytes)}${used}${verbText}`;
}
