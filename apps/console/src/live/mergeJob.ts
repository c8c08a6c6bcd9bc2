/** How a live event changes a job that is already on the screen. Pure, so that "progress never runs backwards" can be tested. */
import type { JobProgress, JobState, LiveEvent } from '@diskfleet/protocol';

type JobEvent = Extract<LiveEvent, { kind: 'job' }>;

interface LiveJob {
  readonly id: string;
  readonly state: JobState;
  readonly progress: JobProgress | null;
}

const ended: readonly JobState[] = ['succeeded', 'failed', 'cancelled', 'missed'];

export function isEnded(state: JobState): boolean {
  return ended.includes(state);
}

/** An event may arrive late or twice: an ended job stays ended, and bytes of one phase never shrink. */
export function mergeJobEvent<J extends LiveJob>(job: J, event: JobEvent): J {
  if (job.id !== event.jobId || isEnded(job.state)) return job;
  return { ...job, state: event.state, progress: laterProgress(job.progress, event.progress) };
}

export function laterProgress(shown: JobProgress | null, arrived: JobProgress | null): JobProgress | null {
  if (arrived === null || shown === null) return arrived ?? shown;
  if (arrived.phase !== shown.phase || arrived.totalBytes !== shown.totalBytes) return arrived;
  return arrived.doneBytes >= shown.doneBytes ? arrived : shown;
}
