import { describe, expect, it } from 'vitest';
import { inLanes } from './inLanes.ts';

const jobs = Array.from({ length: 20 }, (_, job) => job);
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('doing some at once', () => {
  it('does every job once, never more at once than there are lanes, each lane one at a time', async () => {
    const done: number[] = [];
    const busy = new Set<number>();
    let most = 0;
    await inLanes(3, jobs, async (job, lane) => {
      expect(busy.has(lane)).toBe(false);
      busy.add(lane);
      most = Math.max(most, busy.size);
      for (let wait = 0; wait < job % 4; wait += 1) await turn();
      busy.delete(lane);
      done.push(job);
    });
    expect(done.sort((a, b) => a - b)).toEqual(jobs);
    expect(most).toBe(3);
  });

  it('begins nothing behind a failure and throws it when what was under way has ended', async () => {
    const begun: number[] = [];
    let ended = 0;
    const attempt = inLanes(3, jobs, async (job) => {
      begun.push(job);
      await turn();
      if (job === 4) throw new Error('job 4');
      await turn();
      ended += 1;
    });
    await expect(attempt).rejects.toThrow('job 4');
    expect(ended).toBe(begun.length - 1);
    expect(begun.length).toBeLessThan(9);
  });
});
