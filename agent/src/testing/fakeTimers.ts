import type { Timers } from '../agent/timers.ts';

/** A clock that moves only when told; actions run in order of their time. */
export interface FakeTimers extends Timers {
  /** Moves the clock, running what falls due on the way. */
  advance(ms: number): void;
  /** Milliseconds until each waiting action, soonest first. */
  waiting(): readonly number[];
}

export function fakeTimers(options: { random?: () => number } = {}): FakeTimers {
  let nowMs = Date.parse('2026-11-22T12:00:00Z');
  let waiting: { atMs: number; action: () => void }[] = [];
  return {
    now: () => new Date(nowMs),
    random: options.random ?? (() => 0.5),
    after(delayMs, action) {
      const entry = { atMs: nowMs + delayMs, action };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = waiting.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        waiting = waiting.filter((one) => one !== due);
        nowMs = due.atMs;
        due.action();
      }
      nowMs = endMs;
    },
    waiting: () => waiting.map(({ atMs }) => atMs - nowMs).sort((a, b) => a - b),
  };
}
