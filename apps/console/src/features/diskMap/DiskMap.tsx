'use client';
import { BarChart3, HardDrive, Table2, Usb } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { formatBytes } from '@/format/bytes';
import { Segmented } from '@/ui/Choice';
import { Badge } from '@/ui/Status';
import { DiskBar, type Verb } from './DiskBar';
import { DiskTable } from './DiskTable';
import type { Inclusion } from './inclusion';
import { isUnread, layoutDisk, type MapDisk, type Scale } from './layoutDisk';
import { SegmentDetail } from './SegmentDetail';

interface DiskMapProps {
  readonly disk: MapDisk;
  /** In front of the name: "Source", "Target now". */
  readonly caption?: string;
  readonly verbs?: ReadonlyMap<string, Verb>;
  /** What a backup takes of it; with a toggle the segments are check boxes. */
  readonly inclusion?: Inclusion;
  /** In front of everything: a check box for the whole disk. */
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly compact?: boolean;
}

export function DiskMap({ disk, caption, verbs, inclusion, lead, actions, compact = false }: DiskMapProps) {
  const [scale, setScale] = useState<Scale>('readable');
  const [view, setView] = useState<'map' | 'table'>('map');
  const [chosen, setChosen] = useState<string | null>(null);
  const segments = layoutDisk(disk, scale);
  const shown = segments.find((segment) => segment.key === chosen) ?? null;
  return (
    <figure className="min-w-0" aria-label={`${caption ? `${caption}: ` : ''}disk ${disk.name}, ${formatBytes(disk.sizeBytes)}`}>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="flex min-w-0 items-center gap-3">
          {lead}
          <DiskLabel disk={disk} caption={caption} />
        </div>
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
          <DiskBar
            segments={segments}
            chosen={chosen}
            onChoose={setChosen}
            verbs={verbs}
            inclusion={inclusion}
            roomy={inclusion !== undefined && scale === 'readable'}
          />
          {shown && <SegmentDetail segment={shown} verb={verbs?.get(shown.key)} inclusion={inclusion} />}
        </>
      ) : (
        <DiskTable disk={disk} segments={segments} verbs={verbs} inclusion={inclusion} />
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
