import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayStrip, daysUntilFull } from './days.ts';
import { DEFAULT_OBJECTIVE_MS, protectionOf } from './protection.ts';

const now = new Date('2026-03-10T12:00:00Z');
const at = fc.option(fc.integer({ min: -40 * 86_400_000, max: 60_000 }).map((ms) => new Date(now.getTime() + ms)));
const facts = fc.record({
  now: fc.constant(now),
  newestPointAt: at,
  newestVerifyFailed: fc.boolean(),
  vaultReachable: fc.boolean(),
  lastBackupFailedAt: at,
  uncovered: fc.array(fc.constantFrom('sda', 'nvme0n1', 'disk 2'), { maxLength: 3 }),
});

test('protected means: a recent point, not known bad, in a vault that answers, and no failure since', () => {
  fc.assert(
    fc.property(facts, (given) => {
      const { state, reason } = protectionOf(given);
      const age = given.newestPointAt ? now.getTime() - given.newestPointAt.getTime() : Number.POSITIVE_INFINITY;
      const failedSince = given.newestPointAt && given.lastBackupFailedAt && given.lastBackupFailedAt > given.newestPointAt;
      const fine =
        age <= DEFAULT_OBJECTIVE_MS &&
        !given.newestVerifyFailed &&
        given.vaultReachable &&
        !failedSince &&
        given.uncovered.length === 0;
      expect(state === 'protected').toBe(fine);
      expect(state === 'never').toBe(given.newestPointAt === null);
      expect(state === 'overdue').toBe(given.newestPointAt !== null && age > DEFAULT_OBJECTIVE_MS);
      expect(reason).toMatch(/^[A-Z].*\.$/);
    }),
  );
});

test('time alone never makes it better', () => {
  const order = ['protected', 'at-risk', 'overdue', 'never'];
  fc.assert(
    fc.property(facts, fc.nat(90 * 86_400_000), (given, later) => {
      const after = protectionOf({ ...given, now: new Date(now.getTime() + later) });
      expect(order.indexOf(after.state)).toBeGreaterThanOrEqual(order.indexOf(protectionOf(given).state));
    }),
  );
});

test('the strip has one entry a day, and silence after the start is overdue', () => {
  const since = new Date('2026-03-05T08:00:00Z');
  const days = dayStrip({
    now,
    count: 30,
    since,
    facts: [
      { day: '2026-03-06', points: 2, failed: 0, warnings: 0 },
      { day: '2026-03-07', points: 1, failed: 1, warnings: 0 },
      { day: '2026-03-08', points: 0, failed: 1, warnings: 0 },
    ],
  });
  expect(days).toHaveLength(30);
  expect(days.at(-1)?.day).toBe('2026-03-10');
  expect(days.slice(-7).map(({ state }) => state)).toEqual(['none', 'none', 'ok', 'warning', 'failed', 'overdue', 'none']);
  expect(days.slice(0, -6).every(({ state }) => state === 'none')).toBe(true);
});

test('days until full', () => {
  expect(daysUntilFull({ freeBytes: 1000, storedBytes: 100, overDays: 10 })).toBe(100);
  expect(daysUntilFull({ freeBytes: null, storedBytes: 100, overDays: 10 })).toBeNull();
  expect(daysUntilFull({ freeBytes: 1000, storedBytes: 0, overDays: 10 })).toBeNull();
});
