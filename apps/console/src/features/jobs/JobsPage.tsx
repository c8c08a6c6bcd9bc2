'use client';
import type { JobState } from '@diskfleet/protocol';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import Link from 'next/link';
import { parseAsStringLiteral, useQueryState } from 'nuqs';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { TabPanel, Tabs } from '@/ui/Tabs';
import { FailurePanel } from '../errors/FailurePanel';
import { JobTable } from './JobTable';

const views = ['all', 'active', 'failed', 'done'] as const;
const statesOf = {
  all: undefined,
  active: ['queued', 'offered', 'running'],
  failed: ['failed', 'missed'],
  done: ['succeeded', 'cancelled'],
} as const satisfies Record<(typeof views)[number], readonly JobState[] | undefined>;

export function JobsPage() {
  const trpc = useTRPC();
  const [view, setView] = useQueryState('show', parseAsStringLiteral(views).withDefault('all'));
  const [limit, setLimit] = useQueryState('rows', {
    defaultValue: 50,
    parse: (text) => Math.min(500, Math.max(50, Number(text) || 50)),
    serialize: String,
  });
  const states = statesOf[view];
  const jobs = useQuery(
    trpc.jobs.list.queryOptions({ limit, ...(states ? { states: [...states] } : {}) }, { placeholderData: keepPreviousData }),
  );
  return (
    <>
      <PageHead title="Jobs" note="Everything the fleet does or did: backups, restores, checks." />
      <Tabs
        label="Jobs by state"
        value={view}
        onChange={(next) => void setView(next)}
        tabs={[
          { value: 'all', label: 'All' },
          { value: 'active', label: 'Waiting and running' },
          { value: 'failed', label: 'Failed' },
          { value: 'done', label: 'Done' },
        ]}
      >
        <TabPanel value={view}>
          {jobs.isError && <FailurePanel error={jobs.error} onRetry={() => void jobs.refetch()} />}
          <Card className="overflow-hidden">
            {jobs.isPending && <SkeletonRows />}
            {jobs.data && jobs.data.jobs.length > 0 && <JobTable jobs={jobs.data.jobs} />}
            {jobs.data && jobs.data.jobs.length === 0 && (
              <Empty
                icon={Activity}
                title={view === 'failed' ? 'Nothing has failed' : 'No jobs here'}
                action={
                  view === 'failed' ? undefined : (
                    <Button asChild look="primary">
                      <Link href="/machines">Choose a machine</Link>
                    </Button>
                  )
                }
              >
                {view === 'failed'
                  ? 'Jobs that fail or miss their time are listed here, with what to do.'
                  : 'Open a machine and press “Back up now”: the first job appears here at once.'}
              </Empty>
            )}
          </Card>
          {jobs.data?.nextCursor && (
            <div className="mt-4 flex justify-center">
              <Button onClick={() => void setLimit(limit + 50)}>Show older jobs</Button>
            </div>
          )}
        </TabPanel>
      </Tabs>
    </>
  );
}
