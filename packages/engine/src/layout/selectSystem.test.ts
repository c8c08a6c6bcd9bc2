import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DiskOfPc, selectSystem } from './selectSystem.ts';

const GIB = 2 ** 30;
const TYPE = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  msr: 'e3c9e316-0b5c-4db8-817d-f92df00215ae',
  recovery: 'de94bba4-06d1-4d40-a16a-bfd50179d6ac',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  basic: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  lvm: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
} as const;

type Part = DiskOfPc['partitions'][number];
type PartSpec = [type: keyof typeof TYPE | `0x${string}`, kind: string | null, facts?: Partial<Part>];

function disk(key: string, parts: readonly PartSpec[], more: Partial<DiskOfPc> = {}): DiskOfPc {
  const table = parts.some(([type]) => type.startsWith('0x')) ? ('mbr' as const) : ('gpt' as const);
  const partitions = parts.map(([type, kind, facts], index): Part => {
    const known = Object.entries(TYPE).find(([name]) => name === type)?.[1] ?? type;
    const sizeBytes = facts?.sizeBytes ?? GIB;
    const filesystem = kind && { kind, label: '', uuid: `${key}-${index}`, totalBytes: sizeBytes, usedBytes: 0, clean: true };
    return {
      number: index + 1,
      startBytes: (index + 1) * GIB,
      sizeBytes,
      type: known,
      typeName: type,
      id: null,
      name: '',
      filesystem: filesystem || null,
      ...facts,
    };
  });
  return { key, removable: false, sizeBytes: 100 * GIB, table, tableId: 'x', filesystem: null, partitions, ...more };
}

const used = (...mountPoints: string[]) => ({ mountPoints, inUse: true });
const rest = (...mountPoints: string[]) => ({ mountPoints });
const holds = (...words: string[]) => ({ holds: words });

/** `a: 1 2 | 3`: included before the bar, left out behind it. */
function summary(disks: readonly DiskOfPc[], facts?: Parameters<typeof selectSystem>[1]): string {
  const { parts } = selectSystem(disks, facts);
  return disks
    .map(({ key }) => {
      const of = (included: boolean) =>
        parts.filter((part) => part.disk === key && part.included === included).map(({ partition }) => partition);
      return `${key}: ${of(true).join(' ')} | ${of(false).join(' ')}`;
    })
    .join('; ');
}

const windowsUefi: PartSpec[] = [
  ['esp', 'fat32', holds('efi')],
  ['msr', null, { sizeBytes: 16 << 20 }],
  ['basic', 'ntfs', holds('windows')],
  ['recovery', 'ntfs'],
  ['basic', 'ntfs', { name: 'D:' }],
];
const linuxUefi: PartSpec[] = [
  ['esp', 'fat32', { ...used('/boot/efi'), ...holds('efi') }],
  ['linux', 'ext4', used('/boot')],
  ['linux', 'ext4', { ...used('/'), ...holds('linux') }],
  ['swap', 'swap', used('swap')],
  ['linux', 'ext4', used('/home')],
];

describe('what a system needs', () => {
  test.each<[name: string, disks: DiskOfPc[], expected: string, firmware?: 'uefi' | 'bios']>([
    ['UEFI Linux with /boot, swap and /home apart', [disk('a', linuxUefi)], 'a: 1 2 3 4 | 5', 'uefi'],
    [
      'BIOS Linux on GPT with a BIOS boot partition, /srv apart',
      [
        disk('a', [
          ['biosBoot', null, { sizeBytes: 1 << 20 }],
          ['linux', 'xfs', used('/')],
          ['linux', 'xfs', used('/srv')],
        ]),
      ],
      'a: 1 2 | 3',
      'bios',
    ],
    [
      'MBR Windows with System Reserved',
      [
        disk('a', [
          ['0x07', 'ntfs', holds('windowsBoot', 'active')],
          ['0x07', 'ntfs', holds('windows')],
          ['0x07', 'ntfs'],
        ]),
      ],
      'a: 1 2 | 3',
    ],
    ['Windows UEFI with ESP, MSR, C:, Recovery and D: data', [disk('a', windowsUefi)], 'a: 1 2 3 4 | 5'],
    [
      'dual boot: Linux runs, Windows sleeps beside it',
      [disk('a', [...windowsUefi.slice(0, 4), ['linux', 'ext4', used('/')], ['basic', 'ntfs', used('/mnt/d')]])],
      'a: 1 2 3 4 5 | 6',
      'uefi',
    ],
    [
      'root in LVM: its volumes, wherever they lie; another group is data',
      [
        disk('a', [
          ['esp', 'fat32', used('/boot/efi')],
          ['linux', 'ext4', used('/boot')],
          ['lvm', 'lvm2', { ...used('/', '/home', 'swap'), group: 'vg' }],
        ]),
        disk('b', [
          ['lvm', 'lvm2', { group: 'vg' }],
          ['lvm', 'lvm2', { ...used('/data'), group: 'other' }],
        ]),
      ],
      'a: 1 2 3 | ; b: 1 | 2',
      'uefi',
    ],
    [
      'root encrypted and open',
      [
        disk('a', [
          ['esp', 'fat32', used('/boot/efi')],
          ['linux', 'luks2', used('/')],
          ['linux', 'luks2', used('/home')],
        ]),
      ],
      'a: 1 2 | 3',
      'uefi',
    ],
    [
      'at rest: fstab tells /boot, /home and swap',
      [
        disk('a', [
          ['esp', 'fat32', { ...holds('efi'), ...rest('/boot/efi') }],
          ['linux', 'ext4', { ...holds('linuxBoot'), ...rest('/boot') }],
          ['linux', 'ext4', { ...holds('linux'), ...rest('/') }],
          ['linux', 'ext4', rest('/home')],
          ['linux', 'xfs'],
        ]),
      ],
      'a: 1 2 3 | 4 5',
    ],
    [
      'at rest: an encrypted system and nothing else to go by',
      [
        disk('a', [
          ['esp', 'fat32', holds('efi')],
          ['linux', 'luks2'],
        ]),
      ],
      'a: 1 2 | ',
    ],
    [
      'at rest: LVM beside a system found elsewhere is not needed, alone it may be',
      [
        disk('a', [
          ['linux', 'ext4', holds('linux')],
          ['lvm', 'lvm2'],
        ]),
        disk('b', [['lvm', 'lvm2']]),
      ],
      'a: 1 | 2; b: 1 | ',
    ],
    [
      'a second disk with an old Windows, a stick with an installer: not what runs',
      [
        disk('a', linuxUefi),
        disk('b', windowsUefi),
        disk('c', [['0x0c', 'fat32', holds('efi', 'linuxBoot')]], { removable: true }),
      ],
      'a: 1 2 3 4 | 5; b:  | 1 2 3 4 5; c:  | 1',
      'uefi',
    ],
    [
      'two disks of one system: /var on the second',
      [
        disk('a', [
          ['esp', 'fat32', used('/efi')],
          ['linux', 'ext4', used('/')],
        ]),
        disk('b', [
          ['linux', 'ext4', used('/var')],
          ['linux', 'ext4', used('/data')],
        ]),
      ],
      'a: 1 2 | ; b: 1 | 2',
      'uefi',
    ],
    [
      'UEFI, and the ESP lies on another disk nobody mounted',
      [
        disk('a', [['linux', 'ext4', used('/')]]),
        disk('b', [
          ['esp', 'fat32', holds('efi')],
          ['basic', 'ntfs'],
        ]),
      ],
      'a: 1 | ; b: 1 | 2',
      'uefi',
    ],
    [
      'swap on a disk of data does not make it a disk of the system',
      [
        disk('a', [['linux', 'ext4', used('/')]]),
        disk('b', [
          ['swap', 'swap', used('swap')],
          ['basic', 'ntfs', holds('windows')],
        ]),
      ],
      'a: 1 | ; b: 1 | 2',
      'bios',
    ],
    [
      'MBR with logical partitions: the container is a part of the table',
      [
        disk('a', [
          ['0x83', 'ext4', used('/')],
          ['0x05', null],
          ['0x82', 'swap', used('swap')],
          ['0x83', 'ext4', used('/home')],
        ]),
      ],
      'a: 1 2 3 | 4',
      'bios',
    ],
    ['a disk without a table that is the root', [disk('a', [], { table: null, ...used('/') })], 'a: 0 | '],
    [
      'btrfs over two disks',
      [
        disk('a', [
          [
            'linux',
            'btrfs',
            { ...used('/'), filesystem: { kind: 'btrfs', label: '', uuid: 'one', totalBytes: 1, usedBytes: 1, clean: true } },
          ],
        ]),
        disk('b', [
          ['linux', 'btrfs', { filesystem: { kind: 'btrfs', label: '', uuid: 'one', totalBytes: 1, usedBytes: 1, clean: true } }],
        ]),
      ],
      'a: 1 | ; b: 1 | ',
    ],
  ])('%s', (_, disks, expected, firmware) => {
    expect(summary(disks, { firmware })).toBe(expected);
    expect(selectSystem(disks, { firmware }).found).toBe(true);
  });

  test('what is left out says why: /home by its mount point, data by what was not found on it', () => {
    const why = (disks: DiskOfPc[], partition: number) =>
      selectSystem(disks).parts.find((part) => part.partition === partition)?.why;
    expect(why([disk('a', linuxUefi)], 5)).toBe('data: the running system mounts it at /home');
    expect(why([disk('a', windowsUefi)], 5)).toBe('data: no system was found on this ntfs volume');
  });

  test('disks of data alone have no system', () => {
    const { found, parts } = selectSystem([
      disk('a', [
        ['basic', 'ntfs'],
        ['linux', 'ext4', used('/data')],
      ]),
    ]);
    expect(found).toBe(false);
    expect(parts.every(({ included }) => !included)).toBe(true);
  });

  const anyPart = fc.record({
    type: fc.constantFrom(...Object.values(TYPE)),
    kind: fc.constantFrom(null, 'ext4', 'ntfs', 'fat32', 'luks2', 'lvm2', 'btrfs', 'swap', 'zfs'),
    holds: fc.subarray(['linux', 'linuxBoot', 'efi', 'windows', 'windowsBoot', 'recovery', 'active', 'unheard of']),
    mountPoints: fc.subarray(['/', '/boot', '/home', '/srv', 'swap', 'C:\\', '/var/lib/mysql']),
    inUse: fc.boolean(),
    sizeBytes: fc.nat(4 * GIB),
  });
  const anyDisk = fc.record({ parts: fc.array(anyPart, { maxLength: 6 }), removable: fc.boolean() });

  test('any disks: one answer for every volume with a reason, the same again, and nothing the running system runs from is left out', () => {
    fc.assert(
      fc.property(fc.array(anyDisk, { maxLength: 4 }), fc.constantFrom('uefi', 'bios', null), (specs, firmware) => {
        const disks = specs.map(({ parts, removable }, index) =>
          disk(
            `d${index}`,
            parts.map(
              ({ type, kind, ...facts }): PartSpec => [
                Object.entries(TYPE).find(([, one]) => one === type)?.[0] === 'esp' ? 'esp' : 'basic',
                kind,
                { ...facts, type },
              ],
            ),
            { removable },
          ),
        );
        const { parts } = selectSystem(disks, { firmware });
        expect(parts.map((part) => `${part.disk} ${part.partition}`)).toEqual(
          disks.flatMap((one) => one.partitions.map(({ number }) => `${one.key} ${number}`)),
        );
        for (const [index, part] of parts.entries()) {
          expect(part.why).not.toBe('');
          const volume = disks.flatMap((one) => one.partitions)[index];
          const runs = volume?.inUse === true && volume.mountPoints?.some((point) => ['/', '/boot', 'swap'].includes(point));
          if (runs) expect(part.included).toBe(true);
        }
        expect(selectSystem(structuredClone(disks), { firmware }).parts).toEqual(parts);
      }),
    );
  });
});
