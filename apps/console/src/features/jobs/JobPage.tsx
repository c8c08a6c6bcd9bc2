'use client';
import type { JobDetail, JobLogLine } from '@diskfleet/protocol';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Archive, RotateCw, ScrollText, X } from 'lucide-react';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import { useEffect, useRef, useState } from 'react';
import { formatClock, formatDuration } from '@/format/time';
import { useTRPC } from '@/trpc/client';
import { failureByCode, failureOf } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Card, CardHead, Fact } from '@/ui/Card';
import { Segmented } from '@/ui/Choice';
import { CopyButton } from '@/ui/CopyButton';
import { cn } from '@/ui/cn';
import { SkeletonPage } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Status } from '@/ui/Status';
import { Time } from '@/ui/Time';
import { toast } from '@/ui/Toasts';
import { FailurePanel } from '../errors/FailurePanel';
import { JobProgressPanel } from './JobProgressPanel';
import { canCancel, canRetry, kindNames, resultFacts, statusOf, warningsOf } from './jobWords';
import { PhaseRail } from './PhaseRail';
import { RunStory } from './RunStory';
import { RunWarnings } from './RunWarnings';
import { SpeedChart } from './SpeedChart';
import { turnsOf } from './turnsOf';

export function JobPage({ id }: { id: string }) {
  const trpc = useTRPC();
  const job = useQuery(trpc.jobs.get.queryOptions({ id }));
  if (job.isPending) return <SkeletonPage />;
  if (job.isError) return <FailurePanel error={job.error} onRetry={() => void job.refetch()} />;
  const active = canCancel(job.data);
  return (
    <>
      <PageHead
        trail={[{ label: 'Jobs', href: '/jobs' }]}
        title={`${kindNames[job.data.kind]} · ${job.data.machineName}`}
        note={job.data.subject}
        badge={<Status name={statusOf(job.data)} />}
        action={<JobActions job={job.data} />}
      />
      <div className="grid gap-6">
        {job.data.failure && <FailurePanel failure={failureByCode(job.data.failure.code, job.data.failure.detail)} />}
        <RunWarnings warnings={warningsOf(job.data.result)} />
        {active && (
          <Card className="grid gap-5 p-5">
            <PhaseRail job={job.data} />
            <JobProgressPanel job={job.data} />
            <SpeedChart bytesPerSecond={job.data.progress?.bytesPerSecond ?? null} />
          </Card>
        )}
        <Facts job={job.data} />
        <RunStory turns={turnsOf(job.data.log)} />
        <Log lines={job.data.log} following={active} />
      </div>
    </>
  );
}

function JobActions({ job }: { job: JobDetail }) {
  const trpc = useTRPC();
  const router = useRouter();
  const queries = useQueryClient();
  const failed = (error: unknown) => {
    const { what, todo } = failureOf(error);
    toast({ tone: 'bad', title: what, note: todo });
  };
  const settled = () => void queries.invalidateQueries({ queryKey: trpc.jobs.pathKey() });
  const cancel = useMutation(
    trpc.jobs.cancel.mutationOptions({
      onError: failed,
      onSettled: settled,
      onSuccess: () => toast({ tone: 'info', title: 'Cancelling the job' }),
    }),
  );
  const retry = useMutation(
    trpc.jobs.retry.mutationOptions({
      onError: failed,
      onSettled: settled,
      onSuccess: (next) => router.push(`/jobs/${next.id}`),
    }),
  );
  return (
    <>
      {job.pointId && job.state === 'succeeded' && (
        <Button asChild look="primary">
          <Link href={`/points/${job.pointId}`}>
            <Archive aria-hidden />
            Open restore point
          </Link>
        </Button>
      )}
      {canRetry(job) && (
        <Button look="primary" busy={retry.isPending} onClick={() => retry.mutate({ id: job.id })}>
          <RotateCw aria-hidden />
          Run again
        </Button>
      )}
      {canCancel(job) && (
        <Button look="dangerQuiet" busy={cancel.isPending} onClick={() => cancel.mutate({ id: job.id })}>
          <X aria-hidden />
          Cancel job
        </Button>
      )}
    </>
  );
}

function Facts({ job }: { job: JobDetail }) {
  const { result } = job;
  const damaged = result?.kind === 'verify' ? result.damaged : [];
  return (
    <Card>
      <CardHead title={result ? 'Result' : 'Details'} />
      <dl className="grid grid-cols-2 gap-x-6 gap-y-5 border-line border-t px-5 py-5 sm:grid-cols-3 lg:grid-cols-4">
        {result &&
          resultFacts(result).map(([label, value]) => (
            <Fact key={label} label={label}>
              {value}
            </Fact>
          ))}
        <Fact label="Machine">
          <Link href={`/machines/${job.machineId}`} className="text-accent-text hover:underline">
            {job.machineName}
          </Link>
        </Fact>
        <Fact label="Asked for">
          <Time iso={job.createdAt} show="both" />
        </Fact>
        <Fact label="By">{job.createdBy}</Fact>
        {job.startedAt && (
          <Fact label="Started">
            <Time iso={job.startedAt} show="both" />
          </Fact>
        )}
        {!result && job.startedAt && job.endedAt && (
          <Fact label="Duration">{formatDuration((Date.parse(job.endedAt) - Date.parse(job.startedAt)) / 1000)}</Fact>
        )}
        {job.attempt > 1 && <Fact label="Attempt">{job.attempt}</Fact>}
      </dl>
      {damaged.length > 0 && (
        <ul className="grid gap-1.5 border-line border-t px-5 py-4">
          {damaged.map((item) => (
            <li key={item.object} className="text-bad">
              <span className="font-mono text-[0.8125rem]">{item.object}</span>: {item.problem}
              {item.points.length > 0 && ` (hurts ${item.points.length} restore points)`}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const lineStyle = { info: '', warning: 'bg-warn-soft', error: 'bg-bad-soft' } as const;
const levelStyle = { info: 'text-ink-2', warning: 'text-warn', error: 'text-bad' } as const;

function Log({ lines, following }: { lines: readonly JobLogLine[]; following: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length, following]);
  const [level, setLevel] = useState<'all' | 'loud'>('all');
  const loud = lines.filter((line) => line.level !== 'info');
  const shown = level === 'loud' && loud.length > 0 ? loud : lines;
  const text = lines.map((line) => `${line.at} ${line.level} ${line.text}`).join('\n');
  return (
    <Card>
      <CardHead
        title="Log"
        note={following ? 'Follows the run' : undefined}
        action={
          lines.length > 0 ? (
            <div className="flex flex-wrap items-center justify-end gap-2">
              {loud.length > 0 && (
                <Segmented
                  label="Lines of the log"
                  value={level}
                  onChange={setLevel}
                  options={[
                    { value: 'all', label: `All ${lines.length}` },
                    { value: 'loud', label: `Warnings ${loud.length}` },
                  ]}
                />
              )}
              <CopyButton text={text} label="Copy log" />
            </div>
          ) : undefined
        }
      />
      {lines.length === 0 ? (
        <p className="flex items-center gap-2 border-line border-t px-5 py-6 text-ink-3">
          <ScrollText className="size-4" aria-hidden />
          Nothing has been logged yet.
        </p>
      ) : (
        <section
          ref={box}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
          tabIndex={0}
          aria-label="Log of the job"
          className="max-h-[28rem] overflow-y-auto rounded-b-xl border-line border-t bg-sunken px-5 py-3 font-mono text-[0.8125rem] leading-6"
        >
          <ol>
            {shown.map((line, index) => (
              <li key={index} className={cn('-mx-2 flex gap-4 rounded px-2', lineStyle[line.level])}>
                <time dateTime={line.at} className="shrink-0 text-ink-3">
                  {formatClock(line.at)}
                </time>
                <span className={cn('min-w-0 whitespace-pre-wrap break-words', levelStyle[line.level])}>
                  {line.level !== 'info' && <span className="font-semibold">{line.level}: </span>}
                  {line.text}
                </span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </Card>
  );
}
