/**
 * How fast, and how long still: pure arithmetic on the progress reports of one phase. The estimate is a range because disks are
 * not even: its ends come from the fastest and slowest pace seen over the whole phase and over the last seconds.
 */
export interface Estimate {
  readonly bytesPerSecond: number | null;
  /** Null while it would be a guess. */
  readonly etaSeconds: { readonly low: number; readonly high: number } | null;
}

export interface ProgressSample {
  readonly atMs: number;
  readonly doneBytes: number;
}

const RECENT_MS = 10_000;
const MIN_ELAPSED_MS = 2_000;
/** Even a steady pace changes: the range is at least this much wider on both sides. */
const MARGIN = 0.1;

export const unknownEstimate: Estimate = { bytesPerSecond: null, etaSeconds: null };

/** @param samples of one phase, oldest first, times and bytes never falling */
export function estimate(samples: readonly ProgressSample[], totalBytes: number): Estimate {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < MIN_ELAPSED_MS) return unknownEstimate;
  const recent = samples.find(({ atMs }) => atMs >= last.atMs - RECENT_MS) ?? first;
  const overall = pace(first, last);
  const lately = last.atMs - recent.atMs >= MIN_ELAPSED_MS / 2 ? pace(recent, last) : overall;
  const left = Math.max(0, totalBytes - last.doneBytes);
  if (left === 0) return { bytesPerSecond: lately, etaSeconds: { low: 0, high: 0 } };
  if (overall <= 0 || lately <= 0) return { bytesPerSecond: Math.max(0, lately), etaSeconds: null };
  const low = (left / Math.max(overall, lately)) * (1 - MARGIN);
  const high = (left / Math.min(overall, lately)) * (1 + MARGIN);
  return { bytesPerSecond: lately, etaSeconds: { low, high } };
}

function pace(from: ProgressSample, to: ProgressSample): number {
  const elapsedMs = to.atMs - from.atMs;
  return elapsedMs <= 0 ? 0 : ((to.doneBytes - from.doneBytes) / elapsedMs) * 1000;
}

export interface RateMeter {
  add(phase: string, atMs: number, progress: { readonly doneBytes: number; readonly totalBytes: number }): Estimate;
}

/** Keeps the samples `estimate` needs: the first of the phase and those of the last seconds, four a second at most. */
export function makeRateMeter(): RateMeter {
  let phase = '';
  let samples: ProgressSample[] = [];
  return {
    add(nextPhase, atMs, { doneBytes, totalBytes }) {
      if (nextPhase !== phase) {
        phase = nextPhase;
        samples = [];
      }
      const last = samples.at(-1);
      if (last === undefined || atMs - last.atMs >= 250) samples.push({ atMs, doneBytes });
      // The first sample stays: it carries the pace of the whole phase.
      while (samples.length > 2 && (samples[1]?.atMs ?? 0) < atMs - RECENT_MS) samples.splice(1, 1);
      return estimate(samples, totalBytes);
    },
  };
}
