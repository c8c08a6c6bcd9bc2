/**
 * The life of a job, as one pure function. queued → offered → running → succeeded | failed | cancelled; queued → missed.
 * The agent's journal is the truth of an attempt: what it says about the newest attempt counts in every open state, what it says
 * about an older one never. An end is final. Nothing but the agent's own next hello puts an offered job back into the queue.
 */
import type { Failure, JobState } from '@diskfleet/protocol';

export interface JobFacts {
  readonly state: JobState;
  readonly attempt: number;
  readonly cancelAsked: boolean;
}

export type JobEvent =
  | { readonly kind: 'offer' }
  | { readonly kind: 'accept'; readonly attempt: number }
  /** `busy`: the agent cannot now, and may later. */
  | { readonly kind: 'decline'; readonly attempt: number; readonly busy: boolean; readonly failure: Failure }
  /** The agent said hello and knows nothing of the newest attempt. */
  | { readonly kind: 'unknownToAgent' }
  | {
      readonly kind: 'outcome';
      readonly attempt: number;
      readonly end: 'succeeded' | 'failed' | 'cancelled';
      readonly failure: Failure | null;
    }
  | { readonly kind: 'askCancel' }
  | { readonly kind: 'expire' }
  | { readonly kind: 'revoke' };

export interface JobChange extends JobFacts {
  readonly failure: Failure | null;
}

export function isOpen(state: JobState): boolean {
  return state === 'queued' || state === 'offered' || state === 'running';
}

/** The facts after the event, or null when it changes nothing. */
export function jobTransition(job: JobFacts, event: JobEvent): JobChange | null {
  if (!isOpen(job.state)) return null;
  const change = (state: JobState, more: Partial<JobChange> = {}) => ({ ...job, failure: null, ...more, state });
  switch (event.kind) {
    case 'offer':
      return job.state === 'queued' ? change('offered', { attempt: job.attempt + 1 }) : null;
    case 'accept':
      return isNewest(job, event.attempt) && job.state !== 'running' ? change('running') : null;
    case 'decline':
      if (job.state !== 'offered' || !isNewest(job, event.attempt)) return null;
      if (job.cancelAsked) return change('cancelled');
      return event.busy ? change('queued') : change('failed', { failure: event.failure });
    case 'unknownToAgent':
      return afterLoss(job, change);
    case 'outcome':
      return isNewest(job, event.attempt) ? change(event.end, { failure: event.failure }) : null;
    case 'askCancel':
      if (job.state === 'queued') return change('cancelled', { cancelAsked: true });
      return job.cancelAsked ? null : change(job.state, { cancelAsked: true });
    case 'expire':
      return job.state === 'queued' ? change('missed', { failure: failureOf('JOB_EXPIRED') }) : null;
    case 'revoke':
      return job.state === 'queued' ? change('cancelled') : change('failed', { failure: failureOf('AGENT_REVOKED') });
  }
}

function afterLoss(job: JobFacts, change: (state: JobState, more?: Partial<JobChange>) => JobChange): JobChange | null {
  if (job.state === 'queued') return null;
  if (job.cancelAsked) return change('cancelled');
  return job.state === 'offered' ? change('queued') : change('failed', { failure: failureOf('AGENT_RESTARTED') });
}

function isNewest(job: JobFacts, attempt: number): boolean {
  return attempt === job.attempt && attempt > 0;
}

function failureOf(code: string): Failure {
  return { code, detail: '', retry: 'later' };
}
