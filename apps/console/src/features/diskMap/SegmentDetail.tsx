import { formatBytes, formatShare } from '@/format/bytes';
import type { Verb } from './DiskBar';
import type { Inclusion } from './inclusion';
import { type Segment, segmentTitle, volumeFacts } from './layoutDisk';

interface SegmentDetailProps {
  readonly segment: Segment;
  readonly verb: Verb | undefined;
  readonly inclusion: Inclusion | undefined;
}

/** The facts of the segment a person pressed or walked to. */
export function SegmentDetail({ segment, verb, inclusion }: SegmentDetailProps) {
  const take = inclusion?.takes.get(segment.key);
  const facts: [string, string][] = [];
  if (verb) facts.push(['In this plan', verb.text]);
  if (inclusion && take) facts.push([inclusion.title, `${take.text}: ${take.reason}`]);
  return (
    <dl className="mt-2 flex animate-fade-in flex-wrap gap-x-8 gap-y-2 rounded-xl border border-line bg-sunken px-4 py-3">
      {[...facts, ...factsOf(segment)].map(([label, value]) => (
        <div key={label}>
          <dt className="text-ink-3 text-xs">{label}</dt>
          <dd className="break-words text-[0.8125rem] text-ink">{value}</dd>
        </div>
      ))}
      {segment.partition?.filesystem?.volumes?.map((volume) => (
        <div key={volume.name} className="basis-full">
          <dt className="text-ink-3 text-xs">Logical volume {volume.name}</dt>
          <dd className="break-words text-[0.8125rem] text-ink">{volumeFacts(volume)}</dd>
        </div>
      ))}
    </dl>
  );
}

function factsOf(segment: Segment): [string, string][] {
  const { partition } = segment;
  if (!partition) {
    return [
      [segmentTitle(segment), segment.unread ? 'the agent could not look inside' : 'belongs to no partition'],
      ['Size', formatBytes(segment.sizeBytes)],
      ['Begins at', formatBytes(segment.startBytes)],
    ];
  }
  const { filesystem, number, typeName, sizeBytes, startBytes, mountPoint } = partition;
  return [
    ['Partition', number > 0 ? `${number} · ${typeName}` : typeName],
    ['Filesystem', filesystem ? [filesystem.kind, filesystem.label].filter(Boolean).join(' · ') : 'not recognised'],
    [
      'Used',
      filesystem
        ? `${formatBytes(filesystem.usedBytes)} (${formatShare(filesystem.usedBytes, sizeBytes)})`
        : 'unknown: taken whole',
    ],
    ['Size', formatBytes(sizeBytes)],
    ['Begins at', formatBytes(startBytes)],
    ...(mountPoint ? [['Mounted at', mountPoint] satisfies [string, string]] : []),
  ];
}
