'use client';
import type { JobState, JobView, LiveEvent } from '@diskfleet/protocol';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useSubscription } from '@trpc/tanstack-react-query';
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { useTRPC } from '../trpc/client';
import { mergeJobEvent } from './mergeJob';

/** One page of the job list, as the server answers it. */
interface JobPage {
  readonly jobs: readonly JobView[];
  readonly nextCursor: string | null;
}
type Trpc = ReturnType<typeof useTRPC>;

let connected = false;
const listeners = new Set<() => void>();
function setConnected(next: boolean) {
  if (connected === next) return;
  connected = next;
  for (const listener of listeners) listener();
}

/** Whether live events arrive now; false means the page shows what was true a moment ago. */
export function useLiveConnection(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connected,
    () => true,
  );
}

/** The one subscription of a tab: patches jobs in place and marks everything else it touches as stale. */
export function LiveEvents() {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const dropped = useRef(false);
  const states = useRef(new Map<string, JobState>());
  const later = useMemo(() => batchInvalidations(queries), [queries]);
  const options = trpc.live.events.subscriptionOptions(
    {},
    {
      onData: (message: { data: LiveEvent }) => apply(message.data, { trpc, queries, later, states: states.current }),
      onConnectionStateChange: (state: { state: string }) => {
        const up = state.state === 'pending';
        setConnected(up);
        // Whatever was missed while the stream was down is fetched anew.
        if (up && dropped.current) void queries.invalidateQueries();
        dropped.current = !up;
      },
    },
  );
  const { status, reset } = useSubscription(options);
  const tries = useRef(0);
  useEffect(() => {
    if (status === 'pending') tries.current = 0;
    if (status !== 'error') return;
    // A browser gives up a stream that was refused once (the server was down): begin anew, slower each time.
    const pauseMs = Math.min(30_000, 1000 * 2 ** tries.current) * (0.75 + Math.random() / 2);
    tries.current += 1;
    const timer = setTimeout(reset, pauseMs);
    return () => clearTimeout(timer);
  }, [status, reset]);
  useEffect(() => () => setConnected(false), []);
  return null;
}

interface Tools {
  readonly trpc: Trpc;
  readonly queries: QueryClient;
  readonly later: (key: readonly unknown[]) => void;
  /** The last state heard of each job. */
  readonly states: Map<string, JobState>;
}

function apply(event: LiveEvent, { trpc, queries, later, states }: Tools) {
  switch (event.kind) {
    case 'job': {
      queries.setQueryData(trpc.jobs.get.queryKey({ id: event.jobId }), (job) => job && mergeJobEvent(job, event));
      queries.setQueriesData<JobPage>(
        { queryKey: trpc.jobs.list.pathKey() },
        (page) => page && { ...page, jobs: page.jobs.map((job) => mergeJobEvent(job, event)) },
      );
      queries.setQueryData(
        trpc.overview.get.queryKey(),
        (view) => view && { ...view, runningJobs: view.runningJobs.map((job) => mergeJobEvent(job, event)) },
      );
      // Progress alone is patched in above; a new state moves the job between lists and changes what the fleet looks like.
      if (states.get(event.jobId) !== event.state) {
        states.set(event.jobId, event.state);
        later(trpc.jobs.pathKey());
        later(trpc.overview.pathKey());
        later(trpc.machines.pathKey());
      }
      return;
    }
    case 'jobLog':
      return later(trpc.jobs.get.queryKey({ id: event.jobId }));
    case 'machine':
      later(trpc.machines.pathKey());
      return later(trpc.overview.pathKey());
    case 'point':
      later(trpc.points.pathKey());
      later(trpc.vaults.pathKey());
      later(trpc.machines.pathKey());
      return later(trpc.overview.pathKey());
    case 'vault':
      later(trpc.vaults.pathKey());
      return later(trpc.overview.pathKey());
  }
}

/** A burst of events leads to one refetch per key. */
function batchInvalidations(queries: QueryClient): (key: readonly unknown[]) => void {
  const waiting = new Map<string, readonly unknown[]>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (key) => {
    waiting.set(JSON.stringify(key), key);
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      const keys = [...waiting.values()];
      waiting.clear();
      for (const queryKey of keys) void queries.invalidateQueries({ queryKey });
    }, 250);
  };
}
