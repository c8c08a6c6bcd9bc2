'use client';
import type { PointView } from '@diskfleet/protocol';
import { Pin } from 'lucide-react';
import Link from 'next/link';
import { formatBytes } from '@/format/bytes';
import { Status } from '@/ui/Status';
import { rowLink, Table, Td, Th, Tr } from '@/ui/Table';
import { Time } from '@/ui/Time';
import { kindAndMethod } from './pointWords';

export function verifiedName(point: Pick<PointView, 'verified'>) {
  if (point.verified === null) return 'unverified';
  return point.verified.ok ? 'verified' : 'damaged';
}

interface PointTableProps {
  readonly points: readonly PointView[];
  readonly showMachine?: boolean;
  readonly brief?: boolean;
}

export function PointTable({ points, showMachine = true, brief = false }: PointTableProps) {
  return (
    <Table label="Restore points">
      <thead>
        <tr>
          <Th>Taken</Th>
          {showMachine && !brief && <Th>Machine</Th>}
          <Th className={brief ? undefined : 'hidden md:table-cell'}>Disk</Th>
          {!brief && <Th className="hidden lg:table-cell">Kind</Th>}
          {!brief && <Th className="hidden sm:table-cell">Checked</Th>}
          <Th className="hidden text-right sm:table-cell">Used</Th>
          {!brief && <Th className="text-right">New, stored</Th>}
        </tr>
      </thead>
      <tbody>
        {points.map((point) => (
          <Tr key={point.id}>
            <Td className="whitespace-nowrap">
              <Link href={`/points/${point.id}`} className={rowLink}>
                <Time iso={point.createdAt} show="absolute" />
              </Link>
              <div className="flex items-center gap-1.5 text-[0.8125rem] text-ink-3">
                <Time iso={point.createdAt} />
                {point.pinned && <Pin className="size-3.5 text-accent-text" aria-label="pinned" />}
              </div>
            </Td>
            {showMachine && !brief && <Td>{point.machineName}</Td>}
            <Td className={brief ? undefined : 'hidden md:table-cell'}>
              <div className="max-w-40 truncate sm:max-w-72">{point.source}</div>
              {point.comment && !brief && <div className="max-w-72 truncate text-[0.8125rem] text-ink-3">{point.comment}</div>}
            </Td>
            {!brief && <Td className="hidden text-ink-2 lg:table-cell">{kindAndMethod(point)}</Td>}
            {!brief && (
              <Td className="hidden sm:table-cell">
                <Status name={verifiedName(point)} />
              </Td>
            )}
            <Td className="hidden whitespace-nowrap text-right text-ink-2 sm:table-cell">{formatBytes(point.usedBytes)}</Td>
            {!brief && <Td className="whitespace-nowrap text-right text-ink-2">{formatBytes(point.storedBytes)}</Td>}
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
