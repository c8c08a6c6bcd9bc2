import type { PointView } from '@diskfleet/protocol';
import { expect, it } from 'vitest';
import { pointDisk, workstationDisks } from '../../testing/disks.ts';
import { inclusionOfPoint } from '../diskMap/inclusion.ts';
import { leftOutNames, matchesPoint } from './pointWords.ts';

const [nvme] = workstationDisks;
if (!nvme) throw new Error('fixtures');
const whole = pointDisk(nvme);
const partial = {
  ...whole,
  partitions: whole.partitions.map((part) => (part.number === 4 ? { ...part, content: 'leftOut' as const } : part)),
};

it('names what a point describes without holding it, with the disk where there are several', () => {
  expect(leftOutNames([whole])).toEqual([]);
  expect(leftOutNames([partial])).toEqual(['Projects']);
  expect(leftOutNames([whole, partial])).toEqual(['Projects (nvme0n1)']);
  expect(inclusionOfPoint(whole)).toBeUndefined();
  expect([...(inclusionOfPoint(partial)?.takes.keys() ?? [])]).toEqual(['p4']);
});

it('finds points by every word typed, wherever it stands', () => {
  const point: PointView = {
    id: 'abc',
    vaultId: '',
    vaultName: '',
    kind: 'system',
    method: 'incremental',
    machineId: '',
    machineName: 'atlas',
    source: 'nvme0n1',
    createdAt: '2026-11-02T10:00:00Z',
    sizeBytes: 0,
    usedBytes: 0,
    newBytes: 0,
    storedBytes: 0,
    pinned: false,
    comment: 'Before the Move',
    verified: null,
  };
  expect(matchesPoint(point, '', '2026-11-02')).toBe(true);
  expect(matchesPoint(point, 'ATLAS move', '2026-11-02')).toBe(true);
  expect(matchesPoint(point, 'system 2026-11', '2026-11-02')).toBe(true);
  expect(matchesPoint(point, 'atlas partitions', '2026-11-02')).toBe(false);
});
