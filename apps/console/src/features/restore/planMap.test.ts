import type { RestorePlanView } from '@diskfleet/protocol';
import { describe, expect, it } from 'vitest';
import { fileDisks, pointDisk, workstationDisks } from '../../testing/disks.ts';
import { layoutDisk } from '../diskMap/layoutDisk.ts';
import { droppedNames, isFileName, suggestedFileName, targetAfter, targetLosses } from './planMap.ts';

const [demo] = fileDisks;
const target = workstationDisks[1];
if (!demo || !target) throw new Error('fixtures');

const plan: RestorePlanView = {
  planId: 'p',
  planHash: '',
  expiresAt: '',
  fits: true,
  reasons: [],
  warnings: [],
  pointId: 'x',
  diskIndex: 0,
  source: pointDisk(demo),
  machine: { id: 'm', name: 'atlas' },
  targetBefore: target,
  target: { path: target.path, name: target.name, serial: target.serial, sizeBytes: target.sizeBytes, create: false },
  partitions: demo.partitions.map((part, index) => ({
    number: part.number,
    action: 'overwrite',
    fromBytes: part.sizeBytes,
    toBytes: index === 2 ? part.sizeBytes * 2 : part.sizeBytes,
    toStartBytes: part.startBytes,
    label: part.filesystem?.label ?? '',
    filesystem: part.filesystem?.kind ?? null,
  })),
  losses: [],
  bootSteps: [],
  estimatedBytes: 0,
  confirmText: 'atlas A1C3',
};

describe('a plan on the map', () => {
  it('marks everything on the target as erased that is not kept', () => {
    expect([...targetLosses(plan)].map(([key, verb]) => [key, verb.text])).toEqual([
      ['p1', 'Erased'],
      ['p2', 'Erased'],
    ]);
  });

  it('keeps by place: what stays is drawn as the target has it, not as the point remembers it', () => {
    const second = target.partitions[1];
    if (!second) throw new Error('fixtures');
    const keeping: RestorePlanView = {
      ...plan,
      partitions: plan.partitions.map((part) =>
        part.number === 3 ? { ...part, action: 'keep', toStartBytes: second.startBytes, toBytes: second.sizeBytes } : part,
      ),
    };
    expect([...targetLosses(keeping)].map(([key, verb]) => [key, verb.text])).toEqual([
      ['p1', 'Erased'],
      ['p2', 'Kept as it is'],
    ]);
    const { disk, verbs } = targetAfter(keeping);
    expect(verbs.get('p3')).toEqual({ text: 'Kept as it is', tone: 'keep' });
    expect(disk.partitions.find((part) => part.number === 3)?.filesystem).toEqual(second.filesystem);
  });

  it('tells what is created without content, and names what will not exist', () => {
    const source = {
      ...plan.source,
      partitions: plan.source.partitions.map((part) => (part.number > 1 ? { ...part, content: 'leftOut' as const } : part)),
    };
    const partial: RestorePlanView = {
      ...plan,
      source,
      partitions: plan.partitions.map((part) => (part.number === 3 ? { ...part, action: 'drop' } : part)),
    };
    const { disk, verbs } = targetAfter(partial);
    expect(verbs.get('p2')).toEqual({ text: 'Created empty', tone: 'empty' });
    expect(disk.partitions.map((part) => [part.number, part.filesystem?.kind ?? null])).toEqual([
      [1, 'vfat'],
      [2, null],
    ]);
    expect(droppedNames(partial)).toEqual(['Data']);
  });

  it('has a verb for every partition of the target afterwards, and says what grew', () => {
    const { disk, verbs } = targetAfter(plan);
    for (const segment of layoutDisk(disk, 'readable')) {
      if (segment.kind === 'partition') expect(verbs.has(segment.key)).toBe(true);
    }
    expect(verbs.get('p1')?.text).toBe('Restored');
    expect(verbs.get('p3')?.text).toBe('Restored, grown');
  });

  it('leaves dropped partitions out', () => {
    const dropped = {
      ...plan,
      partitions: plan.partitions.map((part) => (part.number === 1 ? { ...part, action: 'drop' as const } : part)),
    };
    expect(targetAfter(dropped).disk.partitions.map((part) => part.number)).toEqual([2, 3]);
  });
});

it('suggests file names the agent accepts, whatever a disk is called', () => {
  for (const name of ['demo-disk.img', '\\\\.\\PhysicalDrive0', '../../etc', '', 'Größe 1']) {
    expect(isFileName(suggestedFileName(name))).toBe(true);
  }
  expect(suggestedFileName('demo-disk.img')).toBe('restored-demo-disk.img');
  expect(isFileName('../x')).toBe(false);
});
