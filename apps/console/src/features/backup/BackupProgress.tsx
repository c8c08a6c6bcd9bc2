'use client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Check, CircleSlash } from 'lucide-react';
import Link from 'next/link';
import { useTRPC } from '@/trpc/client';
import { failureByCode } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Note, SkeletonRows } from '@/ui/Feedback';
import { FailurePanel } from '../errors/FailurePanel';
import { JobProgressPanel } from '../jobs/JobProgressPanel';
import { canCancel, resultLine, warningsOf } from '../jobs/jobWords';
import { RunWarnings } from '../jobs/RunWarnings';

/** The running backup inside the dialog; closing it leaves the job alone. */
export function BackupProgress({
  jobId,
  open,
  onOpenChange,
}: {
  jobId: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const trpc = useTRPC();
  const query = useQuery(trpc.jobs.get.queryOptions({ id: jobId }));
  const cancel = useMutation(trpc.jobs.cancel.mutationOptions());
  const job = query.data;
  const done = job?.state === 'succeeded';
  const active = job ? canCancel(job) : true;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={done ? 'Backup complete' : active ? 'Backing up' : 'Backup ended'}
      note={job ? `${job.machineName} · ${job.subject}` : 'Starting'}
      footer={
        <>
          <Button asChild look="ghost" className="mr-auto -ml-2">
            <Link href={`/jobs/${jobId}`}>Open job</Link>
          </Button>
          {active && (
            <Button look="dangerQuiet" busy={cancel.isPending} onClick={() => cancel.mutate({ id: jobId })}>
              Cancel job
            </Button>
          )}
          <Button onClick={() => onOpenChange(false)}>{active ? 'Run in the background' : 'Done'}</Button>
          {done && job.pointId && (
            <Button asChild look="primary">
              <Link href={`/points/${job.pointId}`}>Open restore point</Link>
            </Button>
          )}
        </>
      }
    >
      {!job && <SkeletonRows rows={2} />}
      {query.isError && <FailurePanel error={query.error} />}
      {job && active && <JobProgressPanel job={job} />}
      <div className="grid gap-3">
        {done && (
          <Note tone="ok" icon={Check} title="The restore point is complete.">
            {job.result ? resultLine(job.result) : ''}. Open it and take one file out: that is the best proof that it works.
          </Note>
        )}
        {done && job.result && <RunWarnings warnings={warningsOf(job.result)} />}
      </div>
      {job?.state === 'cancelled' && (
        <Note icon={CircleSlash} title="The backup was cancelled.">
          Earlier restore points are intact; what was stored is reused by the next run.
        </Note>
      )}
      {job?.failure && <FailurePanel failure={failureByCode(job.failure.code, job.failure.detail)} />}
    </Dialog>
  );
}
