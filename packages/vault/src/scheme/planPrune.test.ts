import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PointHeader } from '../types.ts';
import { type PruneFacts, planPrune } from './planPrune.ts';

const dayMs = 24 * 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const point = (id: string, more: Partial<PointHeader> = {}): PointHeader => ({
  ...{ id, kind: 'disk', method: 'full', machineId: 'm', machineName: 'PC', source: 'sda', parentId: null },
  ...{ createdAt: new Date(startMs).toISOString(), sizeBytes: 10, usedBytes: 10, newBytes: 1, storedBytes: 1 },
  ...more,
});
const facts = (points: readonly PointHeader[], more: Partial<PruneFacts> = {}): PruneFacts => ({
  points,
  times: new Map(points.map(({ id }, at) => [id, startMs + at * dayMs])),
  going: new Map(),
  nowMs: startMs + 100 * dayMs,
  pinned: () => false,
  verified: () => false,
  ...more,
});
const deleted = (all: PruneFacts) =>
  planPrune({ kind: 'full', keep: 1 }, all).flatMap(({ id, action }) => (action === 'delete' ? [id] : []));

test('each source of each machine is judged by itself', () => {
  const points = [point('a'), point('b', { source: 'sdb' }), point('c', { machineId: 'n' }), point('d')];
  expect(deleted(facts(points))).toEqual(['a']);
});

test('what is going already is neither judged nor counted', () => {
  const points = [point('a'), point('b'), point('c')];
  const all = facts(points, { going: new Map([['c', 1]]) });
  expect(deleted(all)).toEqual(['a']);
  expect(planPrune({ kind: 'full', keep: 1 }, all).map(({ id }) => id)).toEqual(['a', 'b']);
});

test('where the vault tells no times nothing goes', () => {
  const points = [point('a'), point('b')];
  expect(deleted(facts(points, { times: new Map([['a', startMs]]) }))).toEqual([]);
});

test('pins and the newest verified point stay, and never fewer than the floor', () => {
  const points = [point('a'), point('b'), point('c'), point('d')];
  expect(deleted(facts(points, { pinned: (id) => id === 'a', verified: (id) => id === 'b' }))).toEqual(['c']);
  expect(deleted(facts(points, { floor: 3 }))).toEqual(['a']);
});

test('no series loses its newest point, whatever goes, is pinned, or is going already', () => {
  const scheme = fc.oneof(
    fc.record({ kind: fc.constant('full' as const), keep: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('time' as const), days: fc.integer({ min: 1, max: 200 }) }),
    fc.record({ kind: fc.constant('space' as const), bytes: fc.integer({ min: 1, max: 5 }) }),
  );
  const made = fc.array(fc.record({ source: fc.constantFrom('sda', 'sdb'), going: fc.boolean() }), { maxLength: 30 });
  fc.assert(
    fc.property(scheme, made, (rule, ones) => {
      const points = ones.map(({ source }, at) => point(`p${at}`, { source }));
      const going = new Map<string, number>(ones.flatMap((one, at) => (one.going ? [[`p${at}`, 1]] : [])));
      const verdicts = planPrune(rule, facts(points, { going }));
      for (const source of ['sda', 'sdb']) {
        const left = points.filter((one) => one.source === source && !going.has(one.id));
        const newest = verdicts.find(({ id }) => id === left.at(-1)?.id);
        if (left.length > 0) expect(newest?.action).toBe('keep');
      }
    }),
  );
});
