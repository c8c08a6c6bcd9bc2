import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { describeNeeding, guardedDevice, makeScratch, runTool, type Scratch } from '../testing/index.ts';
import { extReader } from './index.ts';
import { noise, writeSparse } from './testing/extContent.ts';

const generous = { reads: 1e9, bytes: 1e12, readBytes: 1e9 };

async function named(filesystem: Filesystem, name: string): Promise<DirectoryEntry> {
  for await (const entry of filesystem.readDirectory(await filesystem.root())) if (entry.name === name) return entry;
  throw new Error(`no ${name}`);
}

describeNeeding({ tools: ['mke2fs', 'losetup', 'mount', 'fallocate', 'blkid'], root: true }, 'ext file content', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  async function volume(name: string, options: readonly string[], fill: (folder: string) => Promise<void>) {
    const image = await scratch.sparseFile(`${name}.img`, 100 << 20);
    await runTool('mke2fs', ['-q', '-F', ...options, image]);
    const loop = await scratch.attach(image);
    const mounted = await scratch.mount(loop, 'ext4');
    await fill(mounted);
    await scratch.unmount(mounted);
    await scratch.detach(loop);
    const device = guardedDevice(await openFileDevice(image), generous);
    return { image, device, filesystem: await extReader.open(device) };
  }

  test('a contiguous file is one read of the device', async () => {
    const { device, filesystem } = await volume('run', ['-t', 'ext4', '-b', '1024'], async (folder) => {
      const file = await open(join(folder, 'run'), 'w');
      await runTool('fallocate', ['-l', '4M', join(folder, 'run')]);
      await file.write(noise(4 << 20, 5));
      await file.close();
    });
    const content = await filesystem.openFile(await named(filesystem, 'run'));
    const before = device.seen.reads;
    const target = Buffer.alloc(4 << 20);
    await content.read(0, target);
    expect(target.equals(noise(4 << 20, 5))).toBe(true);
    expect(device.seen.reads - before).toBeLessThanOrEqual(2);
    await device.close();
  });

  test('space allocated but never written reads as zero, though old bytes lie there', async () => {
    const { device, filesystem } = await volume('stale', ['-t', 'ext4', '-b', '1024'], async (folder) => {
      const old = await open(join(folder, 'old'), 'w');
      for (let index = 0; index < 60; index++) await old.write(Buffer.alloc(1 << 20, 0xee));
      await old.sync();
      await old.close();
      await runTool('rm', [join(folder, 'old')]);
      await runTool('sync', ['-f', folder]);
      await runTool('fallocate', ['-l', '60M', join(folder, 'reserved')]);
      const file = await open(join(folder, 'reserved'), 'r+');
      await file.write(Buffer.from('here'), 0, 4, 30 << 20);
      await file.close();
    });
    const content = await filesystem.openFile(await named(filesystem, 'reserved'));
    const target = Buffer.alloc(60 << 20, 0xff);
    await content.read(0, target);
    const expected = Buffer.alloc(60 << 20);
    expected.write('here', 30 << 20);
    expect(target.equals(expected)).toBe(true);
    await device.close();
  });

  const far = [0, 5_000, 70_000_000, 2 ** 31 - 1, 2 ** 31 + 12_345, 3 * 2 ** 30 - 1];
  test.each([
    ['extents', ['-t', 'ext4', '-b', '1024']],
    ['triple indirect blocks', ['-t', 'ext3', '-b', '1024']],
  ])('a sparse file of 3 GiB: %s', async (title, options) => {
    const { device, filesystem } = await volume(`far-${title.length}`, options, (folder) =>
      writeSparse(join(folder, 'far'), 3 * 2 ** 30, far),
    );
    const entry = await named(filesystem, 'far');
    expect(entry.sizeBytes).toBe(3 * 2 ** 30);
    const content = await filesystem.openFile(entry);
    for (const place of far) {
      const start = Math.max(0, place - 3000);
      const target = Buffer.alloc(Math.min(6000, 3 * 2 ** 30 - start), 0xff);
      await content.read(start, target);
      for (const other of far)
        if (other >= start && other < start + target.length) target[other - start] = (target[other - start] ?? 0) ^ 0x7a;
      expect(target.every((byte) => byte === 0)).toBe(true);
    }
    await device.close();
  });

  test('an extent tree of several levels', async () => {
    const places = Array.from({ length: 9_000 }, (_, index) => index * 3000);
    const { device, filesystem } = await volume('comb', ['-t', 'ext4', '-b', '1024'], (folder) =>
      writeSparse(join(folder, 'comb'), 27_000_000, places),
    );
    const content = await filesystem.openFile(await named(filesystem, 'comb'));
    const target = Buffer.alloc(27_000_000);
    await content.read(0, target);
    const expected = Buffer.alloc(27_000_000);
    for (const place of places) expected[place] = 0x7a;
    expect(target.equals(expected)).toBe(true);
    await device.close();
  });

  test('label and uuid are those blkid prints', async () => {
    const { image, device, filesystem } = await volume('id', ['-t', 'ext4', '-L', 'Füllung'], async () => {});
    expect((await runTool('blkid', ['-o', 'value', '-s', 'UUID', image])).trim()).toBe(filesystem.info.uuid);
    expect((await runTool('blkid', ['-o', 'value', '-s', 'TYPE', image])).trim()).toBe(filesystem.info.kind);
    expect(filesystem.info).toMatchObject({ label: 'Füllung', totalBytes: (await stat(image)).size });
    await device.close();
  });

  test('the map of a 5 GiB volume costs little CPU and few reads', async () => {
    const image = await scratch.sparseFile('five.img', 5 * 2 ** 30);
    await runTool('mke2fs', ['-q', '-F', '-t', 'ext4', image]);
    const device = guardedDevice(await openFileDevice(image), generous);
    const startedAt = process.cpuUsage();
    const map = await (await extReader.open(device)).usedMap();
    const cpu = process.cpuUsage(startedAt);
    expect(map.warnings).toEqual([]);
    expect((cpu.user + cpu.system) / 1000).toBeLessThan(100);
    expect(device.seen.reads).toBeLessThan(30);
    await device.close();
  });
});
