import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimate, makeRateMeter } from './eta.ts';

const samplesArbitrary = fc
  .array(fc.record({ ms: fc.integer({ min: 0, max: 60_000 }), bytes: fc.integer({ min: 0, max: 1e10 }) }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((steps) => {
    let [atMs, doneBytes] = [0, 0];
    return steps.map(({ ms, bytes }) => {
      atMs += ms;
      doneBytes += bytes;
      return { atMs, doneBytes };
    });
  });

test('a range is finite, never negative and the right way round, whatever the pace', () => {
  fc.assert(
    fc.property(samplesArbitrary, fc.integer({ min: 0, max: 1e13 }), (samples, totalBytes) => {
      const { bytesPerSecond, etaSeconds } = estimate(samples, totalBytes);
      if (bytesPerSecond !== null) expect(Number.isFinite(bytesPerSecond) && bytesPerSecond >= 0).toBe(true);
      if (etaSeconds === null) return;
      expect(etaSeconds.low).toBeGreaterThanOrEqual(0);
      expect(etaSeconds.high).toBeGreaterThanOrEqual(etaSeconds.low);
      expect(Number.isFinite(etaSeconds.high)).toBe(true);
    }),
  );
});

test('at a steady pace the truth lies inside the range', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 1e9 }), fc.integer({ min: 9, max: 200 }), (pace, count) => {
      const samples = Array.from({ length: count }, (_, n) => ({ atMs: n * 250, doneBytes: Math.floor((n * pace) / 4) }));
      const done = samples.at(-1)?.doneBytes ?? 0;
      const totalBytes = done + pace * 60;
      const eta = estimate(samples, totalBytes).etaSeconds;
      expect(eta?.low).toBeLessThanOrEqual(60);
      expect(eta?.high).toBeGreaterThanOrEqual(60);
    }),
  );
});

test('says nothing before two seconds, and nothing while nothing moves', () => {
  expect(
    estimate(
      [
        { atMs: 0, doneBytes: 0 },
        { atMs: 1_900, doneBytes: 500 },
      ],
      1_000,
    ).etaSeconds,
  ).toBeNull();
  expect(
    estimate(
      [
        { atMs: 0, doneBytes: 0 },
        { atMs: 9_000, doneBytes: 0 },
      ],
      1_000,
    ).etaSeconds,
  ).toBeNull();
});

test('a disk that slows down widens the range upwards', () => {
  const fast = Array.from({ length: 80 }, (_, n) => ({ atMs: n * 250, doneBytes: n * 1_000_000 }));
  const end = fast.at(-1) ?? { atMs: 0, doneBytes: 0 };
  const slow = Array.from({ length: 40 }, (_, n) => ({
    atMs: end.atMs + (n + 1) * 250,
    doneBytes: end.doneBytes + (n + 1) * 100_000,
  }));
  const totalBytes = end.doneBytes * 2;
  const before = estimate(fast, totalBytes).etaSeconds;
  const after = estimate([...fast, ...slow], totalBytes).etaSeconds;
  expect(after?.high).toBeGreaterThan((before?.high ?? 0) * 3);
});

test('a meter starts anew with each phase and keeps few samples', () => {
  const meter = makeRateMeter();
  for (let ms = 0; ms <= 600_000; ms += 50) meter.add('read', ms, { doneBytes: ms * 1_000, totalBytes: 1e9 });
  const steady = meter.add('read', 600_050, { doneBytes: 600_050_000, totalBytes: 1e9 });
  expect(steady.bytesPerSecond).toBeCloseTo(1e6, -4);
  expect(meter.add('write', 600_100, { doneBytes: 0, totalBytes: 1e9 }).bytesPerSecond).toBeNull();
});
