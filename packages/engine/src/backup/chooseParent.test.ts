import type { PointHeader } from '@diskfleet/vault';
import { describe, expect, test } from 'vitest';
import { chooseParent } from './chooseParent.ts';

function point(id: string, method: PointHeader['method'], over: Partial<PointHeader> = {}): PointHeader {
  const sizes = { sizeBytes: 0, usedBytes: 0, newBytes: 0, storedBytes: 0 };
  const series = { machineId: 'm', machineName: 'pc', source: 'sda', kind: 'disk', createdAt: '', parentId: null } as const;
  return { id, method, ...series, ...sizes, ...over };
}
const wanted = { machineId: 'm', source: 'sda', kind: 'disk' } as const;
const points = [point('f1', 'full'), point('i1', 'incremental'), point('f2', 'full'), point('d1', 'differential')];

describe('what a run builds on', () => {
  test('incremental: the newest point; differential: the newest full; full: none', () => {
    expect(chooseParent(points, { ...wanted, method: 'incremental' }).parent?.id).toBe('d1');
    expect(chooseParent(points, { ...wanted, method: 'differential' }).parent?.id).toBe('f2');
    expect(chooseParent(points, { ...wanted, method: 'full' })).toEqual({ method: 'full', parent: null });
  });

  test('other machines, sources and kinds are never parents; then the run is a full one', () => {
    const strangers = [
      point('a', 'full', { machineId: 'x' }),
      point('b', 'full', { source: 'sdb' }),
      point('c', 'full', { kind: 'partition' }),
    ];
    for (const method of ['incremental', 'differential'] as const) {
      expect(chooseParent(strangers, { ...wanted, method })).toEqual({ method: 'full', parent: null });
    }
  });
});
