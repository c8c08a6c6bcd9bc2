import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import { churn, fill, noise } from '../ext/testing/extContent.ts';
import type { FileLayout } from '../filesystem.ts';
import { describeNeeding, layoutContract, makeScratch, runTool } from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { makeBtrfsImage, subvolume, withMounted } from './testing/btrfsImage.ts';

const needs = { tools: ['mkfs.btrfs', 'btrfs', 'losetup', 'mount', 'fallocate'], root: true };

describeNeeding(needs, 'btrfs file layouts', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());

  const makeFixture = async (name: string, options: readonly string[]) => {
    const { image } = await makeBtrfsImage(scratch, {
      name,
      sizeMiB: 256,
      options,
      fill: async (folder) => {
        await fill(folder, 200);
        await churn(folder);
        await writeFile(join(folder, 'punched'), noise(900_000, 8));
        await runTool('fallocate', ['-p', '-o', '131072', '-l', '262144', join(folder, 'punched')]);
        await runTool('fallocate', ['-l', '900000', join(folder, 'reserved')]);
        await writeFile(join(folder, 'reserved'), noise(20_000, 9), { flag: 'r+' });
        await mkdir(join(folder, 'same'));
        await writeFile(join(folder, 'same.txt'), noise(70_001, 7));
        await writeFile(join(await subvolume(folder, 'volume'), 'inside'), noise(300_000, 8));
      },
    });
    const device = await openFileDevice(image);
    const inline = /^(tiny|inlined|Gr.*|long-.*|raw-.*|many\/.*|d0\/.*)$/;
    return {
      device,
      open: btrfsReader.open,
      withoutLayout: (path: string) => inline.test(path),
      sparse: ['sparse', 'reserved', 'punched'],
      hardLinks: [['big', 'hard-link']],
      dispose: () => device.close(),
    };
  };
  layoutContract('btrfs', () => makeFixture('plain', []));
  layoutContract('btrfs, DUP', () => makeFixture('dup', ['-d', 'dup', '-m', 'dup']));

  test('compressed files have none, a snapshot tells its files anew, the stamp changes with the content', async () => {
    const { image } = await makeBtrfsImage(scratch, {
      name: 'special',
      sizeMiB: 256,
      mountOptions: 'compress-force=zstd',
      fill: async (folder) => {
        await writeFile(join(folder, 'compressed'), 'a line of text\n'.repeat(50_000));
      },
      afterwards: (made) =>
        withMounted(scratch, made, undefined, async (folder) => {
          await writeFile(join(await subvolume(folder, 'one'), 'file'), noise(100_000, 1));
          await runTool('btrfs', ['subvolume', 'snapshot', join(folder, 'one'), join(folder, 'two')]);
        }),
    });
    const layouts = async () => {
      const device = await openFileDevice(image);
      const found: Record<string, FileLayout> = {};
      for await (const layout of (await btrfsReader.open(device)).fileLayouts?.() ?? []) found[layout.path] = layout;
      await device.close();
      return found;
    };
    const before = await layouts();
    expect(Object.keys(before)).toEqual(['one/file', 'two/file']);
    expect(before['two/file']?.extents).toEqual(before['one/file']?.extents);
    await withMounted(scratch, image, undefined, (folder) =>
      writeFile(join(folder, 'one', 'file'), noise(4096, 2), { flag: 'r+' }),
    );
    const after = await layouts();
    expect(after['one/file']?.stamp).not.toBe(before['one/file']?.stamp);
    expect(after['two/file']).toEqual(before['two/file']);
  });
});
