import { formatBytes } from '@/format/bytes';
import { cn } from '@/ui/cn';
import { familyOf, layoutDisk, type MapDisk, partitionTitle, segmentTitle } from './layoutDisk';

const seg = { ntfs: 'seg-ntfs', ext: 'seg-ext', fat: 'seg-fat', other: 'seg-other', raw: 'seg-raw' } as const;

/** The disk map as a picture inside another control: the same segments, nothing to press. */
export function MiniMap({ disk }: { disk: MapDisk }) {
  const segments = layoutDisk(disk, 'readable');
  return (
    <span className="block" aria-hidden="true">
      <span className="flex h-3 gap-0.5 overflow-hidden rounded">
        {segments.map((segment) => (
          <span
            key={segment.key}
            className={cn(
              'h-full min-w-1 basis-0',
              segment.partition
                ? cn('seg-used', seg[familyOf(segment.partition.filesystem?.kind ?? null)])
                : 'hatch border border-line',
            )}
            style={{ flexGrow: Math.max(0.2, segment.widthPercent) }}
          />
        ))}
      </span>
      <span className="mt-1.5 block truncate text-[0.8125rem] text-ink-3">
        {segments
          .map(
            (segment) =>
              `${segment.partition ? partitionTitle(segment.partition) : segmentTitle(segment).toLowerCase()} ${formatBytes(segment.sizeBytes)}`,
          )
          .join(' · ')}
      </span>
    </span>
  );
}
