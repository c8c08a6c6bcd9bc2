/** Volumes of several devices: each device has its own map; files are read as far as one device holds them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fill, noise } from '../ext/testing/extContent.ts';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  runTool,
  type Scratch,
  type Tree,
  treeOfFilesystem,
  treeOfFolder,
} from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { restoreUsedOnly } from './testing/restored.ts';

interface Recipe {
  readonly title: string;
  readonly devices: number;
  readonly data: string;
  readonly metadata: string;
  /** One device alone shows everything. */
  readonly readable?: boolean;
}

const recipes: readonly Recipe[] = [
  { title: 'RAID1', devices: 2, data: 'raid1', metadata: 'raid1', readable: true },
  { title: 'RAID1 in three copies', devices: 3, data: 'raid1c3', metadata: 'raid1c3', readable: true },
  { title: 'single data on two devices', devices: 2, data: 'single', metadata: 'raid1' },
  { title: 'RAID0', devices: 2, data: 'raid0', metadata: 'raid1' },
  { title: 'RAID0 on one device', devices: 1, data: 'raid0', metadata: 'raid0', readable: true },
  { title: 'RAID10', devices: 4, data: 'raid10', metadata: 'raid1c4' },
  { title: 'RAID5', devices: 3, data: 'raid5', metadata: 'raid1c3' },
  { title: 'RAID6', devices: 4, data: 'raid6', metadata: 'raid1c4' },
];

describeNeeding({ tools: ['mkfs.btrfs', 'btrfs', 'losetup', 'mount'], root: true }, 'btrfs on several devices', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  async function mounted(images: readonly string[], options: string, action: (folder: string) => Promise<void>) {
    const loops: string[] = [];
    for (const image of images) loops.push(await scratch.attach(image));
    const all = [...loops.map((loop) => `device=${loop}`), options].join(',');
    const folder = await scratch.mount(loops[0] ?? '', 'btrfs', all);
    await action(folder);
    await scratch.unmount(folder);
    for (const loop of loops) await scratch.detach(loop);
  }

  async function seen(images: readonly string[]): Promise<Tree> {
    let tree: Tree = new Map();
    await mounted(images, 'ro', async (folder) => {
      tree = await treeOfFolder(folder);
    });
    return tree;
  }

  test.each(recipes)('$title: the maps of all devices together are a whole volume', { timeout: 60_000 }, async (recipe) => {
    const { title, devices, data, metadata, readable } = recipe;
    const images: string[] = [];
    for (let index = 0; index < devices; index++) images.push(await scratch.sparseFile(`${title}-${index}.img`, 200 << 20));
    await runTool('mkfs.btrfs', ['-q', '-f', '-d', data, '-m', metadata, ...images]);
    await mounted(images, 'rw', async (folder) => {
      await fill(folder, 200);
      for (let index = 0; index < 20; index++) await writeFile(join(folder, `piece${index}`), noise(777_777, index));
    });
    const tree = await seen(images);
    const restored: string[] = [];
    let elsewhere = 0;
    for (const image of images) {
      const device = await openFileDevice(image);
      const filesystem = await btrfsReader.open(device);
      const map = await filesystem.usedMap();
      expect(map.warnings).toEqual([]);
      expect(map.usedBytes).toBeLessThan(device.sizeBytes / 2);
      await restoreUsedOnly(image, map.extents, `${image}.restored`);
      restored.push(`${image}.restored`);
      if (readable) expectSameTree(await treeOfFilesystem(filesystem), tree);
      else elsewhere += await expectPart(filesystem);
      await device.close();
    }
    if (!readable) expect(elsewhere).toBeGreaterThan(0);
    await mounted(restored, 'rw', async (folder) => {
      expect(await runTool('btrfs', ['scrub', 'start', '-B', '-r', folder])).toMatch(/no errors found/);
    });
    expectSameTree(await seen(restored), tree);
    await runTool('rm', ['-f', ...images, ...restored]);
  });

  /** Each piece of each file is right or says that it lies elsewhere; returns how many do. */
  async function expectPart(filesystem: Awaited<ReturnType<typeof btrfsReader.open>>) {
    let right = 0;
    let elsewhere = 0;
    for await (const entry of filesystem.readDirectory(await filesystem.root())) {
      const number = /^piece(\d+)$/.exec(entry.name)?.[1];
      if (number === undefined) continue;
      const content = await filesystem.openFile(entry);
      const expected = noise(777_777, Number(number));
      for (let at = 0; at < expected.length; at += 65536) {
        const target = Buffer.alloc(Math.min(65536, expected.length - at));
        const error: unknown = await content.read(at, target).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (error === null) {
          expect(target.equals(expected.subarray(at, at + target.length))).toBe(true);
          right++;
        } else {
          expect(error).toMatchObject({ code: 'FS_UNSUPPORTED' });
          elsewhere++;
        }
      }
    }
    expect(right + elsewhere).toBe(20 * 12);
    return elsewhere;
  }
});
