import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type BlockDevice, type Extent, intersectExtents, memoryDevice, readBytes, sumBytes } from '@diskfleet/disk';
import { type LogicalVolume, openFilesystem, openPhysicalVolumes } from '@diskfleet/filesystem';
import { groupText, linear, MEMBER_IDS, physicalVolume, type TextVolume, volume, writeText } from '@diskfleet/filesystem/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explore } from '../explore/explore.ts';
import { copyInto, MIB, makeDisk, makeTree, makeVolume, missingTools, noise } from '../testing/diskImages.ts';
import { firstDifference, Harness } from '../testing/harness.ts';
import type { Explorer } from '../types.ts';
import { lookForSystems } from './lookForSystems.ts';
import { readLayout } from './readLayout.ts';
import { readUsedDisk } from './readUsedDisk.ts';
import { readVolumes } from './readVolumes.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'logical volumes' : `logical volumes (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

const EXTENTS = 63;
/** Two physical volumes of 64 MiB: partitions 2 and 3. */
const STARTS = [17 * MIB, 81 * MIB];
const striped = (name: string, first: number, each: number): TextVolume =>
  volume(name, each * 2, [
    'type = "striped"',
    'stripe_count = 2',
    'stripe_size = 128',
    `stripes = ["pv0", ${first}, "pv1", ${first}]`,
  ]);

const volumes: readonly TextVolume[] = [
  {
    name: 'root',
    pieces: [
      { extents: 20, lines: ['type = "striped"', 'stripe_count = 1', 'stripes = ["pv0", 2]'] },
      { extents: 10, lines: ['type = "striped"', 'stripe_count = 1', 'stripes = ["pv1", 40]'] },
    ],
  },
  striped('fast', 24, 8),
  linear('swap', 'pv0', 34, 8),
  linear('secret', 'pv0', 44, 3),
  linear('guest', 'pv0', 48, 6),
  linear('half_rmeta_0', 'pv1', 0, 1, ['READ', 'WRITE']),
  linear('half_rimage_0', 'pv1', 1, 4, ['READ', 'WRITE']),
  volume('half', 4, ['type = "raid1"', 'device_count = 1', 'raids = ["half_rmeta_0", "half_rimage_0"]']),
];

/** Writes a volume where LVM would have it; that it does is tested beside the reader. */
async function put(disk: Buffer, name: string, bytes: Buffer): Promise<void> {
  const parts = STARTS.map((start) => disk.subarray(start, start + 64 * MIB));
  const pvs = await openPhysicalVolumes(parts.map((part) => memoryDevice(part)));
  const target = pvs.flatMap((pv) => pv?.volumes ?? []).find((found: LogicalVolume) => found.name === `office/${name}`);
  for (const { on, volumeOffsetBytes, at } of target?.locate({ offsetBytes: 0, lengthBytes: bytes.length }) ?? []) {
    bytes.copy(parts[pvs.indexOf(on)] ?? disk, at.offsetBytes, volumeOffsetBytes, volumeOffsetBytes + at.lengthBytes);
  }
}

const usedIn = (used: readonly Extent[], offsetBytes: number, lengthBytes: number) =>
  sumBytes(intersectExtents(used, [{ offsetBytes, lengthBytes }]));

async function names(explorer: Explorer, path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, listable } of explorer.list(path)) found.push(listable ? `${name}/` : name);
  return found.sort();
}

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  let tree = new Map<string, Buffer>();
  afterAll(() => harness.close());
  const load = (name: string): BlockDevice => memoryDevice(readFileSync(harness.path(name)));

  beforeAll(async () => {
    tree = makeTree(harness.path('tree'));
    const folder = harness.path('tree');
    const text = groupText([EXTENTS, EXTENTS], volumes);
    makeDisk(harness.path('disk'), 150, {
      kind: 'gpt',
      parts: [
        { sizeMib: 16, kind: 'ext4' },
        { sizeMib: 64, kind: 'raw', bytes: physicalVolume(MEMBER_IDS[0] ?? '', EXTENTS, text) },
        { sizeMib: 64, kind: 'raw', bytes: physicalVolume(MEMBER_IDS[1] ?? '', EXTENTS, text) },
      ],
    });
    const disk = readFileSync(harness.path('disk'));
    // What was there before, also where nothing is now.
    for (const start of STARTS) noise((EXTENTS - 1) * MIB, 9).copy(disk, start + MIB);
    const make = async (name: string, sizeMib: number, kind: 'ext4' | 'ntfs') => {
      makeVolume(harness.path('volume'), { sizeMib, kind, tree: folder });
      await put(disk, name, readFileSync(harness.path('volume')));
    };
    await make('root', 30, 'ext4');
    await make('fast', 16, 'ntfs');
    const swap = Buffer.alloc(8 * MIB);
    swap.writeUInt32LE(1, 1024);
    swap.writeUInt32LE(2047, 1028);
    swap.write('SWAPSPACE2', 4086);
    await put(disk, 'swap', Buffer.concat([swap.subarray(0, 4096), noise(8 * MIB - 4096, 4)]));
    const secret = Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'), Buffer.alloc(504), noise(3 * MIB - 512, 5)]);
    await put(disk, 'secret', secret);
    makeDisk(harness.path('guest'), 6, { kind: 'mbr', parts: [{ sizeMib: 4, kind: 'ext4' }] });
    await put(disk, 'guest', readFileSync(harness.path('guest')));
    writeFileSync(harness.path('disk'), disk);
  });

  test('are part of the layout, with what is in them', async () => {
    const layout = await readLayout(load('disk'));
    expect(layout.warnings).toEqual([]);
    const [, first, second] = layout.partitions;
    expect(first?.filesystem).toMatchObject({ kind: 'lvm2', label: '', uuid: MEMBER_IDS[0], totalBytes: 64 * MIB, clean: true });
    expect(first?.filesystem?.volumes).toMatchObject([
      { name: 'office/root', sizeBytes: 30 * MIB, type: 'linear', filesystem: { kind: 'ext4', label: 'system', clean: true } },
      { name: 'office/fast', sizeBytes: 16 * MIB, type: 'striped', filesystem: { kind: 'ntfs', label: 'data', clean: true } },
      { name: 'office/swap', sizeBytes: 8 * MIB, type: 'linear', filesystem: { kind: 'swap', usedBytes: 4096, clean: null } },
      {
        name: 'office/secret',
        sizeBytes: 3 * MIB,
        type: 'linear',
        filesystem: { kind: 'luks1', usedBytes: 3 * MIB, clean: null },
      },
      { name: 'office/guest', sizeBytes: 6 * MIB, type: 'linear', filesystem: null },
    ]);
    // No piece of the other one begins here.
    expect(second?.filesystem?.volumes).toMatchObject([{ name: 'office/half', type: 'raid1', filesystem: null }]);
    expect(second?.filesystem?.clean).toBeNull();
  });

  test('only what they use is taken: of what is read its used blocks, of all else every extent', async () => {
    const device = load('disk');
    const { usedExtents: used, layout } = await readUsedDisk(device);
    expect(layout.warnings).toEqual([]);
    const extent = (member: number, first: number, count: number) =>
      usedIn(used, (STARTS[member] ?? 0) + (1 + first) * MIB, count * MIB);
    // Metadata; free extents; LUKS, the guest's disk and RAID whole; swap space: its header.
    for (const start of STARTS) expect(usedIn(used, start, MIB)).toBe(MIB);
    expect([extent(0, 0, 2), extent(0, 22, 2), extent(0, 32, 2), extent(0, 54, 9), extent(1, 5, 19), extent(1, 50, 13)]).toEqual(
      Array.from({ length: 6 }, () => 0),
    );
    expect([extent(0, 44, 3), extent(0, 48, 6), extent(1, 0, 5), extent(0, 34, 8)]).toEqual([3 * MIB, 6 * MIB, 5 * MIB, 4096]);
    // The filesystems: exactly as many bytes as their own readers say, spread over both.
    const found = await readVolumes(device);
    const maps = new Map<string, number>();
    for (const { volume: lv, content } of found.volumes[1]?.logicalVolumes ?? []) {
      const map = await content?.filesystem?.usedMap();
      if (map && content?.filesystem) maps.set(lv.name, map.usedBytes + lv.sizeBytes - content.filesystem.info.totalBytes);
    }
    expect(extent(0, 2, 20) + extent(1, 40, 10)).toBe(maps.get('office/root'));
    expect(extent(0, 24, 8) + extent(1, 24, 8)).toBe(maps.get('office/fast'));
    expect(extent(0, 2, 20)).toBeLessThan(20 * MIB);
    // What the headers say together is what is taken, but for what lies behind the last whole cluster or the like.
    const said = layout.partitions.slice(1).reduce((sum, { filesystem }) => sum + (filesystem?.usedBytes ?? 0), 0);
    const taken = STARTS.reduce((sum, start) => sum + usedIn(used, start, 64 * MIB), 0);
    expect(Math.abs(said - taken)).toBeLessThan(MIB / 4);
  });

  test('are folders, live and saved, whose files equal those they were made of, after a restore too', async () => {
    const { point } = await harness.backup(['disk']);
    const saved = await (await (await harness.openVault()).openPoint(point.id)).openDisk(0);
    expect(saved.info.partitions[1]?.filesystem).toMatchObject({ kind: 'lvm2', clean: true, volumes: { length: 5 } });
    expect(saved.info.partitions[2]?.filesystem?.volumes).toEqual([
      { name: 'office/half', sizeBytes: 4 * MIB, type: 'raid1', filesystem: null },
    ]);
    await harness.restore(point.id, 'restored');
    for (const device of [load('disk'), saved, load('restored')]) {
      const explorer = await explore(device);
      expect(await names(explorer, '/')).toEqual(['1/', '2/', '3/']);
      expect(await names(explorer, '/2')).toEqual(['office/']);
      expect(await names(explorer, '/2/office')).toEqual(['fast/', 'guest', 'root/', 'secret', 'swap']);
      expect(await names(explorer, '/3/office')).toEqual(['half']);
      for (const [path, content] of tree) {
        const file = await explorer.open(`/2/office/root/${path}`);
        const bytes = Buffer.alloc(file.sizeBytes);
        await file.read(0, bytes);
        expect(bytes.equals(content)).toBe(true);
      }
      const inNtfs = await explorer.open('/2/office/fast/Noise.bin');
      const bytes = Buffer.alloc(inNtfs.sizeBytes);
      await inNtfs.read(0, bytes);
      expect(bytes.equals(tree.get('large/noise.bin') ?? Buffer.alloc(0))).toBe(true);
      await expect(names(explorer, '/2/office/guest')).rejects.toMatchObject({ code: 'FS_NOT_A_DIRECTORY' });
      await expect(explorer.open('/2/office/swap')).rejects.toMatchObject({ code: 'FS_NOT_A_FILE' });
      await expect(explorer.stat('/2/office/none')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
      await expect(explorer.stat('/2/office/root/none')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    }
    await saved.close();
    const { usedExtents } = await readUsedDisk(load('disk'));
    expect(firstDifference(harness.path('disk'), harness.path('restored'), usedExtents)).toBeNull();
    // What was in free extents is not there any more.
    const free = await readBytes(load('restored'), (STARTS[0] ?? 0) + MIB, 2 * MIB);
    expect(free.every((byte) => byte === 0)).toBe(true);
  });

  test('their swap files may be left out, and systems in them are found', async () => {
    const text = groupText([EXTENTS], [linear('root', 'pv0', 3, 40)]);
    const bytes = physicalVolume(MEMBER_IDS[0] ?? '', EXTENTS, text);
    const folder = harness.path('system');
    mkdirSync(`${folder}/etc`, { recursive: true });
    writeFileSync(`${folder}/etc/os-release`, 'NAME=Test\n');
    writeFileSync(`${folder}/etc/fstab`, '/dev/mapper/office-root / ext4 defaults 0 1\n');
    const swap = noise(8 * MIB, 6);
    swap.fill(0, 0, 4096);
    swap.writeUInt32LE(1, 1024);
    swap.writeUInt32LE(2047, 1028);
    swap.write('SWAPSPACE2', 4086);
    writeFileSync(`${folder}/swap.img`, swap);
    makeVolume(harness.path('volume'), { sizeMib: 40, kind: 'ext4', tree: folder });
    writeFileSync(harness.path('system.img'), bytes);
    copyInto(harness.path('volume'), harness.path('system.img'), 4 * MIB);
    const device = load('system.img');
    const all = await readUsedDisk(device);
    const without = await readUsedDisk(device, { leaveOut: ['swap'] });
    expect(all.usedBytes - without.usedBytes).toBe(8 * MIB - 4096);
    const { holds, fstabs } = await lookForSystems(device);
    expect(holds.get(0)).toEqual(['linux']);
    expect(fstabs).toHaveLength(1);
  });

  test('tell the files that lie on one partition, byte for byte', async () => {
    const device = load('disk');
    const found = await readVolumes(device);
    const told = new Set<string>();
    for (const { partition, filesystem } of found.volumes.slice(1)) {
      const map = await filesystem?.usedMap();
      for await (const { path, sizeBytes, extents } of filesystem?.fileLayouts?.() ?? []) {
        told.add(path);
        const content = tree.get(path.replace('office/root/', '')) ?? Buffer.alloc(0);
        const bytes = Buffer.alloc(sizeBytes);
        for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
          const run = await readBytes(device, partition.startBytes + volumeOffsetBytes, lengthBytes);
          run.copy(bytes, fileOffsetBytes);
          const place = { offsetBytes: volumeOffsetBytes, lengthBytes };
          expect(sumBytes(intersectExtents(map?.extents ?? [], [place]))).toBe(lengthBytes);
        }
        if (path.startsWith('office/root/')) expect(bytes.equals(content)).toBe(true);
      }
    }
    expect(told).toContain('office/root/hello.txt');
    expect(told.size).toBeGreaterThan(30);
  });

  test('of a partition with a doubt about it all is taken, and the volumes are shown', async () => {
    const disk = readFileSync(harness.path('disk'));
    writeText(disk.subarray(STARTS[1]), groupText([EXTENTS, EXTENTS], volumes, 4));
    const { usedExtents: used, layout } = await readUsedDisk(memoryDevice(disk));
    expect(layout.warnings).toEqual(
      [2, 3].map((number) => expect.stringMatching(`partition ${number}: LVM: the copies .* differ`)),
    );
    for (const start of STARTS) expect(usedIn(used, start, 64 * MIB)).toBe(64 * MIB);
    expect(layout.partitions[1]?.filesystem?.volumes).toHaveLength(5);
    expect(layout.partitions[1]?.filesystem?.usedBytes).toBe(64 * MIB);
  });

  test('a disk that is a physical volume without a table', async () => {
    const text = groupText([EXTENTS], [linear('data', 'pv0', 3, 30)]);
    const bytes = physicalVolume(MEMBER_IDS[0] ?? '', EXTENTS, text);
    makeVolume(harness.path('volume'), { sizeMib: 30, kind: 'ext4', tree: harness.path('tree') });
    writeFileSync(harness.path('plain'), bytes);
    copyInto(harness.path('volume'), harness.path('plain'), 4 * MIB);
    const { layout, usedBytes } = await readUsedDisk(load('plain'));
    expect(layout.filesystem).toMatchObject({ kind: 'lvm2', volumes: [{ name: 'office/data', filesystem: { kind: 'ext4' } }] });
    expect(usedBytes).toBeLessThan(20 * MIB);
    const explorer = await explore(load('plain'));
    expect(await names(explorer, '/office')).toEqual(['data/']);
    expect((await explorer.open('/office/data/hello.txt')).sizeBytes).toBe(6);
  });

  test('a volume group over a filesystem whose header is left, or the other way round: all of it is taken', async () => {
    const bytes = physicalVolume(MEMBER_IDS[0] ?? '', EXTENTS, groupText([EXTENTS], []));
    // What ext4 has at 1 KiB is nowhere in the way of a label at 512.
    makeVolume(harness.path('volume'), { sizeMib: 64, kind: 'ext4' });
    readFileSync(harness.path('volume')).copy(bytes, 1024, 1024, 4096);
    expect(await openFilesystem(memoryDevice(bytes))).not.toBeNull();
    const { layout, usedBytes } = await readUsedDisk(memoryDevice(bytes));
    expect(usedBytes).toBe(64 * MIB);
    expect(layout.warnings.join()).toMatch(/marks of ext4 and of lvm2|damaged|cannot be read/);
  });
});
