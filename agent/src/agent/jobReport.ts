/** What a running job tells the server while it runs: progress twice a second at most, never backwards; log lines in batches. */
import type { Progress } from '@diskfleet/engine';
import type { AgentMessage, JobLogLine, JobProgress } from '@diskfleet/protocol';
import { type Estimate, makeRateMeter } from './eta.ts';
import type { Timers } from './timers.ts';

const EVERY_MS = 500;
const BATCH_LINES = 100;
/** While the server is away only the newest lines are kept. */
const KEPT_LINES = 1_000;

export interface JobReport {
  onProgress(progress: Progress): void;
  onLog(line: { level: 'info' | 'warning' | 'error'; text: string }): void;
  /** Sends what waits and stops the timer. */
  end(): void;
}

export interface ReportOptions {
  readonly jobId: string;
  readonly attempt: number;
  readonly timers: Timers;
  /** False when it could not be sent now. */
  readonly send: (message: AgentMessage) => boolean;
}

export function jobReport({ jobId, attempt, timers, send }: ReportOptions): JobReport {
  const meter = makeRateMeter();
  let newest: JobProgress | null = null;
  let waiting: JobLogLine[] = [];
  let cancelTimer: (() => void) | null = null;
  let sentAt = Number.NEGATIVE_INFINITY;
  const flush = () => {
    cancelTimer?.();
    cancelTimer = null;
    sentAt = timers.now().getTime();
    if (newest !== null) send({ type: 'progress', jobId, attempt, progress: newest });
    newest = null;
    while (waiting.length > 0) {
      if (!send({ type: 'log', jobId, attempt, lines: waiting.slice(0, BATCH_LINES) })) break;
      waiting = waiting.slice(BATCH_LINES);
    }
  };
  const flushSoon = () => {
    if (cancelTimer !== null) return;
    const dueMs = sentAt + EVERY_MS - timers.now().getTime();
    if (dueMs <= 0) flush();
    else cancelTimer = timers.after(dueMs, flush);
  };
  let last: JobProgress | null = null;
  return {
    onProgress(progress) {
      const estimate = meter.add(progress.phase, timers.now().getTime(), progress);
      last = forwardOnly(last, progress, estimate);
      newest = last;
      flushSoon();
    },
    onLog({ level, text }) {
      waiting.push({ at: timers.now().toISOString(), level, text: text.slice(0, 1000) });
      if (waiting.length > KEPT_LINES) waiting = waiting.slice(-KEPT_LINES);
      flushSoon();
    },
    end: flush,
  };
}

/** Several workers report at once: within a phase no figure falls. */
function forwardOnly(last: JobProgress | null, progress: Progress, estimate: Estimate): JobProgress {
  const before = last?.phase === progress.phase ? last : null;
  const totalBytes = Math.floor(progress.totalBytes);
  const forward = (name: 'doneBytes' | 'newBytes' | 'storedBytes' | 'skippedBytes') =>
    Math.max(before?.[name] ?? 0, Math.max(0, Math.floor(progress[name])));
  return {
    phase: progress.phase,
    doneBytes: Math.min(forward('doneBytes'), Math.max(totalBytes, before?.doneBytes ?? 0)),
    totalBytes,
    newBytes: forward('newBytes'),
    storedBytes: forward('storedBytes'),
    skippedBytes: forward('skippedBytes'),
    bytesPerSecond: estimate.bytesPerSecond,
    etaSeconds: estimate.etaSeconds,
  };
}
