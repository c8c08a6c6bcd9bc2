'use client';
import type { MachineView } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { Archive } from 'lucide-react';
import Link from 'next/link';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { DiskMap } from '../diskMap/DiskMap';
import { JobProgressPanel } from '../jobs/JobProgressPanel';
import { JobTable } from '../jobs/JobTable';
import { kindNames } from '../jobs/jobWords';
import { PointTable } from '../points/PointTable';

export function MachineOverview({ machine, onShowDisks }: { machine: MachineView; onShowDisks: () => void }) {
  const trpc = useTRPC();
  const jobs = useQuery(trpc.jobs.list.queryOptions({ machineId: machine.id, limit: 50 }));
  const points = useQuery(trpc.points.list.queryOptions({ machineId: machine.id }));
  const active =
    jobs.data?.jobs.filter((job) => job.state === 'running' || job.state === 'offered' || job.state === 'queued') ?? [];
  const ended = jobs.data?.jobs.filter((job) => !active.includes(job)) ?? [];
  const { disks } = machine.inventory;
  return (
    <div className="grid gap-6">
      {active.map((job) => (
        <Card key={job.id} className="p-5" aria-label={`${kindNames[job.kind]} in progress`}>
          <div className="mb-3 flex items-center justify-between gap-4">
            <h2 className="font-semibold text-[0.9375rem]">
              {kindNames[job.kind]} <span className="font-normal text-ink-3">· {job.subject}</span>
            </h2>
            <Button asChild size="sm">
              <Link href={`/jobs/${job.id}`}>Open job</Link>
            </Button>
          </div>
          <JobProgressPanel job={job} />
        </Card>
      ))}
      <Card>
        <CardHead
          title="Disks"
          note={machine.protectionReason}
          action={disks.length > 2 ? <Button size="sm" onClick={onShowDisks}>{`All ${disks.length} disks`}</Button> : undefined}
        />
        <div className="grid gap-6 border-line border-t p-5">
          {disks.slice(0, 2).map((disk) => (
            <DiskMap key={disk.key} disk={disk} compact />
          ))}
          {disks.length === 0 && <p className="text-ink-2">The agent sees no disk. The Hardware tab says what it may read.</p>}
        </div>
      </Card>
      <div className="grid items-start gap-6 xl:grid-cols-2">
        <Card className="overflow-hidden">
          <CardHead title="Newest restore points" />
          {points.isPending && <SkeletonRows rows={3} />}
          {points.data && points.data.length > 0 && <PointTable points={points.data.slice(0, 5)} brief />}
          {points.data?.length === 0 && (
            <Empty
              icon={Archive}
              title="No restore point yet"
              className="border-line border-t py-10"
              action={
                <Button asChild look="primary">
                  <Link href="?backup=true">Protect it</Link>
                </Button>
              }
            >
              The first backup reads what is used; later ones only what changed.
            </Empty>
          )}
        </Card>
        <Card className="overflow-hidden">
          <CardHead title="Recent jobs" />
          {jobs.isPending && <SkeletonRows rows={3} />}
          {ended.length > 0 && <JobTable jobs={ended.slice(0, 5)} showMachine={false} brief />}
          {jobs.data && ended.length === 0 && (
            <p className="border-line border-t px-5 py-6 text-ink-3">Nothing has run here yet.</p>
          )}
        </Card>
      </div>
    </div>
  );
}
