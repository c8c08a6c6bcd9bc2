import { describe, expect, test } from 'vitest';
import { chooseLiveMethod, type LiveFacts } from './chooseLiveMethod.ts';

const root = { mountPoint: '/', fsType: 'ext4', otherDisks: [] };
const esp = { mountPoint: '/boot/efi', fsType: 'vfat', otherDisks: [] };
const facts: LiveFacts = {
  whyNoFreeze: null,
  whyNoTrace: null,
  sizeBytes: 500e9,
  volumes: [esp, root],
  elsewhere: [],
  written: [],
};
const reasons = (changes: Partial<LiveFacts>) => {
  const choice = chooseLiveMethod({ ...facts, ...changes });
  return choice.method === 'none' ? choice.reasons.join('; ') : choice.method;
};

describe('how a disk in use is backed up', () => {
  test('as one moment where its writes can be followed; a volume that cannot be frozen is named', () => {
    expect(chooseLiveMethod({ ...facts, volumes: [root] })).toEqual({ method: 'precopy', warnings: [] });
    expect(chooseLiveMethod(facts)).toMatchObject({ method: 'precopy', warnings: [expect.stringContaining('/boot/efi')] });
  });

  test('held for all of it when it is tiny and its writes cannot be followed', () => {
    const tiny = { whyNoTrace: 'no tracing', sizeBytes: 64 * 2 ** 20 };
    expect(reasons({ ...tiny, volumes: [root] })).toBe('freeze-only');
    expect(reasons({ ...tiny, sizeBytes: tiny.sizeBytes + 1, volumes: [root] })).toMatch(/cannot be followed: no tracing/);
    // Without the trace nobody sees whether the ESP is written to.
    expect(reasons(tiny)).toMatch(/vfat at \/boot\/efi cannot be held still/);
  });

  test.each([
    [{ whyNoFreeze: 'this needs root' }, /cannot be held still: this needs root/],
    [{ volumes: [{ ...root, otherDisks: ['sdb', 'sdc'] }] }, /\/ also lies on sdb, sdc/],
    [{ volumes: [{ ...root, fsType: 'gfs2' }] }, /other machines write to \/ \(gfs2\) too/],
    [{ elsewhere: ['sda3'] }, /sda3 is mounted where this process cannot reach it/],
    [{ written: [{ path: '/srv/vault', mountPoint: '/' }] }, /would write to \/srv\/vault, which lies on \//],
  ] as const)('not at all, and people are told why: %j', (change, text) => {
    expect(reasons(change)).toMatch(text);
  });

  test('every reason is told at once', () => {
    expect(reasons({ whyNoFreeze: 'x', whyNoTrace: 'y', elsewhere: ['sda3'] }).split('; ')).toHaveLength(3);
  });
});
