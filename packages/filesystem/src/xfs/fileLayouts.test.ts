import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import { churn, fill, noise } from '../ext/testing/extContent.ts';
import { describeNeeding, layoutContract, makeScratch, runTool } from '../testing/index.ts';
import { xfsReader } from './index.ts';
import { fillMounted } from './testing/xfsContent.ts';

const needs = { tools: ['mkfs.xfs', 'losetup', 'mount', 'fallocate'], root: true };

describeNeeding(needs, 'XFS file layouts', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());
  let images = 0;

  const makeImage = async (options: readonly string[], work: (folder: string) => Promise<void>) => {
    const image = await scratch.sparseFile(`layouts${images++}.img`, 128 << 20);
    await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', ...options, image]);
    await mounted(image, work);
    return image;
  };
  const mounted = async (image: string, work: (folder: string) => Promise<void>) => {
    const loop = await scratch.attach(image);
    const folder = await scratch.mount(loop, 'xfs');
    await work(folder);
    await scratch.unmount(folder);
    await scratch.detach(loop);
  };
  const makeFixture = async (options: readonly string[]) => {
    const image = await makeImage(options, async (folder) => {
      await fill(folder, 200);
      await churn(folder);
      await fillMounted(folder);
      await mkdir(join(folder, 'same'));
      await writeFile(join(folder, 'same.txt'), noise(70_001, 7));
      await writeFile(join(folder, 'same', 'z'), noise(300_000, 8));
    });
    const device = await openFileDevice(image);
    return {
      device,
      open: xfsReader.open,
      sparse: ['sparse', 'reserved', 'punched', 'comb'],
      hardLinks: [['big', 'hard-link']],
      dispose: () => device.close(),
    };
  };
  layoutContract('XFS', () => makeFixture([]));
  layoutContract('XFS without reflinks', () => makeFixture(['-m', 'reflink=0,bigtime=0']));
  layoutContract('XFS, 1 KiB blocks', () => makeFixture(['-b', 'size=1024']));

  test('the stamp changes with the content, even when the time is set back', async () => {
    const image = await makeImage([], async (folder) => {
      await writeFile(join(folder, 'file'), noise(10_000, 1));
      await writeFile(join(folder, 'other'), noise(10_000, 2));
      await utimes(join(folder, 'file'), 1000, 1000);
    });
    const stamps = async () => {
      const device = await openFileDevice(image);
      const found: Record<string, string> = {};
      for await (const { path, stamp } of (await xfsReader.open(device)).fileLayouts?.() ?? []) found[path] = stamp;
      await device.close();
      return found;
    };
    const before = await stamps();
    await mounted(image, async (folder) => {
      await writeFile(join(folder, 'file'), noise(10_000, 3), { flag: 'r+' });
      await utimes(join(folder, 'file'), 1000, 1000);
    });
    const after = await stamps();
    expect(after.file).not.toBe(before.file);
    expect(after.other).toBe(before.other);
  });
});
