import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, memoryDevice, openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeNeeding, makeScratch, partcloneUsedExtents, runTool, type Scratch } from '../testing/index.ts';
import { extReader } from './index.ts';
import { noise } from './testing/extContent.ts';

/** True when every byte of `inner` lies in `outer`. */
function covers(outer: readonly Extent[], inner: readonly Extent[]): boolean {
  return inner.every(({ offsetBytes, lengthBytes }) =>
    outer.some(
      (extent) => extent.offsetBytes <= offsetBytes && extent.offsetBytes + extent.lengthBytes >= offsetBytes + lengthBytes,
    ),
  );
}

async function mapOf(image: string) {
  const device = await openFileDevice(image);
  try {
    const filesystem = await extReader.open(device);
    return { clean: filesystem.info.clean, map: await filesystem.usedMap() };
  } finally {
    await device.close();
  }
}

describeNeeding(
  { tools: ['mke2fs', 'e2fsck', 'partclone.ext4', 'losetup', 'mount'], root: true },
  'ext, journal to replay',
  () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
    });
    afterAll(() => scratch?.dispose());

    /** An image of a volume caught while mounted, its last changes in the journal alone. */
    async function caughtMounted(name: string, type: 'ext3' | 'ext4', options: readonly string[]): Promise<string> {
      const image = await scratch.sparseFile(`${name}.img`, 80 << 20);
      await runTool('mke2fs', ['-q', '-F', '-t', type, '-b', '1024', ...options, image]);
      const device = await scratch.attach(image);
      const mounted = await scratch.mount(device, type);
      for (let index = 0; index < 60; index++) await writeFile(join(mounted, `file${index}`), noise(200_000, index));
      await runTool('sync', ['-f', mounted]);
      for (let index = 0; index < 60; index += 3) await rm(join(mounted, `file${index}`));
      await writeFile(join(mounted, 'late'), noise(3_000_000, 99));
      // fsync commits to the journal and leaves the bitmaps in their places as they were.
      await runTool('sync', [join(mounted, 'late')]);
      const caught = scratch.path(`${name}-caught.img`);
      await runTool('cp', ['--sparse=always', image, caught]);
      await scratch.unmount(mounted);
      await scratch.detach(device);
      return caught;
    }

    const layouts: readonly [string, 'ext3' | 'ext4', readonly string[]][] = [
      ['ext3', 'ext3', []],
      ['ext4', 'ext4', []],
      ['ext4, ^64bit', 'ext4', ['-O', '^64bit']],
      ['ext4, no checksums', 'ext4', ['-O', '^metadata_csum,^64bit']],
      ['ext4, ^flex_bg', 'ext4', ['-O', '^flex_bg']],
    ];
    test.each(layouts)('%s: the map holds all that is in use after the replay', async (title, type, options) => {
      const caught = await caughtMounted(title.replaceAll(/\W+/g, '-'), type, options);
      const { clean, map } = await mapOf(caught);
      expect(clean).toBe(false);
      expect(map.warnings.join()).toMatch(/^The journal holds changes not yet written to their places: /);
      expect(map.usedBytes).toBeLessThan(80 << 20);
      const replayed = `${caught}.replayed`;
      await runTool('cp', ['--sparse=always', caught, replayed]);
      await runTool('e2fsck', ['-fy', replayed]).catch(() => {});
      const afterReplay = await partcloneUsedExtents(`partclone.${type}`, replayed, scratch);
      expect(covers(map.extents, afterReplay)).toBe(true);
      expect((await mapOf(replayed)).clean).toBe(true);

      // And what a restore of only these blocks gives, replays and checks as well as the original.
      const restored = `${caught}.restored`;
      const bytes = await readFile(caught);
      const kept = Buffer.alloc(bytes.length, 0xa5);
      for (const { offsetBytes, lengthBytes } of map.extents)
        bytes.copy(kept, offsetBytes, offsetBytes, offsetBytes + lengthBytes);
      await writeFile(restored, kept);
      await runTool('e2fsck', ['-fy', restored]).catch(() => {});
      await runTool('e2fsck', ['-fn', restored]);
      const device = await scratch.attach(restored);
      const mounted = await scratch.mount(device, type, 'ro');
      expect((await readFile(join(mounted, 'late'))).equals(noise(3_000_000, 99))).toBe(true);
      await scratch.unmount(mounted);
      await scratch.detach(device);
    });

    test('the bitmaps alone would have missed some of it', async () => {
      const caught = await caughtMounted('unaware', 'ext4', ['-O', '^metadata_csum,^64bit']);
      const bytes = await readFile(caught);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 0x60) & ~4, 1024 + 0x60);
      const unaware = await (await extReader.open(memoryDevice(bytes))).usedMap();
      await runTool('e2fsck', ['-fy', caught]).catch(() => {});
      expect(covers(unaware.extents, await partcloneUsedExtents('partclone.ext4', caught, scratch))).toBe(false);
    });

    async function plain(name: string, options: readonly string[]): Promise<Buffer> {
      const image = await scratch.sparseFile(`${name}.img`, 16 << 20);
      await runTool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', ...options, image]);
      return readFile(image);
    }

    async function warningsOf(bytes: Buffer): Promise<readonly string[]> {
      return (await (await extReader.open(memoryDevice(bytes))).usedMap()).warnings;
    }

    test('a journal that names inodes instead of blocks (fast_commit): everything is taken', async () => {
      const bytes = await plain('fast', ['-O', 'fast_commit,^metadata_csum']);
      expect(await warningsOf(bytes)).toEqual([]);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 0x60) | 4, 1024 + 0x60);
      expect(await warningsOf(bytes)).toEqual([
        'The journal holds changes that cannot be followed: the whole filesystem was taken.',
      ]);
    });

    test('a journal on another device, or damaged: everything is taken', async () => {
      const bytes = await plain('away', ['-O', '^metadata_csum']);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 0x60) | 4, 1024 + 0x60);
      expect(await warningsOf(bytes)).toEqual([]);
      const journal = bytes.indexOf(Buffer.from([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4]));
      const away = Buffer.from(bytes);
      away.writeUInt32LE(0, 1024 + 0xe0);
      expect(await warningsOf(away)).toHaveLength(1);
      bytes.fill(0, journal, journal + 12);
      expect(await warningsOf(bytes)).toEqual([
        'The journal holds changes that cannot be followed: the whole filesystem was taken.',
      ]);
    });
  },
);
