import { formatBytes, formatShare } from '@/format/bytes';
import { Table, Td, Th, Tr } from '@/ui/Table';
import type { Verb } from './DiskMap';
import { type MapDisk, type Segment, segmentTitle } from './layoutDisk';

interface DiskTableProps {
  readonly disk: MapDisk;
  readonly segments: readonly Segment[];
  readonly verbs?: ReadonlyMap<string, Verb> | undefined;
}

/** All that the map shows, in words and figures. */
export function DiskTable({ disk, segments, verbs }: DiskTableProps) {
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
            </Tr>
          ))}
        </tbody>
      </Table>
    </div>
  );
}
