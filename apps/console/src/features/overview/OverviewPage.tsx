'use client';
import type { OverviewView } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import Link from 'next/link';
import { formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { SkeletonPage } from '@/ui/Feedback';
import { FailurePanel } from '../errors/FailurePanel';
import { JobProgressPanel } from '../jobs/JobProgressPanel';
import { JobTable } from '../jobs/JobTable';
import { kindNames } from '../jobs/jobWords';
import { Attention } from './Attention';
import { Checklist } from './Checklist';
import { DayStrip } from './DayStrip';
import { StorageCard } from './StorageCard';
import { Tiles } from './Tiles';

export function OverviewPage() {
  const trpc = useTRPC();
  // Silence has to turn red by itself: the clock alone changes this page.
  const query = useQuery(trpc.overview.get.queryOptions(undefined, { refetchInterval: 60_000 }));
  if (query.isPending) return <SkeletonPage />;
  if (query.isError) return <FailurePanel error={query.error} onRetry={() => void query.refetch()} />;
  const view = query.data;
  const complete = Object.values(view.checklist).every(Boolean);
  return (
    <>
      <h1 className="mb-6 max-w-3xl text-balance font-semibold proportional-nums text-2xl text-ink leading-8 tracking-[-0.015em] sm:text-[1.75rem] sm:leading-9">
        <HeroSentence view={view} />
      </h1>
      <div className="grid gap-6">
        <Tiles counts={view.counts} />
        {!complete && <Checklist checklist={view.checklist} pending={view.counts.pending} />}
        {view.runningJobs.map((job) => (
          <Card key={job.id} className="p-5" aria-label={`${kindNames[job.kind]} in progress`}>
            <div className="mb-3 flex items-center justify-between gap-4">
              <h2 className="min-w-0 truncate font-semibold text-[0.9375rem]">
                {kindNames[job.kind]} · {job.machineName} <span className="font-normal text-ink-3">· {job.subject}</span>
              </h2>
              <Button asChild size="sm">
                <Link href={`/jobs/${job.id}`}>Open job</Link>
              </Button>
            </div>
            <JobProgressPanel job={job} />
          </Card>
        ))}
        <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <Attention items={view.attention} counts={view.counts} />
          <StorageCard storage={view.storage} />
        </div>
        <Card>
          <CardHead title="The last 30 days" note="Worst of each day over the whole fleet" />
          <DayStrip days={view.days} />
        </Card>
        <Card className="overflow-hidden">
          <CardHead
            title="Recent jobs"
            action={
              <Button asChild size="sm" look="ghost">
                <Link href="/jobs">All jobs</Link>
              </Button>
            }
          />
          {view.recentJobs.length > 0 ? (
            <JobTable jobs={view.recentJobs} />
          ) : (
            <p className="flex items-center gap-2.5 border-line border-t px-5 py-6 text-ink-3">
              <Activity className="size-4" aria-hidden />
              Nothing has run yet. The first backup shows up here.
            </p>
          )}
        </Card>
      </div>
    </>
  );
}

function HeroSentence({ view }: { view: OverviewView }) {
  const { counts } = view;
  const needing = counts.atRisk + counts.overdue + counts.never;
  if (counts.total === 0) {
    if (counts.pending > 0) return <>{formatCount(counts.pending, 'machine')} waiting for your approval</>;
    return <>No machine is protected yet. Let’s change that.</>;
  }
  return (
    <>
      {counts.protected} of {formatCount(counts.total, 'machine')} protected
      {needing > 0 ? (
        <span className="text-ink-3">
          ; {needing} {needing === 1 ? 'needs' : 'need'} you
        </span>
      ) : (
        <span className="text-ink-3">; nothing needs you</span>
      )}
    </>
  );
}
