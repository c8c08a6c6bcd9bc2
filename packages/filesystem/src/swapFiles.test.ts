/** Swap files made by mkswap, on every filesystem Linux keeps them on. */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice, readBytes, subtractExtents } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import { noise } from './ext/testing/extContent.ts';
import type { VolatileFile } from './filesystem.ts';
import { openFilesystem } from './readers.ts';
import { describeNeeding, makeScratch, runTool } from './testing/index.ts';

const MIB = 1 << 20;
const tools = ['mkfs.ext4', 'mkfs.xfs', 'mkfs.btrfs', 'mkswap', 'losetup', 'mount', 'fallocate', 'chattr'];

const formats = [
  { type: 'ext4', sizeBytes: 64 * MIB, mkfs: ['mkfs.ext4', '-q', '-F'] },
  { type: 'ext4', sizeBytes: 64 * MIB, mkfs: ['mkfs.ext4', '-q', '-F', '-b', '1024'] },
  { type: 'xfs', sizeBytes: 128 * MIB, mkfs: ['mkfs.xfs', '-q', '-f', '--unsupported'] },
  { type: 'btrfs', sizeBytes: 256 * MIB, mkfs: ['mkfs.btrfs', '-q', '-f'] },
];

describeNeeding({ tools, root: true }, 'swap files', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());
  let images = 0;

  const makeImage = async (format: (typeof formats)[number], fill: (folder: string) => Promise<void>): Promise<string> => {
    const image = await scratch.sparseFile(`swap${images++}.img`, format.sizeBytes);
    const [tool = '', ...args] = format.mkfs;
    await runTool(tool, [...args, image]);
    const loop = await scratch.attach(image);
    const folder = await scratch.mount(loop, format.type);
    if (format.type === 'btrfs') await runTool('chattr', ['+C', folder]);
    await fill(folder);
    await scratch.unmount(folder);
    await scratch.detach(loop);
    return image;
  };
  const volatileFilesOf = async (image: string): Promise<VolatileFile[]> => {
    const device = await openFileDevice(image);
    const filesystem = await openFilesystem(device);
    const files = [...((await filesystem?.volatileFiles?.()) ?? [])];
    const used = (await filesystem?.usedMap())?.extents ?? [];
    for (const { extents, mustBeZero } of files) {
      expect(subtractExtents(extents, used)).toEqual([]);
      expect(mustBeZero).toEqual([]);
    }
    await device.close();
    return files;
  };

  test.each(formats)('$mkfs', async (format) => {
    const image = await makeImage(format, async (folder) => {
      await writeFile(join(folder, 'swap.img'), noise(3 * MIB, 1));
      await runTool('mkswap', [join(folder, 'swap.img')]);
      await mkdir(join(folder, '@', 'swap'), { recursive: true });
      await runTool('fallocate', ['-l', String(2 * MIB), join(folder, '@', 'swap', 'swapfile')]);
      await runTool('mkswap', [join(folder, '@', 'swap', 'swapfile')]);
      // None of these: it sleeps, it only looks like one, it lies elsewhere.
      await writeFile(join(folder, 'asleep'), noise(MIB, 2));
      await runTool('mkswap', [join(folder, 'asleep')]);
      const asleep = await open(join(folder, 'asleep'), 'r+');
      await asleep.write('S1SUSPEND\0', 4096 - 10, 'latin1');
      await asleep.close();
      await writeFile(join(folder, 'longer than itself'), noise(MIB, 3));
      await runTool('mkswap', [join(folder, 'longer than itself')]);
      const cut = await open(join(folder, 'longer than itself'), 'r+');
      await cut.truncate(MIB / 2);
      await cut.close();
      await mkdir(join(folder, 'home'));
      await writeFile(join(folder, 'home', 'swapfile'), noise(MIB, 4));
      await runTool('mkswap', [join(folder, 'home', 'swapfile')]);
    });
    const files = (await volatileFilesOf(image)).sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(files.map(({ kind, path }) => [kind, path])).toEqual([
      ['swap', '@/swap/swapfile'],
      ['swap', 'swap.img'],
    ]);
    const bytesOf = (file: VolatileFile | undefined) => file?.extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    // All but the header, reserved or written.
    expect(files.map(bytesOf)).toEqual([2 * MIB - 4096, 3 * MIB - 4096]);
    const device = await openFileDevice(image);
    const [first] = files[1]?.extents ?? [];
    const bytes = await readBytes(device, first?.offsetBytes ?? 0, 4096);
    expect(bytes.equals(noise(3 * MIB, 1).subarray(4096, 8192))).toBe(true);
    await device.close();
  });

  test('none where there is none', async () => {
    const [format] = formats;
    if (format === undefined) throw new Error('no format');
    const image = await makeImage(format, (folder) => writeFile(join(folder, 'file'), noise(MIB, 5)));
    expect(await volatileFilesOf(image)).toEqual([]);
  });
});
