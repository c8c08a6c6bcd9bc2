import { open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice, subtractExtents } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noise, writeSparse } from '../ext/testing/extContent.ts';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import {
  describeNeeding,
  expectSameTree,
  guardedDevice,
  makeScratch,
  partcloneUsedExtents,
  runTool,
  type Scratch,
  treeOfFilesystem,
  treeOfFolder,
} from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { type ImageOptions, makeBtrfsImage, makeUnmountedImage } from './testing/btrfsImage.ts';

const generous = { reads: 1e9, bytes: 1e12, readBytes: 1e9 };

async function named(filesystem: Filesystem, name: string): Promise<DirectoryEntry> {
  for await (const entry of filesystem.readDirectory(await filesystem.root())) if (entry.name === name) return entry;
  throw new Error(`no ${name}`);
}

describeNeeding(
  { tools: ['mkfs.btrfs', 'btrfs', 'losetup', 'mount', 'fallocate', 'blkid'], root: true },
  'btrfs file content',
  () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
    });
    afterAll(() => scratch?.dispose());

    async function volume(wanted: Omit<ImageOptions, 'sizeMiB'>) {
      const { image } = await makeBtrfsImage(scratch, { sizeMiB: 160, ...wanted });
      const device = guardedDevice(await openFileDevice(image), generous);
      return { image, device, filesystem: await btrfsReader.open(device) };
    }

    test('a contiguous file is one read of the device', async () => {
      const fill = (folder: string) => writeFile(join(folder, 'run'), noise(4 << 20, 5));
      const { device, filesystem } = await volume({ name: 'run', fill });
      const content = await filesystem.openFile(await named(filesystem, 'run'));
      const before = device.seen.reads;
      const target = Buffer.alloc(4 << 20);
      await content.read(0, target);
      expect(target.equals(noise(4 << 20, 5))).toBe(true);
      expect(device.seen.reads - before).toBe(1);
      await device.close();
    });

    test('a compressed file read in small steps expands each extent once', async () => {
      const text = Buffer.from('as it was in the beginning '.repeat(40_000));
      const fill = (folder: string) => writeFile(join(folder, 'text'), text);
      const { device, filesystem } = await volume({ name: 'steps', fill, mountOptions: 'compress-force=zstd' });
      const content = await filesystem.openFile(await named(filesystem, 'text'));
      const before = device.seen.reads;
      const target = Buffer.alloc(text.length);
      for (let at = 0; at < text.length; at += 1000)
        await content.read(at, target.subarray(at, Math.min(at + 1000, text.length)));
      expect(target.equals(text)).toBe(true);
      expect(device.seen.reads - before).toBe(Math.ceil(text.length / 131_072));
      await device.close();
    });

    test('space reserved but never written reads as zero, though old bytes lie there', async () => {
      const fill = async (folder: string) => {
        await writeFile(join(folder, 'old'), Buffer.alloc(60 << 20, 0xee));
        await runTool('sync', ['-f', folder]);
        await rm(join(folder, 'old'));
        await runTool('sync', ['-f', folder]);
        await runTool('fallocate', ['-l', '60M', join(folder, 'reserved')]);
        const file = await open(join(folder, 'reserved'), 'r+');
        await file.write(Buffer.from('here'), 0, 4, 30 << 20);
        await file.close();
      };
      const { device, filesystem } = await volume({ name: 'stale', fill });
      const content = await filesystem.openFile(await named(filesystem, 'reserved'));
      const target = Buffer.alloc(60 << 20, 0xff);
      await content.read(0, target);
      const expected = Buffer.alloc(60 << 20);
      expected.write('here', 30 << 20);
      expect(target.equals(expected)).toBe(true);
      await device.close();
    });

    const far = [0, 5_000, 70_000_000, 2 ** 31 - 1, 2 ** 32 + 12_345, 5 * 2 ** 40 - 1];
    test.each([
      ['holes left out', ['-O', 'no-holes']],
      ['holes written down', ['-O', '^no-holes']],
    ])('a sparse file of 5 TiB: %s', async (title, options) => {
      const fill = (folder: string) => writeSparse(join(folder, 'far'), 5 * 2 ** 40, far);
      const { device, filesystem } = await volume({ name: `far-${title.length}`, options, fill });
      const entry = await named(filesystem, 'far');
      expect(entry.sizeBytes).toBe(5 * 2 ** 40);
      const content = await filesystem.openFile(entry);
      for (const place of far) {
        const start = Math.max(0, place - 3000);
        const target = Buffer.alloc(Math.min(6000, 5 * 2 ** 40 - start), 0xff);
        await content.read(start, target);
        for (const other of far) {
          if (other >= start && other < start + target.length) target[other - start] = (target[other - start] ?? 0) ^ 0x7a;
        }
        expect(target.every((byte) => byte === 0)).toBe(true);
      }
      await device.close();
    });

    test('a file of thousands of fragments', async () => {
      const places = Array.from({ length: 6_000 }, (_, index) => index * 9000);
      const fill = (folder: string) => writeSparse(join(folder, 'comb'), 54_000_000, places);
      const { device, filesystem } = await volume({ name: 'comb', fill });
      const content = await filesystem.openFile(await named(filesystem, 'comb'));
      const target = Buffer.alloc(54_000_000);
      await content.read(0, target);
      const expected = Buffer.alloc(54_000_000);
      for (const place of places) expected[place] = 0x7a;
      expect(target.equals(expected)).toBe(true);
      await device.close();
    });

    test('label and uuid are those blkid prints', async () => {
      const { image, device, filesystem } = await volume({ name: 'id', options: ['-L', 'Füllung'], fill: async () => {} });
      expect((await runTool('blkid', ['-o', 'value', '-s', 'UUID', image])).trim()).toBe(filesystem.info.uuid);
      expect((await runTool('blkid', ['-o', 'value', '-s', 'TYPE', image])).trim()).toBe(filesystem.info.kind);
      expect(filesystem.info).toMatchObject({ label: 'Füllung', totalBytes: (await stat(image)).size });
      await device.close();
    });
  },
);

describeNeeding({ tools: ['mkfs.btrfs'] }, 'btrfs filled without a mount', () => {
  test('the tree is that of the source folder', async () => {
    const scratch = await makeScratch();
    try {
      const fill = async (folder: string) => {
        await writeFile(join(folder, 'small'), 'inline');
        await writeFile(join(folder, 'large'), noise(1_500_000, 3));
        await runTool('mkdir', ['-p', join(folder, 'a/b/c')]);
        await runTool('ln', ['-s', '../small', join(folder, 'a/link')]);
        for (let index = 0; index < 500; index++) await writeFile(join(folder, 'a/b', `file ${index}`), noise(index * 20, index));
      };
      const { image, source } = await makeUnmountedImage(scratch, { name: 'rootdir', sizeMiB: 128, fill });
      const device = await openFileDevice(image);
      const filesystem = await btrfsReader.open(device);
      expect((await filesystem.usedMap()).warnings).toEqual([]);
      // mkfs.btrfs copies whole seconds only.
      expectSameTree(await treeOfFilesystem(filesystem), await treeOfFolder(source), { ignore: ['modifiedAtMs'] });
      await device.close();
    } finally {
      await scratch.dispose();
    }
  });
});

describeNeeding({ tools: ['mkfs.btrfs', 'partclone.btrfs', 'losetup', 'mount'], root: true }, 'btrfs and partclone', () => {
  test('where logical and physical addresses are the same, partclone’s map holds all of ours', async () => {
    const scratch = await makeScratch();
    try {
      const options = ['-m', 'single', '-d', 'single'];
      const { image } = await makeBtrfsImage(scratch, { name: 'single', sizeMiB: 128, options });
      const device = await openFileDevice(image);
      const { extents } = await (await btrfsReader.open(device)).usedMap();
      // It takes less of the first MiB, which btrfs leaves to boot loaders.
      const behind = subtractExtents(extents, [{ offsetBytes: 0, lengthBytes: 1 << 20 }]);
      expect(behind.length).toBeGreaterThan(3);
      expect(subtractExtents(behind, await partcloneUsedExtents('partclone.btrfs', image, scratch))).toEqual([]);
      await device.close();
    } finally {
      await scratch.dispose();
    }
  });
});
