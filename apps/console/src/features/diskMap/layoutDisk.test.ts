import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { familyOf, isLocked, layoutDisk, type MapDisk, partitionTitle, segmentTitle } from './layoutDisk.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

function disk(sizeBytes: number, parts: readonly (readonly [start: number, size: number])[]): MapDisk {
  return {
    name: 'sda',
    model: '',
    serial: '',
    sizeBytes,
    table: 'gpt',
    filesystem: null,
    partitions: parts.map(([startBytes, size], index) => ({
      number: index + 1,
      startBytes,
      sizeBytes: size,
      typeName: 'Linux filesystem',
      name: '',
      filesystem: null,
    })),
  };
}
const sum = (widths: readonly { widthPercent: number }[]) => widths.reduce((total, each) => total + each.widthPercent, 0);

describe('layoutDisk', () => {
  it('shows unallocated space but no alignment gaps', () => {
    const segments = layoutDisk(
      disk(10 * GiB, [
        [MiB, GiB],
        [GiB + 2 * MiB, GiB],
        [5 * GiB, GiB],
      ]),
      'true',
    );
    expect(segments.map((segment) => segment.kind)).toEqual(['partition', 'partition', 'free', 'partition', 'free']);
    expect(segments[4]).toMatchObject({ startBytes: 6 * GiB, sizeBytes: 4 * GiB });
  });

  it('sorts by place on the disk, not by number', () => {
    const segments = layoutDisk(
      disk(4 * GiB, [
        [2 * GiB, GiB],
        [MiB, GiB],
      ]),
      'readable',
    );
    expect(segments.map((segment) => segment.partition?.number ?? null)).toEqual([2, null, 1, null]);
  });

  it('draws an empty disk as one free segment, a disk without table as its filesystem', () => {
    expect(layoutDisk(disk(GiB, []), 'readable')).toMatchObject([{ kind: 'free', sizeBytes: GiB, widthPercent: 100 }]);
    const whole = { ...disk(GiB, []), filesystem: { kind: 'ext4', label: 'data', usedBytes: 1, totalBytes: GiB } };
    expect(layoutDisk(whole, 'readable')).toMatchObject([{ kind: 'partition', widthPercent: 100 }]);
  });

  it('keeps proportions in true scale', () => {
    const [first, second] = layoutDisk(
      disk(4 * GiB, [
        [0, GiB],
        [GiB, 3 * GiB],
      ]),
      'true',
    );
    expect(first?.widthPercent).toBeCloseTo(25);
    expect(second?.widthPercent).toBeCloseTo(75);
  });

  it('makes a tiny partition wide enough to press in readable scale', () => {
    const [tiny] = layoutDisk(
      disk(1024 * GiB, [
        [MiB, 100 * MiB],
        [GiB, 1023 * GiB],
      ]),
      'readable',
    );
    expect(tiny?.widthPercent).toBeCloseTo(9);
  });

  it('fills the bar exactly and keeps bigger segments at least as wide, whatever the disk', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(sizes, fc.constantFrom<'true' | 'readable'>('true', 'readable'), (gibs, scale) => {
        let at = MiB;
        const parts = gibs.map((size): [number, number] => {
          const start = at;
          at += size * GiB;
          return [start, size * GiB];
        });
        const segments = layoutDisk(disk(at, parts), scale);
        expect(sum(segments)).toBeCloseTo(100, 6);
        for (const a of segments)
          for (const b of segments) {
            if (a.sizeBytes >= b.sizeBytes) expect(a.widthPercent).toBeGreaterThanOrEqual(b.widthPercent - 1e-6);
          }
      }),
    );
  });
});

it('gives every filesystem a family and names a partition as people do', () => {
  expect(['ntfs', 'ext4', 'vfat', 'fat32', 'exfat', 'xfs', null].map(familyOf)).toEqual([
    'ntfs',
    'ext',
    'fat',
    'fat',
    'fat',
    'other',
    'raw',
  ]);
  expect(isLocked('crypto_LUKS')).toBe(true);
  expect(isLocked('ext4')).toBe(false);
  const base = { number: 2, startBytes: 0, sizeBytes: 1, typeName: 'EFI system', name: '', filesystem: null };
  expect(partitionTitle(base)).toBe('EFI system');
  expect(partitionTitle({ ...base, mountPoint: 'C:' })).toBe('C:');
});

it('a disk nobody could read is not called empty', () => {
  const disk = { name: 'vda', model: '', serial: '', sizeBytes: 1e9, table: null, partitions: [], filesystem: null };
  expect(layoutDisk({ ...disk, warnings: ['this user may not read it'] }, 'true').map(segmentTitle)).toEqual([
    'Content not read',
  ]);
  expect(layoutDisk(disk, 'true').map(segmentTitle)).toEqual(['Unallocated']);
});

it('draws the logical partitions of an MBR in place of their container', () => {
  const part = (number: number, type: string, startBytes: number, sizeBytes: number) => {
    return { number, type, startBytes, sizeBytes, typeName: 'Linux', name: '', filesystem: null };
  };
  const partitions = [part(1, '0x83', GiB, GiB), part(2, '0x0f', 2 * GiB, 6 * GiB), part(5, '0x83', 3 * GiB, 4 * GiB)];
  const drawn = layoutDisk(
    { name: '', model: '', serial: '', sizeBytes: 8 * GiB, table: 'mbr', partitions, filesystem: null },
    'true',
  );
  expect(drawn.map(({ key }) => key)).toEqual(['f0', 'p1', `f${2 * GiB}`, 'p5', `f${7 * GiB}`]);
});
