import type { InventoryDisk } from '@diskfleet/protocol';
import { describe, expect, test } from 'vitest';
import { factsOf, withFstabs } from './systemFacts.ts';

const MIB = 1 << 20;
const nothingFound = { holds: new Map<number, string[]>(), groups: new Map<number, string>(), fstabs: [] };
const place = { number: 2, startBytes: 10 * MIB, sizeBytes: 5 * MIB };

describe('what the inventory says of a volume', () => {
  test('who mounts it, also through LVM, and swap; what lies elsewhere is not its own', () => {
    const use = {
      isSystemDisk: true,
      busyReason: null,
      mounts: [
        { mountPoint: '/', startBytes: null, memberBytes: 10 * MIB },
        { mountPoint: '/boot', startBytes: 9 * MIB },
        { mountPoint: '/data', startBytes: 15 * MIB },
      ],
      swaps: [{ mountPoint: 'swap', startBytes: null, memberBytes: 10 * MIB }],
    };
    expect(factsOf(use, nothingFound, place)).toEqual({ mountPoints: ['/', 'swap'], inUse: true });
  });

  test('a volume mounted at many places tells the short ones', () => {
    const mounts = Array.from({ length: 60 }, (_, index) => ({
      mountPoint: `/var/lib/containers/${index}`,
      startBytes: 10 * MIB,
    }));
    const use = { isSystemDisk: false, busyReason: null, mounts: [...mounts, { mountPoint: '/', startBytes: 10 * MIB }] };
    const { mountPoints } = factsOf(use, nothingFound, place);
    expect(mountPoints?.[0]).toBe('/');
    expect(mountPoints).toHaveLength(32);
  });

  test('a table of mounts says nothing of what the running system uses', () => {
    const partition = (number: number, more: object) => ({
      number,
      startBytes: number * MIB,
      sizeBytes: MIB,
      type: '',
      typeName: '',
      id: `id-${number}`,
      name: '',
      filesystem: null,
      mountPoint: null,
      ...more,
    });
    const disk: InventoryDisk = {
      key: 'a',
      path: '/dev/a',
      name: 'a',
      model: '',
      serial: '',
      sizeBytes: 9 * MIB,
      sectorBytes: 512,
      bus: 'sata',
      isSystemDisk: false,
      removable: false,
      readOnly: false,
      busyReason: null,
      table: 'gpt',
      tableId: null,
      partitions: [partition(1, { mountPoints: ['/'], inUse: true }), partition(2, {})],
      filesystem: null,
      fingerprint: 'f',
      warnings: [],
    };
    const line = (number: number, mountPoint: string) => ({ what: `PARTUUID=ID-${number}`, mountPoint });
    const [found] = withFstabs([disk], [[line(1, '/old'), line(2, '/home')], [line(2, '/srv')]]);
    expect(found?.partitions.map(({ mountPoints }) => mountPoints)).toEqual([['/'], ['/srv', '/home']]);
  });
});
