'use client';
import { useQuery } from '@tanstack/react-query';
import { Archive, Search } from 'lucide-react';
import Link from 'next/link';
import { parseAsString, useQueryState } from 'nuqs';
import { useDeferredValue } from 'react';
import { formatAbsolute } from '@/format/time';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { Input, NativeSelect } from '@/ui/Field';
import { PageHead } from '@/ui/Page';
import { FailurePanel } from '../errors/FailurePanel';
import { HeatMap } from './HeatMap';
import { PointTable } from './PointTable';
import { matchesPoint } from './pointWords';

const rowsAtFirst = 100;

export function PointsPage() {
  const trpc = useTRPC();
  const [machineId, setMachineId] = useQueryState('machine', parseAsString.withDefault(''));
  const [text, setText] = useQueryState('q', parseAsString.withDefault(''));
  const [day, setDay] = useQueryState('day', parseAsString);
  const [all, setAll] = useQueryState('rows', parseAsString);
  const points = useQuery(trpc.points.list.queryOptions(machineId ? { machineId } : {}));
  const machines = useQuery(trpc.machines.list.queryOptions({ state: 'all' }));
  const asked = useDeferredValue(text.trim());
  const shown =
    points.data?.filter((point) => {
      const at = formatAbsolute(point.createdAt);
      return (day === null || at.startsWith(day)) && (asked === '' || matchesPoint(point, asked, at));
    }) ?? [];
  const rows = all ? shown : shown.slice(0, rowsAtFirst);
  return (
    <>
      <PageHead title="Restore points" note="Each one is complete on its own: deleting any other never breaks it." />
      {points.isError && <FailurePanel error={points.error} onRetry={() => void points.refetch()} />}
      {points.data?.length === 0 && !machineId && (
        <Card>
          <Empty
            icon={Archive}
            title="No restore points yet"
            action={
              <Button asChild look="primary">
                <Link href="/machines">Choose a machine to back up</Link>
              </Button>
            }
          >
            A restore point is the whole disk as it was at one moment. Open it to take single files out, or put the disk back.
          </Empty>
        </Card>
      )}
      {(points.isPending || points.data?.length !== 0 || machineId) && !points.isError && (
        <div className="grid gap-4">
          <Card className="p-5">
            <HeatMap points={points.data ?? []} day={day} onDay={(next) => void setDay(next)} />
          </Card>
          <div className="flex flex-wrap items-center gap-2">
            <div className="relative w-full sm:w-72">
              <Search className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-ink-3" aria-hidden />
              <Input
                type="search"
                aria-label="Search restore points"
                placeholder="Disk, comment, kind or day"
                value={text}
                onChange={(event) => void setText(event.currentTarget.value || null)}
                className="pl-9"
              />
            </div>
            <div className="w-full sm:w-60">
              <NativeSelect
                aria-label="Machine"
                value={machineId}
                onChange={(event) => void setMachineId(event.currentTarget.value || null)}
              >
                <option value="">Every machine</option>
                {machines.data?.map((machine) => (
                  <option key={machine.id} value={machine.id}>
                    {machine.name}
                  </option>
                ))}
              </NativeSelect>
            </div>
            {day && (
              <Button size="sm" onClick={() => void setDay(null)}>
                {day} · show every day
              </Button>
            )}
          </div>
          <Card className="overflow-hidden">
            {points.isPending && <SkeletonRows />}
            {rows.length > 0 && <PointTable points={rows} />}
            {points.data && rows.length === 0 && (
              <Empty icon={Archive} title={asked ? 'No restore point matches' : 'None on this day'} className="py-10">
                {asked
                  ? 'Every word must be found: in the machine, disk, comment, kind, method or day.'
                  : 'No restore point was made then.'}
              </Empty>
            )}
          </Card>
          {rows.length < shown.length && (
            <div className="flex justify-center">
              <Button onClick={() => void setAll('all')}>Show all {shown.length}</Button>
            </div>
          )}
        </div>
      )}
    </>
  );
}
