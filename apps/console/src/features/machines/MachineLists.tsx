'use client';
import { useQuery } from '@tanstack/react-query';
import { Activity, Archive } from 'lucide-react';
import { useTRPC } from '@/trpc/client';
import { Card } from '@/ui/Card';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { FailurePanel } from '../errors/FailurePanel';
import { JobTable } from '../jobs/JobTable';
import { PointTable } from '../points/PointTable';

export function MachinePoints({ machineId }: { machineId: string }) {
  const trpc = useTRPC();
  const points = useQuery(trpc.points.list.queryOptions({ machineId }));
  if (points.isError) return <FailurePanel error={points.error} onRetry={() => void points.refetch()} />;
  return (
    <Card className="overflow-hidden">
      {points.isPending && <SkeletonRows />}
      {points.data && points.data.length > 0 && <PointTable points={points.data} showMachine={false} />}
      {points.data?.length === 0 && (
        <Empty icon={Archive} title="No restore point yet">
          Press “Back up now”: when the run ends, its restore point is listed here.
        </Empty>
      )}
    </Card>
  );
}

export function MachineJobs({ machineId }: { machineId: string }) {
  const trpc = useTRPC();
  const jobs = useQuery(trpc.jobs.list.queryOptions({ machineId, limit: 100 }));
  if (jobs.isError) return <FailurePanel error={jobs.error} onRetry={() => void jobs.refetch()} />;
  return (
    <Card className="overflow-hidden">
      {jobs.isPending && <SkeletonRows />}
      {jobs.data && jobs.data.jobs.length > 0 && <JobTable jobs={jobs.data.jobs} showMachine={false} />}
      {jobs.data?.jobs.length === 0 && (
        <Empty icon={Activity} title="Nothing has run here yet">
          Backups, restores and checks of this machine are listed here.
        </Empty>
      )}
    </Card>
  );
}
