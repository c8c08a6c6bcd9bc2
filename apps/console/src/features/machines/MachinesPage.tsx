'use client';
import type { MachineSummary, ProtectionState } from '@diskfleet/protocol';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Download, Hourglass, MonitorCog, Plus, Search } from 'lucide-react';
import Link from 'next/link';
import { parseAsBoolean, parseAsString, parseAsStringLiteral, useQueryState } from 'nuqs';
import { useDeferredValue } from 'react';
import { formatBytes, formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, Note, SkeletonRows } from '@/ui/Feedback';
import { Input, NativeSelect } from '@/ui/Field';
import { PageHead } from '@/ui/Page';
import { Status } from '@/ui/Status';
import { saveFile } from '@/ui/saveFile';
import { rowLink, Table, Td, Th, Tr } from '@/ui/Table';
import { Time } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';
import { AddMachineDialog } from './AddMachineDialog';
import { machinesCsv } from './machinesCsv';

const filters = ['all', 'protected', 'at-risk', 'overdue', 'never', 'paused', 'offline'] as const;
const filterNames = {
  all: 'Every state',
  protected: 'Protected',
  'at-risk': 'At risk',
  overdue: 'Overdue',
  never: 'Never backed up',
  paused: 'Paused',
  offline: 'Offline',
} as const satisfies Record<'all' | 'offline' | ProtectionState, string>;

export function MachinesPage() {
  const trpc = useTRPC();
  const [search, setSearch] = useQueryState('q', parseAsString.withDefault(''));
  const [filter, setFilter] = useQueryState('state', parseAsStringLiteral(filters).withDefault('all'));
  const [adding, setAdding] = useQueryState('add', parseAsBoolean.withDefault(false));
  const asked = useDeferredValue(search.trim());
  const machines = useQuery(
    trpc.machines.list.queryOptions(
      { state: 'approved', ...(asked ? { search: asked } : {}) },
      { placeholderData: keepPreviousData },
    ),
  );
  const pending = useQuery(trpc.machines.list.queryOptions({ state: 'pending' }));
  const shown = machines.data?.filter(
    (machine) => filter === 'all' || (filter === 'offline' ? machine.connection === 'offline' : machine.protection === filter),
  );
  const filtered = asked !== '' || filter !== 'all';
  const waiting = pending.data?.length ?? 0;
  return (
    <>
      <PageHead
        title="Machines"
        note={machines.data ? `${formatCount(machines.data.length, 'machine')} in the fleet` : 'The PCs this console looks after'}
        action={
          <Button look="primary" onClick={() => void setAdding(true)}>
            <Plus aria-hidden />
            Add machine
          </Button>
        }
      />
      <AddMachineDialog open={adding} onOpenChange={(open) => void setAdding(open)} />
      {waiting > 0 && (
        <Note
          icon={Hourglass}
          className="mb-4 border-accent-text/25 bg-accent-soft"
          title={`${formatCount(waiting, 'machine')} ${waiting === 1 ? 'waits' : 'wait'} for approval`}
          action={
            <Button asChild size="sm">
              <Link href="/machines/pending">Open waiting room</Link>
            </Button>
          }
        >
          Nothing is asked of a machine before you approve it.
        </Note>
      )}
      <div className="mb-3 flex flex-wrap gap-2">
        <div className="relative w-full sm:w-72">
          <Search className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-ink-3" aria-hidden />
          <Input
            type="search"
            aria-label="Search machines"
            placeholder="Name or host name"
            value={search}
            onChange={(event) => void setSearch(event.currentTarget.value || null)}
            className="pl-9"
          />
        </div>
        <div className="w-full sm:w-48">
          <NativeSelect
            aria-label="Filter by state"
            value={filter}
            onChange={(event) => void setFilter(filters.find((name) => name === event.currentTarget.value) ?? 'all')}
          >
            {filters.map((name) => (
              <option key={name} value={name}>
                {filterNames[name]}
              </option>
            ))}
          </NativeSelect>
        </div>
        {shown && shown.length > 0 && (
          <Button className="ml-auto" onClick={() => saveFile('machines.csv', 'text/csv;charset=utf-8', machinesCsv(shown))}>
            <Download aria-hidden />
            Export CSV
          </Button>
        )}
      </div>
      {machines.isError && <FailurePanel error={machines.error} onRetry={() => void machines.refetch()} />}
      {!machines.isError && (
        <Card className="overflow-hidden">
          {machines.isPending && <SkeletonRows />}
          {shown && shown.length > 0 && <MachineTable machines={shown} />}
          {shown?.length === 0 && filtered && (
            <Empty
              icon={Search}
              title="No machine matches"
              action={
                <Button
                  onClick={() => {
                    void setSearch(null);
                    void setFilter(null);
                  }}
                >
                  Clear filters
                </Button>
              }
            >
              No machine has this name and state.
            </Empty>
          )}
          {shown?.length === 0 && !filtered && (
            <Empty
              icon={MonitorCog}
              title="No machines yet"
              action={
                waiting > 0 ? (
                  <Button asChild look="primary">
                    <Link href="/machines/pending">Open waiting room</Link>
                  </Button>
                ) : (
                  <Button look="primary" onClick={() => void setAdding(true)}>
                    Add machine
                  </Button>
                )
              }
            >
              {waiting > 0
                ? 'A machine has announced itself: approve it, and it appears here with its disks.'
                : 'Run one line on a PC and it appears in the waiting room. The agent only ever calls out; it opens no port.'}
            </Empty>
          )}
        </Card>
      )}
    </>
  );
}

function MachineTable({ machines }: { machines: readonly MachineSummary[] }) {
  return (
    <Table label="Machines">
      <thead>
        <tr>
          <Th>Machine</Th>
          <Th>Protection</Th>
          <Th className="hidden sm:table-cell">Connection</Th>
          <Th className="hidden lg:table-cell">System</Th>
          <Th className="hidden text-right md:table-cell">Disks</Th>
          <Th className="hidden text-right md:table-cell">Newest restore point</Th>
        </tr>
      </thead>
      <tbody>
        {machines.map((machine) => (
          <Tr key={machine.id}>
            <Td>
              <Link href={`/machines/${machine.id}`} className={rowLink}>
                {machine.name}
              </Link>
              <div className="text-[0.8125rem] text-ink-3">
                {machine.activeJobs > 0 ? `${formatCount(machine.activeJobs, 'job')} running` : machine.hostname}
              </div>
            </Td>
            <Td>
              <Status name={machine.protection} />
              <div className="mt-1 hidden max-w-80 truncate text-[0.8125rem] text-ink-3 xl:block">{machine.protectionReason}</div>
            </Td>
            <Td className="hidden sm:table-cell">
              <Status name={machine.connection} />
              {machine.connection === 'offline' && machine.lastSeenAt && (
                <div className="mt-1 text-[0.8125rem] text-ink-3">
                  seen <Time iso={machine.lastSeenAt} />
                </div>
              )}
            </Td>
            <Td className="hidden text-ink-2 lg:table-cell">{machine.os}</Td>
            <Td className="hidden whitespace-nowrap text-right text-ink-2 md:table-cell">
              {machine.disks} · {formatBytes(machine.totalBytes)}
            </Td>
            <Td className="hidden whitespace-nowrap text-right text-ink-2 md:table-cell">
              {machine.newestPointAt ? <Time iso={machine.newestPointAt} /> : 'none'}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
