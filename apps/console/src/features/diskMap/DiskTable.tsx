import { formatBytes, formatShare } from '@/format/bytes';
import { Checkbox } from '@/ui/Choice';
import { Table, Td, Th, Tr } from '@/ui/Table';
import type { Verb } from './DiskBar';
import type { Inclusion, Take } from './inclusion';
import { type MapDisk, type Segment, segmentTitle } from './layoutDisk';

interface DiskTableProps {
  readonly disk: MapDisk;
  readonly segments: readonly Segment[];
  readonly verbs?: ReadonlyMap<string, Verb> | undefined;
  readonly inclusion?: Inclusion | undefined;
}

/** All that the map shows, in words and figures. */
export function DiskTable({ disk, segments, verbs, inclusion }: DiskTableProps) {
  return (
    <div className="overflow-hidden rounded-xl border border-line">
      <Table label={`Partitions of ${disk.name}`}>
        <thead>
          <tr>
            <Th>No.</Th>
            <Th>Name</Th>
            <Th>Type</Th>
            <Th>Filesystem</Th>
            <Th className="text-right">Begins at</Th>
            <Th className="text-right">Size</Th>
            <Th className="text-right">Used</Th>
            {verbs && <Th>In this plan</Th>}
            {inclusion && <Th>{inclusion.title}</Th>}
          </tr>
        </thead>
        <tbody>
          {segments.map(({ key, partition, unread, startBytes, sizeBytes }) => (
            <Tr key={key}>
              <Td className="h-10">{partition?.number || '–'}</Td>
              <Td className="h-10 font-medium">{segmentTitle({ partition, unread })}</Td>
              <Td className="h-10 text-ink-2">{partition?.typeName ?? '–'}</Td>
              <Td className="h-10 text-ink-2">
                {partition?.filesystem
                  ? [partition.filesystem.kind, partition.filesystem.label].filter(Boolean).join(' · ')
                  : '–'}
              </Td>
              <Td className="h-10 text-right text-ink-2">{formatBytes(startBytes)}</Td>
              <Td className="h-10 text-right">{formatBytes(sizeBytes)}</Td>
              <Td className="h-10 text-right text-ink-2">
                {partition?.filesystem
                  ? `${formatBytes(partition.filesystem.usedBytes)} (${formatShare(partition.filesystem.usedBytes, sizeBytes)})`
                  : '–'}
              </Td>
              {verbs && <Td className="h-10">{verbs.get(key)?.text ?? '–'}</Td>}
              {inclusion && (
                <Td className="h-10 min-w-52">
                  <TakeCell
                    name={segmentTitle({ partition, unread })}
                    take={inclusion.takes.get(key)}
                    onToggle={inclusion.onToggle && (() => inclusion.onToggle?.(key))}
                  />
                </Td>
              )}
            </Tr>
          ))}
        </tbody>
      </Table>
    </div>
  );
}

interface TakeCellProps {
  readonly name: string;
  readonly take: Take | undefined;
  readonly onToggle: (() => void) | undefined;
}

function TakeCell({ name, take, onToggle }: TakeCellProps) {
  if (!take) return '–';
  return (
    <span className="flex items-center gap-2.5">
      {onToggle && <Checkbox label={`Back up ${name}`} checked={take.included} onChange={onToggle} />}
      <span>
        <span className="font-medium">{take.text}</span>
        <span className="text-ink-3">: {take.reason}</span>
      </span>
    </span>
  );
}
