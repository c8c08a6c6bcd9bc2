/**
 * Images made by mkfs.xfs with the options that change the layout, filled through a real mount where the kernel can, and compared
 * with two other implementations: partclone for the map, the kernel for the tree.
 */
import { truncate } from 'node:fs/promises';
import { release } from 'node:os';
import { type Extent, openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { churn, fill } from '../ext/testing/extContent.ts';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  partcloneUsedExtents,
  runTool,
  type Scratch,
  type Tree,
  treeOfFilesystem,
} from '../testing/index.ts';
import { xfsReader } from './index.ts';
import { fillMounted, fillReflinks } from './testing/xfsContent.ts';
import { makeMountedImage, makePlainImage } from './testing/xfsImage.ts';

const needs = {
  tools: ['mkfs.xfs', 'xfs_admin', 'xfs_growfs', 'xfs_repair', 'partclone.xfs', 'losetup', 'mount', 'fallocate'],
  root: true,
};

// Linux mounts blocks larger than a page since 6.12; where it does not, mkfs.xfs alone fills such volumes.
const [major = 0, minor = 0] = release().split('.').map(Number);
const largePages = major > 6 || (major === 6 && minor >= 12);

interface Golden {
  readonly image: string;
  readonly tree: Tree;
  readonly usedExtents: readonly Extent[];
}

interface Recipe {
  readonly title: string;
  readonly options: readonly string[];
  readonly sizeMiB?: number;
  /** Not for the kernel (of this or another machine): filled by mkfs.xfs alone. */
  readonly plain?: boolean;
  readonly noReflink?: boolean;
  readonly scale?: number;
  /** Changed by the tools afterwards. */
  readonly changed?: (image: string, scratch: Scratch) => Promise<unknown>;
}

async function grow(image: string, scratch: Scratch): Promise<void> {
  await truncate(image, 700 << 20);
  const device = await scratch.attach(image);
  const mounted = await scratch.mount(device, 'xfs');
  await runTool('xfs_growfs', [mounted]);
  await scratch.unmount(mounted);
  await scratch.detach(device);
}

const recipes: readonly Recipe[] = [
  { title: 'defaults, folder of 10,000', options: [], scale: 10_000 },
  { title: '1 KiB blocks, folder of 10,000', options: ['-b', 'size=1024'], scale: 10_000 },
  { title: '2 KiB blocks', options: ['-b', 'size=2048'] },
  { title: '16 KiB blocks', options: ['-b', 'size=16384'], plain: true },
  { title: '64 KiB blocks', options: ['-b', 'size=65536'], plain: true },
  ...(largePages ? [{ title: '64 KiB blocks, by the kernel', options: ['-b', 'size=65536'], sizeMiB: 600 }] : []),
  { title: 'reverse maps', options: ['-m', 'rmapbt=1'] },
  { title: 'no reflinks, no finobt', options: ['-m', 'reflink=0,finobt=0'], noReflink: true },
  { title: 'small timestamps', options: ['-m', 'bigtime=0,inobtcount=0'] },
  { title: 'big timestamps, counted inode trees', options: ['-m', 'bigtime=1,inobtcount=1'] },
  { title: 'wide extent counters', options: ['-i', 'nrext64=1'] },
  { title: '17 groups', options: ['-d', 'agcount=17'], sizeMiB: 1400 },
  { title: 'a short last group', options: ['-d', 'agsize=104857600'], sizeMiB: 350 },
  { title: '8 KiB folder blocks', options: ['-n', 'size=8192'] },
  { title: '64 KiB folder blocks on 1 KiB blocks', options: ['-n', 'size=65536', '-b', 'size=1024'], scale: 3000 },
  { title: 'names without case', options: ['-n', 'version=ci'], plain: true },
  { title: '1 KiB inodes', options: ['-i', 'size=1024'] },
  { title: '2 KiB inodes, no sparse chunks', options: ['-i', 'size=2048,sparse=0'] },
  { title: '4 KiB sectors', options: ['-s', 'size=4096'] },
  { title: '2 KiB sectors, striped log', options: ['-s', 'size=2048', '-l', 'sunit=128'] },
  { title: 'striped data', options: ['-d', 'sunit=128,swidth=512'], sizeMiB: 1200 },
  { title: 'another uuid', options: [], changed: (image) => runTool('xfs_admin', ['-U', 'generate', image]) },
  { title: 'repaired, its log cleared', options: [], changed: (image) => runTool('xfs_repair', ['-L', image]) },
  { title: 'grown', options: [], changed: grow },
  { title: 'version 4', options: ['-m', 'crc=0'], plain: true, scale: 10_000 },
  { title: 'version 4, 512-byte blocks', options: ['-m', 'crc=0', '-b', 'size=512'], plain: true, scale: 3000 },
  { title: 'version 4, types in folders', options: ['-m', 'crc=0', '-n', 'ftype=1'], plain: true },
  { title: 'version 4, exact counters', options: ['-m', 'crc=0', '-l', 'lazy-count=0'], plain: true },
  { title: 'version 4, log version 1', options: ['-m', 'crc=0', '-l', 'version=1'], plain: true },
  { title: 'version 4, 2 KiB inodes', options: ['-m', 'crc=0', '-i', 'size=2048'], plain: true },
];

async function makeGolden(scratch: Scratch, recipe: Recipe): Promise<Golden> {
  const name = recipe.title.replaceAll(/[^\w]+/g, '-');
  const wanted = { name, sizeMiB: recipe.sizeMiB ?? 320, options: recipe.options };
  const made = recipe.plain
    ? await makePlainImage(scratch, { ...wanted, scale: recipe.scale ?? 300 })
    : await makeMountedImage(scratch, {
        ...wanted,
        async fill(folder) {
          await fill(folder, recipe.scale ?? 300);
          await fillMounted(folder);
          if (!recipe.noReflink) await fillReflinks(folder);
          await churn(folder);
        },
      });
  await recipe.changed?.(made.image, scratch);
  return { ...made, usedExtents: await partcloneUsedExtents('partclone.xfs', made.image, scratch) };
}

describeNeeding(needs, 'XFS golden images', () => {
  let scratch: Scratch;
  const goldens = new Map<string, Golden | Error>();
  beforeAll(async () => {
    scratch = await makeScratch();
    // partclone only waits most of its time, so several images are made side by side.
    const queue = [...recipes];
    const worker = async () => {
      for (let recipe = queue.shift(); recipe; recipe = queue.shift()) {
        goldens.set(recipe.title, await makeGolden(scratch, recipe).catch((error: Error) => error));
      }
    };
    await Promise.all(Array.from({ length: 10 }, worker));
  }, 240_000);
  afterAll(() => scratch?.dispose());

  test.each(recipes)(
    '$title: map equals partclone’s, tree equals the kernel’s',
    { timeout: 60_000 },
    async ({ title, plain }) => {
      const golden = goldens.get(title);
      if (!golden || golden instanceof Error) throw golden ?? new Error('not made');
      const device = await openFileDevice(golden.image);
      try {
        expect(await xfsReader.probe(device)).toBe(true);
        const filesystem = await xfsReader.open(device);
        expect(filesystem.info).toMatchObject({ kind: 'xfs', label: 'golden', clean: true });
        const uuid = (await runTool('blkid', ['-o', 'value', '-s', 'UUID', golden.image])).trim();
        expect(filesystem.info.uuid).toBe(uuid);
        const map = await filesystem.usedMap();
        expect(map.warnings).toEqual([]);
        expect(map.extents).toEqual(golden.usedExtents);
        const tree = await treeOfFilesystem(filesystem);
        // Never mounted: the tree is that of the source folder, whose times mkfs.xfs does not copy.
        expectSameTree(tree, golden.tree, { ignore: plain ? ['modifiedAtMs'] : [] });
      } finally {
        await device.close();
      }
    },
  );
});
