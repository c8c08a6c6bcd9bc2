import { describe, expect, test } from 'vitest';
import { type NamedDisk, partitionsToTake, selectBackup } from './selectBackup.ts';

const GIB = 2 ** 30;

function part(number: number, type: string, kind: string | null, facts: Partial<NamedDisk['partitions'][number]> = {}) {
  const filesystem = kind === null ? null : { kind, label: '', uuid: '', totalBytes: GIB, usedBytes: GIB / 2, clean: true };
  const place = { startBytes: number * GIB, sizeBytes: GIB };
  return { number, ...place, type, typeName: 'Some type', id: null, name: '', filesystem, ...facts };
}

function disk(key: string, table: 'gpt' | 'mbr' | null, partitions: NamedDisk['partitions']): NamedDisk {
  return { key, name: `disk ${key}`, removable: false, sizeBytes: 9 * GIB, table, tableId: 'x', filesystem: null, partitions };
}

const pc = disk('a', 'mbr', [
  part(1, '0x83', 'ext4', { mountPoints: ['/'], inUse: true }),
  part(2, '0x05', null),
  part(5, '0x83', 'ext4', { mountPoints: ['/home'], inUse: true, name: 'people' }),
]);
const data = disk('b', 'gpt', [part(1, 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7', 'ntfs')]);

describe('what a backup takes', () => {
  test('a system: its disks, the other disks, and a warning for each piece of data that is left out', () => {
    const selection = selectBackup([pc, data], { kind: 'system', disks: [] });
    expect(selection).toMatchObject({ problem: null, includedBytes: GIB / 2, leftOutBytes: GIB / 2 });
    expect(selection.disks.map(({ key }) => key)).toEqual(['a']);
    expect(selection.leftOutDisks).toMatchObject([{ key: 'b', why: 'nothing the system needs lies on it' }]);
    expect(selection.warnings).toEqual([
      'Partition 5 of disk a (people, ext4, 1 GiB) is left out: data: the running system mounts it at /home.',
      'The disk disk b (9 GiB) is left out: nothing the system needs lies on it.',
    ]);
    const [first] = selection.disks;
    expect(first && partitionsToTake(first, 'system')).toEqual([1]);
  });

  test('whole disks and single partitions', () => {
    const whole = selectBackup([pc, data], { kind: 'disk', disks: [{ key: 'b' }] });
    expect(whole.disks[0]?.partitions).toMatchObject([{ number: 1, included: true, why: 'the whole disk is taken' }]);
    expect(whole.disks[0] && partitionsToTake(whole.disks[0], 'disk')).toBeUndefined();
    const some = selectBackup([pc, data], { kind: 'partition', disks: [{ key: 'a', partitions: [5] }] });
    expect(some.disks[0]?.partitions.map(({ included }) => included)).toEqual([false, true, true]);
    expect(some).toMatchObject({ includedBytes: GIB / 2, leftOutBytes: GIB / 2, problem: null });
  });

  test.each([
    ['a disk that is gone', { kind: 'disk', disks: [{ key: 'c' }] }, 'DISK_NOT_FOUND'],
    ['no disk', { kind: 'disk', disks: [] }, 'INVALID_INPUT'],
    ['some partitions of whole disks', { kind: 'disk', disks: [{ key: 'a', partitions: [1] }] }, 'INVALID_INPUT'],
    ['no partition', { kind: 'partition', disks: [{ key: 'a' }] }, 'INVALID_INPUT'],
    ['a partition that is not there', { kind: 'partition', disks: [{ key: 'a', partitions: [3] }] }, 'PARTITION_NOT_FOUND'],
    ['the container of logical partitions', { kind: 'partition', disks: [{ key: 'a', partitions: [2] }] }, 'PARTITION_NOT_FOUND'],
  ] as const)('refuses %s', (_, choice, code) => {
    expect(selectBackup([pc, data], choice).problem?.code).toBe(code);
  });

  test('a disk that cannot be read is named: the system may be on it', () => {
    const closed = { ...disk('c', null, []), fingerprint: '' };
    expect(selectBackup([closed], { kind: 'system', disks: [] }).problem).toMatchObject({
      code: 'DISK_ACCESS_DENIED',
      text: expect.stringContaining('disk c'),
    });
    expect(selectBackup([pc, closed], { kind: 'system', disks: [] }).warnings[0]).toMatch(/disk c cannot be read/);
  });

  test('files and loop devices are no disks of the PC, unless it runs from one or they are named', () => {
    const file = {
      ...pc,
      key: 'f',
      bus: 'file',
      partitions: pc.partitions.map((one) => ({ ...one, inUse: false, holds: ['linux'] })),
    };
    expect(selectBackup([file], { kind: 'system', disks: [] }).problem?.code).toBe('SYSTEM_NOT_FOUND');
    expect(selectBackup([file], { kind: 'system', disks: [{ key: 'f' }] }).problem).toBeNull();
    expect(selectBackup([{ ...pc, bus: 'loop' }], { kind: 'system', disks: [] }).problem).toBeNull();
  });

  test('a PC with data alone has no system to save', () => {
    expect(selectBackup([data], { kind: 'system', disks: [] }).problem?.code).toBe('SYSTEM_NOT_FOUND');
  });
});
