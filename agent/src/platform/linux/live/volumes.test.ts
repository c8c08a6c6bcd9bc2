import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realRoots } from '../roots.ts';
import { wantedVolumes } from './openLiveSource.ts';
import { volumesOf } from './volumes.ts';

let folder: string;
const put = async (path: string, text = '') => {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
};
const roots = () => ({ ...realRoots, sys: join(folder, 'sys'), proc: join(folder, 'proc'), dev: join(folder, 'dev') });

/** One NVMe disk with everything on partitions, two disks under one logical volume, two under one btrfs. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-volumes-'));
  const disks = { nvme0n1: '259:0', sda: '8:0', sdb: '8:16', sdc: '8:32', sdd: '8:48', 'dm-0': '253:0' };
  for (const [name, number] of Object.entries(disks)) {
    await put(`sys/block/${name}/dev`, number);
    await put(`sys/block/${name}/size`, '1000000');
    await put(`dev/${name}`);
  }
  for (const n of [1, 2, 3, 4]) {
    await put(`sys/block/nvme0n1/nvme0n1p${n}/dev`, `259:${n}`);
    await put(`sys/block/nvme0n1/nvme0n1p${n}/start`, String(n * 1000));
    await put(`sys/block/nvme0n1/nvme0n1p${n}/size`, '1000');
  }
  for (const slave of ['sda', 'sdb']) await mkdir(join(folder, `sys/block/dm-0/slaves/${slave}`), { recursive: true });
  for (const mate of ['sdc', 'sdd']) await put(`sys/fs/btrfs/1234-5678/devices/${mate}`);
  for (const mounted of ['nvme0n1p2', 'nvme0n1p3', 'nvme0n1p4', 'dm-0']) await put(`sys/fs/ext4/${mounted}/features`);
  await put(
    'proc/self/mountinfo',
    [
      '20 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw',
      '21 20 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw',
      '22 20 259:3 / /home/some/where rw - ext4 /dev/nvme0n1p3 rw',
      '23 20 259:3 /x /home ro - ext4 /dev/nvme0n1p3 rw',
      '24 20 253:0 / /srv rw - ext4 /dev/mapper/vg-srv rw',
      '25 20 0:44 /@ /pool rw - btrfs /dev/sdc rw',
      '26 20 0:45 /@other /pool2 rw - btrfs /dev/sdc rw',
      '27 20 259:5 / /cdrom ro - iso9660 /dev/sr0 ro',
    ].join('\n'),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('each writable volume once, the root last, with its partition; mounted elsewhere is told apart', async () => {
  const { volumes, elsewhere } = await volumesOf(roots(), 'nvme0n1');
  expect(volumes).toEqual([
    {
      device: 'nvme0n1p1',
      partition: 1,
      fsType: 'vfat',
      mounts: [{ id: 21, mountPoint: '/boot/efi' }],
      place: { startBytes: 512_000, sizeBytes: 512_000 },
      otherDisks: [],
    },
    expect.objectContaining({
      partition: 3,
      mounts: [
        { id: 23, mountPoint: '/home' },
        { id: 22, mountPoint: '/home/some/where' },
      ],
    }),
    expect.objectContaining({ partition: 2, mounts: [{ id: 20, mountPoint: '/' }] }),
  ]);
  expect(elsewhere).toEqual([{ device: 'nvme0n1p4', partition: 4 }]);
});

test('volumes of partitions that are left out are not asked about', async () => {
  const scope = { disk: 'nvme0n1', path: '/dev/nvme0n1', dev: 0, startBytes: 0, sizeBytes: 512_000_000 };
  const system = await wantedVolumes(roots(), { scope, partitions: [1, 2] });
  expect(system.volumes.map(({ partition }) => partition)).toEqual([1, 2]);
  expect(system.elsewhere).toEqual([]);
  const one = await wantedVolumes(roots(), { scope: { ...scope, startBytes: 3 * 512_000, sizeBytes: 512_000 } });
  expect(one.volumes.map(({ partition }) => partition)).toEqual([3]);
});

test.each([
  ['sda', 'dm-0', ['sdb']],
  ['sdb', 'dm-0', ['sda']],
  ['sdc', 'sdc', ['sdd']],
  ['sdd', 'sdc', ['sdc']],
])('%s holds a part of what is mounted from %s', async (disk, device, otherDisks) => {
  const { volumes, elsewhere } = await volumesOf(roots(), disk);
  expect(volumes).toMatchObject([{ device, partition: null, otherDisks }]);
  expect(elsewhere).toEqual([]);
});
