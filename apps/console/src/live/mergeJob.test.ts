import type { JobProgress, JobState } from '@diskfleet/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laterProgress, mergeJobEvent } from './mergeJob.ts';

const progress = (doneBytes: number, phase = 'copy'): JobProgress => ({
  phase,
  doneBytes,
  totalBytes: 1000,
  newBytes: 0,
  storedBytes: 0,
  skippedBytes: 0,
  bytesPerSecond: null,
  etaSeconds: null,
});
const running: { id: string; state: JobState; progress: JobProgress | null } = {
  id: 'a',
  state: 'running',
  progress: progress(500),
};
const event = (state: JobState, at: JobProgress | null, jobId = 'a') => ({
  kind: 'job' as const,
  jobId,
  machineId: 'm',
  state,
  progress: at,
});

describe('mergeJobEvent', () => {
  it('takes newer progress of the same job', () => {
    expect(mergeJobEvent(running, event('running', progress(700))).progress?.doneBytes).toBe(700);
  });
  it('leaves other jobs alone', () => {
    expect(mergeJobEvent(running, event('failed', null, 'b'))).toBe(running);
  });
  it('lets no late event revive a job that ended', () => {
    const done = { ...running, state: 'succeeded' as const };
    expect(mergeJobEvent(done, event('running', progress(900)))).toBe(done);
  });
  it('keeps the last progress when an event carries none', () => {
    expect(mergeJobEvent(running, event('succeeded', null))).toMatchObject({ state: 'succeeded', progress: { doneBytes: 500 } });
  });
});

describe('laterProgress', () => {
  it('never runs backwards within a phase, in whatever order events arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1 }), (arrivals) => {
        let shown: JobProgress | null = null;
        let last = 0;
        for (const bytes of arrivals) {
          shown = laterProgress(shown, progress(bytes));
          expect(shown?.doneBytes).toBeGreaterThanOrEqual(last);
          last = shown?.doneBytes ?? 0;
        }
        expect(last).toBe(Math.max(...arrivals));
      }),
    );
  });
  it('starts anew with a new phase', () => {
    expect(laterProgress(progress(900), progress(10, 'compare'))?.doneBytes).toBe(10);
  });
});
