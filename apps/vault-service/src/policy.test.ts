import type { VaultPolicy as Policy } from '@diskfleet/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changePolicy, firstPolicy, type PolicySteps, policyInForce } from './policy.ts';

const dayMs = 24 * 3_600_000;
const days = (deletionDelay: number, minRetention = 0): Policy => ({
  ...firstPolicy,
  deletionDelayMs: deletionDelay * dayMs,
  minRetentionMs: minRetention * dayMs,
});
const start = (policy: Policy): PolicySteps => [{ ...policy, atMs: 0 }];

test('[P16] lengthening is immediate', () => {
  const steps = changePolicy(start(days(14)), days(30, 5), dayMs);
  expect(policyInForce(steps, dayMs)).toMatchObject({
    deletionDelayMs: 30 * dayMs,
    minRetentionMs: 5 * dayMs,
    changesAtMs: null,
  });
});

test('[P16] shortening takes effect after the old delay, not a moment before, in however many steps it is asked for', () => {
  let steps = changePolicy(start(days(14)), days(7), dayMs);
  steps = changePolicy(steps, days(0), dayMs + 1);
  const end = dayMs + 14 * dayMs;
  expect(policyInForce(steps, end - 1)).toMatchObject({ deletionDelayMs: 14 * dayMs, changesAtMs: end });
  expect(policyInForce(steps, end)).toMatchObject({ deletionDelayMs: 0, changesAtMs: null });
});

test('[P16] a retention that is shortened lasts at least as long as the delay', () => {
  const steps = changePolicy(start(days(14, 30)), days(14, 0), 0);
  expect(policyInForce(steps, 30 * dayMs - 1).minRetentionMs).toBe(30 * dayMs);
  expect(policyInForce(steps, 30 * dayMs).minRetentionMs).toBe(0);
  expect(policyInForce(changePolicy(start(days(14, 2)), days(14, 0), 0), 14 * dayMs - 1).minRetentionMs).toBe(2 * dayMs);
});

test('[P16] quotas change at once', () => {
  const steps = changePolicy(start(days(14)), { ...days(14), quotaBytes: 5 }, 0);
  expect(policyInForce(steps, 0).quotaBytes).toBe(5);
});

test('[P16] whatever is asked for later: what is removed while a delay is wanted is there until it has passed', () => {
  const change = fc.record({
    delay: fc.integer({ min: 0, max: 40 }),
    retention: fc.integer({ min: 0, max: 40 }),
    waitDays: fc.integer({ min: 0, max: 20 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      let steps: PolicySteps = start(days(0));
      let nowMs = 0;
      const removed: { atMs: number; delayMs: number }[] = [];
      for (const { delay, retention, waitDays } of changes) {
        const before = policyInForce(steps, nowMs);
        steps = changePolicy(steps, days(delay, retention), nowMs);
        const after = policyInForce(steps, nowMs);
        expect(after.deletionDelayMs).toBeGreaterThanOrEqual(Math.max(before.deletionDelayMs, delay * dayMs));
        expect(after.minRetentionMs).toBeGreaterThanOrEqual(retention * dayMs);
        for (const endMs = nowMs + waitDays * dayMs; nowMs < endMs; nowMs += dayMs) {
          removed.push({ atMs: nowMs, delayMs: delay * dayMs });
          const { deletionDelayMs } = policyInForce(steps, nowMs);
          for (const { atMs, delayMs } of removed) {
            if (nowMs < atMs + delayMs) expect(nowMs, 'not yet').toBeLessThan(atMs + deletionDelayMs);
          }
        }
      }
    }),
  );
});
