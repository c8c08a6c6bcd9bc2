import { Fragment } from 'react';
import { formatBytes, formatShare } from '@/format/bytes';
import { Checkbox } from '@/ui/Choice';
import { Table, Td, Th, Tr } from '@/ui/Table';
import type { Verb } from './DiskBar';
import type { Inclusion, Take } from './inclusion';
import { type MapDisk, type MapVolume, type Segment, segmentTitle } from './layoutDisk';

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
          {segments.map((segment) => (
            <Fragment key={segment.key}>
              <SegmentRow segment={segment} verbs={verbs} inclusion={inclusion} />
              {segment.partition?.filesystem?.volumes?.map((volume) => (
                <VolumeRow key={volume.name} volume={volume} lastColumns={Number(Boolean(verbs)) + Number(Boolean(inclusion))} />
              ))}
            </Fragment>
          ))}
        </tbody>
      </Table>
    </div>
  );
}

function SegmentRow({ segment, verbs, inclusion }: Omit<DiskTableProps, 'disk' | 'segments'> & { readonly segment: Segment }) {
  const { key, partition, unread, startBytes, sizeBytes } = segment;
  return (
    <Tr>
      <Td className="h-10">{partition?.number || '–'}</Td>
      <Td className="h-10 font-medium">{segmentTitle({ partition, unread })}</Td>
      <Td className="h-10 text-ink-2">{partition?.typeName ?? '–'}</Td>
      <Td className="h-10 text-ink-2">
        {partition?.filesystem ? [partition.filesystem.kind, partition.filesystem.label].filter(Boolean).join(' · ') : '–'}
      </Td>
      <Td className="h-10 whitespace-nowrap text-right text-ink-2">{formatBytes(startBytes)}</Td>
      <Td className="h-10 whitespace-nowrap text-right">{formatBytes(sizeBytes)}</Td>
      <Td className="h-10 whitespace-nowrap text-right text-ink-2">
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
  );
}

/** A logical volume under the partition it lies on. */
function VolumeRow({ volume, lastColumns }: { readonly volume: MapVolume; readonly lastColumns: number }) {
  const { name, sizeBytes, type, filesystem } = volume;
  return (
    <Tr>
      <Td className="h-9" />
      <Td className="h-9 pl-8 text-ink-2">{name}</Td>
      <Td className="h-9 text-ink-3">logical volume, {type}</Td>
      <Td className="h-9 text-ink-2">
        {filesystem ? [filesystem.kind, filesystem.label].filter(Boolean).join(' · ') : 'not read'}
      </Td>
      <Td className="h-9" />
      <Td className="h-9 whitespace-nowrap text-right text-ink-2">{formatBytes(sizeBytes)}</Td>
      <Td className="h-9 whitespace-nowrap text-right text-ink-2">
        {filesystem ? `${formatBytes(filesystem.usedBytes)} (${formatShare(filesystem.usedBytes, sizeBytes)})` : '–'}
      </Td>
      {lastColumns > 0 && <Td className="h-9" colSpan={lastColumns} />}
    </Tr>
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
