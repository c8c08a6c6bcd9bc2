import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { memoryDevice } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import { MIB, makeDisk, makeVolume, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import { lookForSystems, mountedByFstab } from './lookForSystems.ts';
import { readLayout } from './readLayout.ts';
import { selectSystem } from './selectSystem.ts';

const missing = missingTools();
const title =
  missing.length === 0 ? 'systems on real disks' : `systems on real disks (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  afterAll(() => harness.close());

  function tree(name: string, files: Readonly<Record<string, string>>): string {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(harness.path(`${name}/${path}`)), { recursive: true });
      writeFileSync(harness.path(`${name}/${path}`), text);
    }
    return harness.path(name);
  }

  async function selectionOf(name: string) {
    const device = memoryDevice(readFileSync(harness.path(name)));
    const layout = await readLayout(device);
    const found = await lookForSystems(device);
    const facts = (number: number) => ({ holds: found.holds.get(number), group: found.groups.get(number) });
    const partitions = layout.partitions.map((partition) => ({ ...partition, ...facts(partition.number) }));
    const disk = { ...layout, ...facts(0), key: name, removable: false, partitions };
    const mounted = mountedByFstab([disk], found.fstabs);
    const known = partitions.map((partition) => ({ ...partition, mountPoints: mounted(name, partition.number) }));
    return { found, parts: selectSystem([{ ...disk, partitions: known, mountPoints: mounted(name, 0) }]).parts };
  }

  test('Linux at rest: os-release, the kernels of /boot, an ESP, and what fstab says of /home', async () => {
    const root = {
      'usr/lib/os-release': 'NAME=Test',
      'etc/fstab': '# none\n/dev/sda3 / ext4 defaults 0 1\nPARTLABEL=raw /home\\040of\\040all ext4 defaults 0 2\n',
    };
    makeDisk(harness.path('linux'), 150, {
      kind: 'gpt',
      parts: [
        { sizeMib: 40, kind: 'esp', tree: tree('esp', { 'small/x': 'x', 'hello.txt': 'hello' }) },
        { sizeMib: 12, kind: 'ext4', tree: tree('boot', { 'vmlinuz-6.1': 'kernel', 'grub/grub.cfg': 'menu' }) },
        { sizeMib: 12, kind: 'ext4', tree: tree('root', root) },
        { sizeMib: 65, kind: 'raw', bytes: noise(MIB, 1) },
        { sizeMib: 8, kind: 'ntfs' },
      ],
    });
    const { found, parts } = await selectionOf('linux');
    expect([...found.holds]).toEqual([
      [2, ['linuxBoot']],
      [3, ['linux']],
    ]);
    expect(parts.map(({ included, why }) => `${included ? '+' : '-'} ${why}`)).toEqual([
      '+ EFI system partition: the firmware starts the PC from it',
      '+ kernels and boot loader of Linux',
      '+ holds a Linux system',
      '- data: its system mounts it at /home of all',
      '- data: no system was found on this ntfs volume',
    ]);
  });

  test('a root directory that cannot be read says nothing', async () => {
    makeDisk(harness.path('hurt'), 20, { kind: 'gpt', parts: [{ sizeMib: 12, kind: 'ext4', tree: harness.path('root') }] });
    const bytes = readFileSync(harness.path('hurt'));
    // The inode table: the root directory cannot be read any more.
    for (let at = MIB + 4096; at < 2 * MIB; at += 4096) noise(4096, at).copy(bytes, at);
    const { holds } = await lookForSystems(memoryDevice(bytes));
    expect(holds.size).toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0 && process.env.CI === undefined)(
    'Windows: boot manager, system and data by what lies on them (needs root to fill NTFS)',
    async () => {
      const volume = (name: string, folders: readonly string[], files: readonly string[]) => {
        const path = harness.path(name);
        makeVolume(path, { sizeMib: 8, kind: 'ntfs' });
        mkdirSync(harness.path('mount'), { recursive: true });
        runTool('ntfs-3g', [path, harness.path('mount')]);
        try {
          for (const folder of folders) mkdirSync(harness.path(`mount/${folder}`), { recursive: true });
          for (const file of files) writeFileSync(harness.path(`mount/${file}`), 'x');
        } finally {
          runTool('umount', [harness.path('mount')]);
        }
        return readFileSync(path);
      };
      makeDisk(harness.path('windows'), 40, {
        kind: 'mbr',
        parts: [
          { sizeMib: 8, kind: 'raw', bytes: volume('reserved', ['Boot'], ['bootmgr', 'Boot/BCD']) },
          { sizeMib: 8, kind: 'raw', bytes: volume('c', ['Windows/System32', 'Recovery/WindowsRE'], []) },
          { sizeMib: 8, kind: 'raw', bytes: volume('re', ['Recovery/WindowsRE'], []) },
          { sizeMib: 8, kind: 'raw', bytes: volume('d', ['Documents'], []) },
        ],
      });
      const { found, parts } = await selectionOf('windows');
      expect([...found.holds.values()]).toEqual([['windowsBoot'], ['windows'], ['recovery']]);
      expect(parts.map(({ included }) => included)).toEqual([true, true, true, false]);
    },
  );
});
