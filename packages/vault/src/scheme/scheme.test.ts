import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anomalyOf, applyScheme, type Scheme, type SchemePoint } from './applyScheme.ts';
import { type SimulatedRuns, simulateScheme } from './simulateScheme.ts';

const dayMs = 24 * 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const runs = (more: Partial<SimulatedRuns>): SimulatedRuns => ({
  ...{ runs: 10, everyMs: dayMs, between: 'incremental', fullEvery: 3, startMs, fullBytes: 100, changedBytes: 10 },
  ...more,
});
/** `made: deleted` of each run. */
const story = (scheme: Scheme, plan: SimulatedRuns) =>
  simulateScheme(scheme, plan).map(({ made, deleted }) => `${made}: ${deleted.map((one) => one.id).join(' ')}`.trim());

describe('schemes by number', () => {
  it('differential, 3 points, literally: FULL2 deletes DIFF1; DIFF3 deletes DIFF2; DIFF4 deletes FULL1', () => {
    expect(story({ kind: 'differential', keep: 3 }, runs({ between: 'differential', fullEvery: 3, runs: 6 }))).toEqual([
      ...['FULL1:', 'DIFF1:', 'DIFF2:'],
      ...['FULL2: DIFF1', 'DIFF3: DIFF2', 'DIFF4: FULL1'],
    ]);
  });

  it('full: the last N stay', () => {
    expect(story({ kind: 'full', keep: 2 }, runs({ fullEvery: 1, runs: 4 }))).toEqual([
      ...['FULL1:', 'FULL2:', 'FULL3: FULL1', 'FULL4: FULL2'],
    ]);
  });

  it('incremental: over N the whole oldest group goes at once', () => {
    expect(story({ kind: 'incremental', keep: 2 }, runs({ runs: 7 }))).toEqual([
      ...['FULL1:', 'INC1:', 'INC2:', 'FULL2:', 'INC3:', 'INC4:', 'FULL3: FULL1 INC1 INC2'],
    ]);
  });
});

describe('schemes by time and space', () => {
  it('time: a group with increments goes only when its last point is too old', () => {
    const steps = simulateScheme({ kind: 'time', days: 4 }, runs({ runs: 12 }));
    // INC2 of day 2 is older than 4 days first on day 7.
    expect(steps.map((step) => step.deleted.length)).toEqual([0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0]);
  });

  it('time: differentials go one by one, their full point last', () => {
    const steps = simulateScheme({ kind: 'time', days: 4 }, runs({ between: 'differential', runs: 9 }));
    expect(steps.map((step) => step.deleted.map((one) => one.id).join(' '))).toEqual([
      ...['', '', '', '', '', '', 'DIFF1', 'FULL1 DIFF2', ''],
    ]);
  });

  it('calendar: all for days, then one a week, a month, a year', () => {
    const scheme: Scheme = { kind: 'calendar', days: 7, weeks: 4, months: 12, years: 3 };
    const steps = simulateScheme(scheme, runs({ fullEvery: 1, runs: 800 }));
    const last = steps.at(-1);
    const numbers = (last?.kept ?? []).map((id) => Number(id.slice(4)) - 1);
    const ages = numbers.map((run) => 799 - run);
    expect(ages.filter((age) => age < 7)).toHaveLength(7);
    expect(ages.filter((age) => age >= 7 && age < 28).length).toBeGreaterThanOrEqual(3);
    const months = new Set(numbers.map((run) => new Date(startMs + run * dayMs).toISOString().slice(0, 7)));
    for (let back = 0; back < 11; back += 1) {
      expect(months.has(new Date(Date.UTC(2028, 2 - back, 1)).toISOString().slice(0, 7))).toBe(true);
    }
    expect(new Set([...months].map((month) => month.slice(0, 4)))).toEqual(new Set(['2026', '2027', '2028']));
    expect(numbers.length).toBeLessThan(30);
  });

  it('space: oldest first until it fits', () => {
    const steps = simulateScheme({ kind: 'space', bytes: 130 }, runs({ fullEvery: 1, runs: 6 }));
    expect(steps.map((step) => step.deleted.map((one) => one.id).join(' '))).toEqual(['', '', '', '', 'FULL1', '']);
  });
});

const method = fc.constantFrom('full' as const, 'incremental' as const, 'differential' as const);
const seriesOf = fc
  .array(fc.record({ method, gap: fc.nat(9 * dayMs), storedBytes: fc.nat(1000), pinned: fc.boolean(), verified: fc.boolean() }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((rows) => {
    let at = startMs;
    return rows.map(({ gap, pinned, ...row }, place): SchemePoint => {
      at += gap;
      return { ...row, id: `p${String(place).padStart(2, '0')}`, receivedAtMs: at, pinned: pinned && place % 5 === 0 };
    });
  });
const count = fc.integer({ min: 0, max: 10 });
const anyScheme: fc.Arbitrary<Scheme> = fc.oneof(
  fc.record({ kind: fc.constantFrom('full' as const, 'incremental' as const, 'differential' as const), keep: count }),
  fc.record({ kind: fc.constant('time' as const), days: fc.nat(60) }),
  fc.record({ kind: fc.constant('calendar' as const), days: count, weeks: count, months: count, years: count }),
  fc.record({ kind: fc.constant('space' as const), bytes: fc.nat(20_000) }),
);

describe('whatever the scheme', () => {
  const guards = fc.record({ floor: fc.integer({ min: 0, max: 8 }), keepFirstFull: fc.boolean() });
  it('never deletes the newest, the newest verified or a pinned point, and never goes below the floor', () => {
    fc.assert(
      fc.property(anyScheme, seriesOf, fc.nat(400 * dayMs), guards, (scheme, points, later, given) => {
        const nowMs = (points.at(-1)?.receivedAtMs ?? 0) + later;
        const verdicts = applyScheme(scheme, [...points].reverse(), nowMs, given);
        expect(verdicts.map((one) => one.id)).toEqual(points.map((one) => one.id));
        const kept = new Set(verdicts.filter((one) => one.action === 'keep').map((one) => one.id));
        expect(kept.has(points.at(-1)?.id ?? '')).toBe(true);
        const verified = points.findLast((point) => point.verified);
        if (verified !== undefined) expect(kept.has(verified.id)).toBe(true);
        for (const point of points) if (point.pinned) expect(kept.has(point.id)).toBe(true);
        expect(kept.size).toBeGreaterThanOrEqual(Math.min(points.length, Math.max(1, given.floor)));
        const firstFull = points.find((point) => point.method === 'full');
        if (given.keepFirstFull && firstFull !== undefined) expect(kept.has(firstFull.id)).toBe(true);
        for (const verdict of verdicts) expect(verdict.why).not.toBe('');
      }),
      { numRuns: 1000 },
    );
  });

  it('is settled at once: a second application deletes nothing more', () => {
    fc.assert(
      fc.property(anyScheme, seriesOf, (scheme, points) => {
        const nowMs = points.at(-1)?.receivedAtMs ?? 0;
        const gone = new Set(
          applyScheme(scheme, points, nowMs)
            .filter((one) => one.action === 'delete')
            .map((one) => one.id),
        );
        const rest = points.filter((point) => !gone.has(point.id));
        expect(applyScheme(scheme, rest, nowMs).filter((one) => one.action === 'delete')).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('differential: without pins exactly N points stay; a full point goes only after all that followed it', () => {
    fc.assert(
      fc.property(seriesOf, fc.integer({ min: 1, max: 10 }), (series, keep) => {
        const points = series.map((point) => ({ ...point, pinned: false, verified: false }));
        const verdicts = applyScheme({ kind: 'differential', keep }, points, 0);
        expect(verdicts.filter((one) => one.action === 'keep')).toHaveLength(Math.min(keep, points.length));
        let fullGone = false;
        for (const [place, point] of points.entries()) {
          if (point.method === 'full' || place === 0) fullGone = verdicts[place]?.action === 'delete';
          else if (fullGone && place < points.length - 1) expect(verdicts[place]?.action).toBe('delete');
        }
      }),
    );
  });

  it('deletes nothing while the series looks wrong', () => {
    fc.assert(
      fc.property(anyScheme, seriesOf, (scheme, points) => {
        const verdicts = applyScheme(scheme, points, startMs * 2, { frozen: 'test' });
        expect(verdicts.every((one) => one.action === 'keep')).toBe(true);
      }),
    );
  });
});

describe('anomalies', () => {
  const daily = Array.from({ length: 30 }, (_, day) => ({
    ...{ receivedAtMs: startMs + day * dayMs, usedBytes: 100, newBytes: 5, method: 'incremental' as const },
  }));
  const nowMs = startMs + 29 * dayMs;
  it('finds none in a usual series', () => expect(anomalyOf(daily, nowMs)).toBe(null));
  it('a point from the future', () => expect(anomalyOf(daily, nowMs - 3 * dayMs)).toContain('future'));
  it('a burst', () => {
    const burst = Array.from({ length: 12 }, (_, at) => ({
      ...daily[0],
      method: 'full' as const,
      usedBytes: 1,
      newBytes: 1,
      receivedAtMs: nowMs + at,
    }));
    expect(anomalyOf([...daily, ...burst], nowMs + 12)).toContain('in one day');
  });
  it('most of the disk changed', () => {
    const hit = { receivedAtMs: nowMs, usedBytes: 100, newBytes: 61, method: 'incremental' as const };
    expect(anomalyOf([...daily, hit], nowMs)).toContain('60 %');
  });
});
