import { describe, expect, test } from 'vitest';
import { parseFstab, volumesOfLine } from './fstab.ts';
import type { DiskOfPc } from './selectSystem.ts';

describe('fstab', () => {
  test('comments, tabs, octal escapes, swap, trailing slashes; lines that are cut off say nothing', () => {
    const text =
      '# /etc/fstab\nUUID=1\t/\text4 defaults 0 1\n LABEL=my\\040disk /mnt/a\\040b/ ext4\n\nUUID=2 none swap sw 0 0\nproc\n#UUID=3 /x ext4\nUUID=4 relative ext4';
    expect(parseFstab(text)).toEqual([
      { what: 'UUID=1', mountPoint: '/' },
      { what: 'LABEL=my disk', mountPoint: '/mnt/a b' },
      { what: 'UUID=2', mountPoint: 'swap' },
    ]);
  });

  const filesystem = { kind: 'ext4', label: 'Home', uuid: 'AbC-1', totalBytes: 1, usedBytes: 1, clean: true };
  const part = { startBytes: 0, sizeBytes: 1, type: '', typeName: '', filesystem: null };
  const gpt: DiskOfPc = {
    key: 'g',
    removable: false,
    sizeBytes: 1,
    table: 'gpt',
    tableId: 'id',
    filesystem: null,
    partitions: [
      { ...part, number: 1, id: 'aa-bb', name: 'boot' },
      { ...part, number: 12, id: 'cc-dd', name: '', filesystem },
    ],
  };
  const mbr: DiskOfPc = {
    ...gpt,
    key: 'm',
    table: 'mbr',
    tableId: '1badcafe',
    partitions: [{ ...part, number: 10, id: null, name: '' }],
  };
  const whole: DiskOfPc = {
    ...gpt,
    key: 'w',
    table: null,
    tableId: null,
    filesystem: { ...filesystem, uuid: 'whole' },
    partitions: [],
  };

  test.each([
    ['UUID=abc-1', ['g 12']],
    ['UUID="AbC-1"', ['g 12']],
    ['/dev/disk/by-uuid/AbC-1', ['g 12']],
    ['LABEL=Home', ['g 12', 'w 0']],
    ['PARTLABEL=boot', ['g 1']],
    ['PARTUUID=AA-BB', ['g 1']],
    ['PARTUUID=1badcafe-0a', ['m 10']],
    ['UUID=whole', ['w 0']],
    ['/dev/sda1', []],
    ['UUID=', []],
    ['LABEL=', []],
  ])('%s', (what, expected) => {
    expect(volumesOfLine(what, [gpt, mbr, whole]).map(({ disk, partition }) => `${disk} ${partition}`)).toEqual(expected);
  });
});
