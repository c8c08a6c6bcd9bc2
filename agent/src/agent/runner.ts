/**
 * Takes offers and does jobs. The journal says what happened, this holds only what is running: a (job, attempt) seen again is
 * answered, never run again. One job per disk at a time, one disk write on the whole machine.
 */
import type { Operation } from '@diskfleet/engine';
import {
  type AgentMessage,
  type Failure,
  type JobOutcome,
  type JobResult,
  type JobSpec,
  jobOutcomeShape,
  type OfferedJob,
} from '@diskfleet/protocol';
import { AgentError, toFailure } from '../errors.ts';
import { grantTargetKey } from '../jobs/checkWriteGrant.ts';
import { jobReport } from './jobReport.ts';
import type { Journal } from './journal.ts';
import type { Timers } from './timers.ts';

/** Reading jobs share the machine with the person who works on it. */
const MAX_JOBS = 4;

export interface RunnerOptions {
  readonly journal: Journal;
  readonly timers: Timers;
  /** The server's clock as far as known. */
  readonly serverNow: () => Date;
  /** Does one job; `op` carries its progress, log and cancellation. */
  readonly run: (job: RunningSpec, op: Operation & { readonly signal: AbortSignal }) => Promise<JobResult>;
  /** False when it could not be sent now. */
  readonly send: (message: AgentMessage) => boolean;
  readonly onFinished: (job: OfferedJob, outcome: JobOutcome) => void;
}

export interface RunningSpec {
  readonly jobId: string;
  readonly attempt: number;
  readonly spec: JobSpec;
  /** Called with every newer token of this job's vault. */
  readonly onToken: (use: (token: string) => void) => void;
}

export interface Runner {
  offer(job: OfferedJob): void;
  cancel(jobId: string): void;
  renewToken(jobId: string, attempt: number, token: string): void;
  ack(jobId: string, attempt: number): void;
  running(): readonly { jobId: string; attempt: number }[];
  /** Cancels everything and resolves when all outcomes are in the journal. */
  stop(): Promise<void>;
}

interface Running {
  readonly job: OfferedJob;
  readonly locks: readonly string[];
  readonly abort: AbortController;
  cancelled: boolean;
  useToken: (token: string) => void;
  done: Promise<void>;
}

export function makeRunner(options: RunnerOptions): Runner {
  const { journal, send } = options;
  const running = new Map<string, Running>();
  const state: RunnerState = { options, running, stopping: false };
  return {
    offer: (job) => offer(state, job),
    cancel(jobId) {
      const found = running.get(jobId);
      if (found === undefined) return;
      found.cancelled = true;
      found.abort.abort();
    },
    renewToken(jobId, attempt, token) {
      const found = running.get(jobId);
      if (found?.job.attempt === attempt) found.useToken(token);
    },
    ack: (jobId, attempt) => journal.ack(jobId, attempt),
    running: () => [...running.values()].map(({ job }) => ({ jobId: job.jobId, attempt: job.attempt })),
    async stop() {
      state.stopping = true;
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
      for (const outcome of journal.unacked()) send({ type: 'done', outcome });
    },
  };
}

interface RunnerState {
  readonly options: RunnerOptions;
  readonly running: Map<string, Running>;
  stopping: boolean;
}

function offer(state: RunnerState, job: OfferedJob): void {
  const { journal, send } = state.options;
  const { jobId, attempt } = job;
  const known = journal.job(jobId);
  if (known !== null && known.attempt > attempt) return;
  if (known?.attempt === attempt) {
    answerAgain(state, jobId, attempt);
    return;
  }
  const locks = locksOf(job.spec);
  const refusal = whyNot(state, job, locks);
  if (refusal !== null) {
    send({ type: 'decline', jobId, attempt, failure: refusal });
    return;
  }
  journal.accept(jobId, attempt);
  send({ type: 'accept', jobId, attempt });
  const entry: Running = {
    job,
    locks,
    abort: new AbortController(),
    cancelled: false,
    useToken: () => {},
    done: Promise.resolve(),
  };
  state.running.set(jobId, entry);
  entry.done = work(state, entry);
}

/** The server did not hear us the first time: say again what the journal says. */
function answerAgain({ options: { journal, send } }: RunnerState, jobId: string, attempt: number): void {
  const known = journal.job(jobId);
  if (known?.outcome) send({ type: 'done', outcome: known.outcome });
  else if (known?.phase === 'accepted' || known?.phase === 'started') send({ type: 'accept', jobId, attempt });
}

function whyNot({ options, running, stopping }: RunnerState, job: OfferedJob, locks: readonly string[]): Failure | null {
  const busy = (detail: string): Failure => ({ code: 'AGENT_BUSY', detail, retry: 'later' });
  if (stopping) return busy('The agent is stopping.');
  if (Date.parse(job.expiresAt) <= options.serverNow().getTime()) {
    return { code: 'JOB_EXPIRED', detail: `It was to start before ${job.expiresAt}.`, retry: 'never' };
  }
  if (running.has(job.jobId)) return busy('An earlier attempt of this job is still running.');
  if (running.size >= MAX_JOBS) return busy(`The agent works on ${MAX_JOBS} jobs already.`);
  const held = [...running.values()].find((other) => other.locks.some((lock) => locks.includes(lock)));
  return held === undefined ? null : busy(`Job ${held.job.jobId} works on the same disk.`);
}

const writeLock = 'disk-write';

/** Sources and targets by key; a disk write also holds the one lock of its kind. */
export function locksOf(spec: JobSpec): readonly string[] {
  switch (spec.kind) {
    case 'backup':
      return spec.diskKeys.map((key) => `disk:${key}`);
    case 'restore':
      return [writeLock, `disk:${grantTargetKey(spec.target)}`];
    case 'restoreFiles':
    case 'explore':
    case 'verify':
      return [];
  }
}

async function work(state: RunnerState, entry: Running): Promise<void> {
  const { journal, timers, send, run, onFinished } = state.options;
  const { job, abort } = entry;
  const { jobId, attempt, spec } = job;
  const report = jobReport({ jobId, attempt, timers, send });
  const onToken = (use: (token: string) => void) => {
    entry.useToken = use;
  };
  let outcome: JobOutcome['outcome'];
  try {
    journal.start(jobId, attempt);
    const { onProgress, onLog } = report;
    const result = await run(
      { jobId, attempt, spec, onToken },
      { now: () => timers.now(), signal: abort.signal, onProgress, onLog },
    );
    outcome = { kind: 'succeeded', result };
  } catch (error) {
    outcome = outcomeOf(error, entry);
  }
  if (outcome.kind === 'failed') report.onLog({ level: 'error', text: `${outcome.failure.code}: ${outcome.failure.detail}` });
  report.end();
  const finished = sendable({ jobId, attempt, endedAt: timers.now().toISOString(), outcome });
  journal.finish(finished);
  state.running.delete(jobId);
  send({ type: 'done', outcome: finished });
  onFinished(job, finished);
}

/** Cut to the lengths of the protocol. What does not fit it at all is a fault of ours, and said so rather than never understood. */
function sendable(outcome: JobOutcome): JobOutcome {
  const parsed = jobOutcomeShape.safeParse(outcome);
  if (parsed.success) return parsed.data;
  const failure = {
    code: 'INTERNAL',
    detail: `the result could not be told: ${parsed.error.message}`.slice(0, 1000),
    retry: 'never' as const,
  };
  return { ...outcome, outcome: { kind: 'failed', failure } };
}

function outcomeOf(error: unknown, { abort, cancelled }: Running): JobOutcome['outcome'] {
  if (cancelled) return { kind: 'cancelled' };
  // Aborted and not cancelled: this agent is being stopped.
  const failure = toFailure(abort.signal.aborted ? restarted('The agent was stopped.') : error);
  return { kind: 'failed', failure: { ...failure, detail: failure.detail.slice(0, 1000) } };
}

export function restarted(detail: string): AgentError {
  return new AgentError('AGENT_RESTARTED', detail, { retry: 'later' });
}

/** A job that was running when this agent died did not end well: said once, at the next start. */
export function settleInterrupted(journal: Journal, now: Date): void {
  for (const { jobId, attempt, phase } of journal.unfinished()) {
    const detail = phase === 'started' ? 'It was running.' : 'It was accepted and not yet started.';
    journal.finish({
      jobId,
      attempt,
      endedAt: now.toISOString(),
      outcome: { kind: 'failed', failure: { code: 'AGENT_RESTARTED', detail, retry: 'later' } },
    });
  }
}
