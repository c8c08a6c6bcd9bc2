'use client';
import { useQuery } from '@tanstack/react-query';
import { CircleSlash, PartyPopper } from 'lucide-react';
import Link from 'next/link';
import { useTRPC } from '@/trpc/client';
import { failureByCode } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Card, CardHead, Fact } from '@/ui/Card';
import { Note, SkeletonRows } from '@/ui/Feedback';
import { Status } from '@/ui/Status';
import { FailurePanel } from '../errors/FailurePanel';
import { JobProgressPanel } from '../jobs/JobProgressPanel';
import { canCancel, resultFacts, resultLine } from '../jobs/jobWords';
import { SpeedChart } from '../jobs/SpeedChart';

export function RunStep({ jobId }: { jobId: string }) {
  const trpc = useTRPC();
  const query = useQuery(trpc.jobs.get.queryOptions({ id: jobId }));
  const job = query.data;
  return (
    <div className="grid gap-6">
      {query.isError && <FailurePanel error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && (
        <Card>
          <SkeletonRows rows={3} />
        </Card>
      )}
      {job?.state === 'succeeded' && (
        <Note tone="ok" icon={PartyPopper} title="Restore complete">
          {job.result ? `${resultLine(job.result)}. ` : ''}What was read back is equal to the restore point.
        </Note>
      )}
      {job?.state === 'cancelled' && (
        <Note tone="warn" icon={CircleSlash} title="The restore was cancelled">
          The target is incomplete and carries no valid partition table. The restore point is intact.
        </Note>
      )}
      {job?.failure && <FailurePanel failure={failureByCode(job.failure.code, job.failure.detail)} />}
      {job && (
        <Card>
          <CardHead title={job.subject} note={job.machineName} action={<Status name={job.state} />} />
          <div className="border-line border-t p-5">
            {canCancel(job) && (
              <>
                <JobProgressPanel job={job} />
                <SpeedChart bytesPerSecond={job.progress?.bytesPerSecond ?? null} />
              </>
            )}
            {job.result && (
              <dl className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-4">
                {resultFacts(job.result).map(([label, value]) => (
                  <Fact key={label} label={label}>
                    {value}
                  </Fact>
                ))}
              </dl>
            )}
            {!canCancel(job) && !job.result && <p className="text-ink-2">The log on the job’s page has the details.</p>}
          </div>
        </Card>
      )}
      {job && (
        <div className="flex flex-wrap justify-end gap-2">
          <Button asChild>
            <Link href={`/jobs/${jobId}`}>Open job</Link>
          </Button>
          <Button asChild look={canCancel(job) ? 'secondary' : 'primary'}>
            <Link href={`/machines/${job.machineId}?tab=disks`}>Open {job.machineName}</Link>
          </Button>
        </div>
      )}
    </div>
  );
}
