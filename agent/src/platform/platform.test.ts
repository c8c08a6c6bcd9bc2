import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeInventory } from '../inventory/takeInventory.ts';
import { platformContract } from '../testing/platformContract.ts';
import { choosePlatform } from './choosePlatform.ts';
import { fakePlatform } from './fake.ts';
import { linuxPlatform } from './linux/linuxPlatform.ts';
import { parseMountInfo } from './linux/users.ts';
import { windowsPlatform } from './windows.ts';

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-platform-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

const MIB = 1 << 20;
const units = (bytes: number) => String(bytes / 512);

/** A PC as sysfs shows it: NVMe with root on LVM, a SATA data disk, a USB stick with the same serial twice, RAID, loops, empty readers. */
async function madeUpPc() {
  const disk = (name: string, number: string, bytes: number, more: Record<string, string> = {}) =>
    put({
      [`sys/block/${name}/dev`]: `${number}\n`,
      [`sys/block/${name}/size`]: units(bytes),
      [`sys/block/${name}/removable`]: '0',
      [`sys/block/${name}/ro`]: '0',
      [`sys/block/${name}/queue/logical_block_size`]: '512',
      ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`sys/block/${name}/${file}`, text])),
    });
  const partition = (parent: string, name: string, number: string, [start, bytes]: [number, number]) =>
    put({
      [`sys/block/${parent}/${name}/dev`]: number,
      [`sys/block/${parent}/${name}/start`]: units(start),
      [`sys/block/${parent}/${name}/size`]: units(bytes),
    });
  await disk('nvme0n1', '259:0', 1024 * MIB, {
    wwid: 'eui.0025385b11b2c3d4\n',
    'device/model': 'Samsung SSD 990   \n',
    'device/serial': 'S6Z1\n',
    'queue/logical_block_size': '4096',
  });
  await partition('nvme0n1', 'nvme0n1p1', '259:1', [MIB, 100 * MIB]);
  await partition('nvme0n1', 'nvme0n1p2', '259:2', [101 * MIB, 900 * MIB]);
  await disk('dm-0', '253:0', 800 * MIB);
  await mkdir(join(folder, 'sys/block/dm-0/slaves/nvme0n1p2'), { recursive: true });
  await disk('sda', '8:0', 2048 * MIB, { 'device/vendor': 'ATA     ', 'device/model': 'WDC WD10' });
  await partition('sda', 'sda1', '8:1', [MIB, 500 * MIB]);
  await partition('sda', 'sda2', '8:2', [501 * MIB, 500 * MIB]);
  await put({ 'run/udev/data/b8:0': 'S:disk/by-id/x\nE:ID_SERIAL_SHORT=WD-123\nE:ID_BUS=ata\nE:ID_WWN=0x50014ee2\n' });
  await disk('sdb', '8:16', 64 * MIB, { removable: '1' });
  await disk('sdc', '8:32', 64 * MIB, { removable: '1' });
  for (const number of ['8:16', '8:32']) await put({ [`run/udev/data/b${number}`]: 'E:ID_SERIAL_SHORT=0000\nE:ID_BUS=usb\n' });
  await disk('sdd', '8:48', 512 * MIB);
  await disk('sde', '8:64', 512 * MIB);
  await disk('md0', '9:0', 512 * MIB);
  for (const slave of ['sdd', 'sde']) await mkdir(join(folder, `sys/block/md0/slaves/${slave}`), { recursive: true });
  await disk('sr0', '11:0', 700 * MIB);
  await disk('fd0', '2:0', 1474560);
  await disk('zram0', '252:0', 64 * MIB);
  await disk('loop0', '7:0', 0);
  await disk('loop1', '7:1', 64 * MIB, { 'loop/backing_file': '/srv/disk.img\n', 'loop/offset': '0' });
  await disk('loop2', '7:2', 32 * MIB, { 'loop/backing_file': '/srv/disk.img\n', 'loop/offset': String(MIB) });
  await disk('loop3', '7:3', 32 * MIB, { 'loop/backing_file': '/var/lib/snapd/snaps/x.snap\n' });
  await disk('nvme0c0n1', '259:9', 1024 * MIB, { hidden: '1' });
  await mkdir(join(folder, 'dev/mapper'), { recursive: true });
  await writeFile(join(folder, 'dev/dm-0'), '');
  await symlink('../dm-0', join(folder, 'dev/mapper/vg-root'));
  await put({
    'proc/self/mountinfo': [
      '22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw',
      '23 22 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw',
      '24 22 8:1 / /data\\040disk rw - ext4 /dev/sda1 rw',
      '25 22 0:45 /@ /pool rw - btrfs /dev/sda2 rw',
      '26 22 7:2 / /mnt/part rw - ext4 /dev/loop2 rw',
      '27 22 0:5 / /proc rw - proc proc rw',
    ].join('\n'),
    'proc/swaps': 'Filename Type Size Used Priority\n/dev/zram0 partition 1 0 -2\n/dev/mapper/vg-root partition 1 0 -3\n',
    'proc/sys/kernel/random/boot_id': '11111111-2222-4333-8444-555555555555\n',
    'etc/os-release': 'NAME="Debian GNU/Linux"\nVERSION_ID=\'12\'\n',
    'sys/class/dmi/id/sys_vendor': 'Dell Inc.',
    'sys/class/dmi/id/product_name': 'OptiPlex 7090',
    'sys/class/dmi/id/product_serial': 'ABC1234',
  });
  const roots = Object.fromEntries(['sys', 'proc', 'run', 'dev', 'etc'].map((name) => [name, join(folder, name)]));
  return { sys: roots.sys ?? '', proc: roots.proc ?? '', run: roots.run ?? '', dev: roots.dev ?? '', etc: roots.etc ?? '' };
}

describe('Linux, a made-up PC', () => {
  let platform: ReturnType<typeof linuxPlatform>;
  let roots: Awaited<ReturnType<typeof madeUpPc>>;
  beforeAll(async () => {
    roots = await madeUpPc();
    platform = linuxPlatform({ roots, mayRead: async () => true });
  });
  platformContract(() => platform);
  const find = async (name: string) => {
    const found = (await platform.look()).disks.find((disk) => disk.name === name);
    if (found === undefined) throw new Error(`${name} is not listed`);
    return found;
  };

  test('lists whole disks only: no optical, floppy, RAM, empty, hidden, snap, LVM or RAID devices', async () => {
    const names = (await platform.look()).disks.map(({ name }) => name);
    expect(names).toEqual(['loop1', 'loop2', 'nvme0n1', 'sda', 'sdb', 'sdc', 'sdd', 'sde']);
  });

  test('finds the system disk through LVM', async () => {
    const { use, key, model, serial, sectorBytes, bus } = await find('nvme0n1');
    expect(use).toMatchObject({ isSystemDisk: true, busyReason: 'the running system lives on it' });
    expect(use.mounts).toEqual([
      { mountPoint: '/', startBytes: null, memberBytes: 101 * MIB },
      { mountPoint: '/boot/efi', startBytes: MIB },
    ]);
    expect(use.swaps).toEqual([{ mountPoint: 'swap', startBytes: null, memberBytes: 101 * MIB }]);
    expect({ key, model, serial, sectorBytes, bus }).toEqual({
      key: 'wwn:eui.0025385b11b2c3d4',
      model: 'Samsung SSD 990',
      serial: 'S6Z1',
      sectorBytes: 4096,
      bus: 'nvme',
    });
  });

  test('knows a data disk by udev, its mounts with blanks in their names, and btrfs by its source', async () => {
    const { use, key, serial, bus, model } = await find('sda');
    expect({ key, serial, bus, model }).toEqual({ key: 'wwn:0x50014ee2', serial: 'WD-123', bus: 'ata', model: 'WDC WD10' });
    expect(use).toMatchObject({ isSystemDisk: false, busyReason: 'mounted at /data disk, /pool' });
    expect(use.mounts).toEqual([
      { mountPoint: '/data disk', startBytes: MIB },
      { mountPoint: '/pool', startBytes: 501 * MIB },
    ]);
  });

  test('knows the disk behind a partition', async () => {
    const { partitionAt } = await platform.look();
    expect(partitionAt?.('/dev/nvme0n1p2')).toEqual({ diskPath: '/dev/nvme0n1', startBytes: 101 * MIB });
    for (const other of ['/dev/sda', '/dev/dm-0', '/dev/none1', '/etc/passwd']) expect(partitionAt?.(other)).toBeNull();
  });

  test('two sticks with one serial stay two disks', async () => {
    expect([(await find('sdb')).key, (await find('sdc')).key]).toEqual(['serial:0000', 'serial:0000:sdc']);
    expect((await find('sdb')).use.busyReason).toBeNull();
  });

  test('members of a RAID are held by it', async () => {
    expect((await find('sdd')).use.busyReason).toBe('held by md0 (LVM, RAID or encryption)');
  });

  test('a window of a file that is mounted shows on the device over the whole file', async () => {
    const whole = await find('loop1');
    expect(whole.bus).toBe('loop');
    expect(whole.use).toMatchObject({
      busyReason: 'mounted at /mnt/part',
      mounts: [{ mountPoint: '/mnt/part', startBytes: MIB }],
    });
  });

  test('machine facts', async () => {
    const { hardware, os, bootId } = await platform.machine();
    expect(hardware).toMatchObject({ vendor: 'Dell Inc.', model: 'OptiPlex 7090', serial: 'ABC1234' });
    expect(os).toMatchObject({ platform: 'linux', name: 'Debian GNU/Linux', version: '12' });
    expect(bootId).toBe('11111111-2222-4333-8444-555555555555');
  });

  test('without the right to read, disks are left out and the reason is said', async () => {
    const view = await linuxPlatform({ roots, mayRead: async () => false }).look();
    expect(view.disks).toEqual([]);
    expect(view.canReadDisks).toBe(false);
    expect(view.limitation).toContain('Not running as root');
  });
});

describe('Linux, this PC', () => {
  platformContract(() => linuxPlatform());

  const isRoot = process.getuid?.() === 0;
  if (!isRoot && process.env.CI) {
    test('loop devices (needs root)', () => {
      throw new Error('this machine lacks root');
    });
  }
  test.skipIf(!isRoot)(
    `a file is busy while it is attached, its loop device while mounted${isRoot ? '' : ' (skipped: needs root)'}`,
    async () => {
      const tool = (name: string, args: readonly string[]) => promisify(execFile)(name, [...args]);
      const image = join(folder, 'attached.img');
      await writeFile(image, '');
      await truncate(image, 32 * MIB);
      await tool('/usr/sbin/mke2fs', ['-q', '-F', '-E', `offset=${MIB}`, image, '16384k']);
      const mountPoint = join(folder, 'mounted here');
      await mkdir(mountPoint);
      const platform = linuxPlatform();
      expect((await (await platform.look()).useOf(image)).busyReason).toBeNull();
      const attach = async (args: readonly string[]) =>
        (await tool('/usr/sbin/losetup', ['-f', '--show', ...args, image])).stdout.trim();
      const whole = await attach([]);
      const part = await attach(['-o', String(MIB), '--sizelimit', String(16 * MIB)]);
      try {
        expect((await (await platform.look()).useOf(image)).busyReason).toMatch(/^attached as /);
        expect((await (await platform.look()).useOf(whole)).busyReason).toBeNull();
        await tool('/usr/bin/mount', ['-t', 'ext4', part, mountPoint]);
        try {
          const view = await platform.look();
          const use = { isSystemDisk: false, busyReason: `mounted at ${mountPoint}`, mounts: [{ mountPoint, startBytes: MIB }] };
          expect(await view.useOf(image)).toEqual(use);
          expect(view.disks.find(({ path }) => path === whole)?.use).toEqual(use);
        } finally {
          await tool('/usr/bin/umount', [mountPoint]);
        }
      } finally {
        for (const device of [part, whole]) await tool('/usr/sbin/losetup', ['-d', device]);
      }
    },
  );
});

describe('fake', () => {
  const machine = async () => {
    const [one, two] = [join(folder, 'one.img'), join(folder, 'two.img')];
    for (const path of [one, two]) {
      await writeFile(path, '');
      await truncate(path, 4 * MIB);
    }
    const disks = [
      { path: one, serial: 'FAKE-1', isSystemDisk: true },
      { path: two, serial: 'FAKE-2', model: 'Data disk' },
      { path: join(folder, 'unplugged.img'), serial: 'FAKE-3' },
    ];
    await put({ 'fake.json': JSON.stringify({ hostname: 'pc-7', disks }) });
    return join(folder, 'fake.json');
  };
  platformContract(async () => fakePlatform(await machine()));

  test('a disk whose file is missing is not plugged in; the system disk is guarded', async () => {
    const view = await fakePlatform(await machine()).look();
    expect(view.disks.map(({ serial, use }) => [serial, use.isSystemDisk, use.busyReason !== null])).toEqual([
      ['FAKE-1', true, true],
      ['FAKE-2', false, false],
    ]);
  });

  test('gives a valid inventory with the disk files of the settings behind its disks', async () => {
    const files = join(folder, 'files');
    await mkdir(files, { recursive: true });
    for (const name of ['a.img', 'b.txt', 'tiny.raw']) await writeFile(join(files, name), '');
    await truncate(join(files, 'a.img'), 2 * MIB);
    await truncate(join(files, 'b.txt'), 2 * MIB);
    const settings = {
      allowRemoteDiskWrites: true,
      allowRestoreToSystemFolders: false,
      vaultPatienceSeconds: 120,
      diskFilesFolder: files,
      diskFiles: [join(files, 'b.txt')],
    };
    const inventory = await takeInventory(fakePlatform(await machine()), settings, () => new Date('2026-11-22T12:00:00Z'));
    expect(inventory.hostname).toBe('pc-7');
    expect(inventory.disks.map(({ name, bus }) => `${name} ${bus}`)).toEqual([
      'one.img sata',
      'two.img sata',
      'a.img file',
      'b.txt file',
    ]);
    expect(inventory.disks[2]?.key).toMatch(/^file:[0-9a-f]{16}$/);
    expect(inventory.disks[2]?.serial).toMatch(/^FILE-[0-9A-F]{8}$/);
  });

  test('says what is wrong with its file', async () => {
    await put({ 'bad.json': '{"hostname": 3}' });
    await expect(fakePlatform(join(folder, 'bad.json')).look()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(fakePlatform(join(folder, 'absent.json')).look()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

test('Windows refuses by name', async () => {
  await expect(windowsPlatform().look()).rejects.toMatchObject({ code: 'PLATFORM_UNSUPPORTED' });
});

test('the environment chooses the fake platform', () => {
  expect(choosePlatform({ DISKFLEET_PLATFORM: 'fake', DISKFLEET_FAKE_MACHINE: '/x' }).name).toBe('fake');
  expect(() => choosePlatform({ DISKFLEET_PLATFORM: 'fake' })).toThrow(/DISKFLEET_FAKE_MACHINE/);
});

test('mountinfo lines with optional fields and escapes', () => {
  const text = '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\nbroken line\n';
  const line = { id: 36, number: '98:0', mountPoint: '/mnt 2', source: '/dev/root', fsType: 'ext3', readOnly: false };
  expect(parseMountInfo(text)).toEqual([line]);
  const readOnly = '40 35 8:1 / /x rw - xfs /dev/sda1 ro,attr2';
  expect(parseMountInfo(readOnly)).toMatchObject([{ id: 40, fsType: 'xfs', readOnly: true }]);
});
