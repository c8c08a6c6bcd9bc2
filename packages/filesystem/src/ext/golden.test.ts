/**
 * Images made by mke2fs with the options that change the layout, filled through a real mount where the kernel can, and compared
 * with two other implementations: partclone for the map, the kernel for the tree.
 */
import { mkdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  partcloneUsedExtents,
  runTool,
  type Scratch,
  type Tree,
  treeOfFilesystem,
  treeOfFolder,
} from '../testing/index.ts';
import { extReader } from './index.ts';
import { churn, fill } from './testing/extContent.ts';

const needs = { tools: ['mke2fs', 'dumpe2fs', 'resize2fs', 'e2fsck', 'partclone.ext4', 'losetup', 'mount'], root: true };

interface Golden {
  readonly image: string;
  readonly tree: Tree;
  readonly usedExtents: readonly Extent[];
}

interface Recipe {
  readonly title: string;
  readonly type: 'ext2' | 'ext3' | 'ext4';
  readonly sizeMiB: number;
  readonly options: readonly string[];
  /** The kernel here cannot mount it: filled by `mke2fs -d` alone. */
  readonly unmountable?: boolean;
  readonly scale?: number;
  /** Grown or shrunk by resize2fs afterwards. */
  readonly resizedToMiB?: number;
}

async function makeGolden(scratch: Scratch, recipe: Recipe): Promise<Golden> {
  const name = recipe.title.replaceAll(/[^\w]+/g, '-');
  const image = await scratch.sparseFile(`${name}.img`, recipe.sizeMiB << 20);
  const source = scratch.path(`${name}-source`);
  await mkdir(source);
  await fill(source, recipe.scale ?? 300);
  await runTool('mke2fs', ['-q', '-F', '-t', recipe.type, '-L', 'golden', ...recipe.options, '-d', source, image]);
  let tree = await treeOfFolder(source);
  if (!recipe.unmountable) {
    const device = await scratch.attach(image);
    const mounted = await scratch.mount(device, recipe.type);
    await mkdir(join(mounted, 'made-by-kernel'));
    await fill(join(mounted, 'made-by-kernel'), 300);
    await churn(join(mounted, 'made-by-kernel'));
    // Seen through a second mount: the first shows times from its memory that the disk cannot hold.
    await scratch.unmount(mounted);
    const again = await scratch.mount(device, recipe.type, 'ro');
    tree = await treeOfFolder(again);
    await scratch.unmount(again);
    await scratch.detach(device);
  }
  if (recipe.resizedToMiB) {
    if (recipe.resizedToMiB > recipe.sizeMiB) await truncate(image, recipe.resizedToMiB << 20);
    await runTool('e2fsck', ['-fy', image]).catch(() => {});
    await runTool('resize2fs', [image, `${recipe.resizedToMiB}M`]);
  }
  const bigalloc = recipe.options.join(' ').includes('bigalloc');
  const usedExtents = bigalloc
    ? await usedByDumpe2fs(image)
    : await partcloneUsedExtents(`partclone.${recipe.type}`, image, scratch);
  return { image, tree, usedExtents };
}

/** partclone counts clusters as blocks and refuses every bigalloc volume as erroneous: here e2fsprogs is the other opinion. */
async function usedByDumpe2fs(image: string): Promise<Extent[]> {
  const text = await runTool('dumpe2fs', [image]);
  const blockBytes = Number(/^Block size: +(\d+)/m.exec(text)?.[1]);
  const used: { offsetBytes: number; lengthBytes: number }[] = [];
  // A range of clusters is named by the first blocks of its first and last cluster.
  const clusterBlocks = Number(/^Cluster size: +(\d+)/m.exec(text)?.[1]) / blockBytes;
  const blockCount = Number(/^Block count: +(\d+)/m.exec(text)?.[1]);
  let at = 0;
  const usedUpTo = (block: number) => {
    if (block > at) used.push({ offsetBytes: at * blockBytes, lengthBytes: (block - at) * blockBytes });
  };
  for (const line of text.matchAll(/^ {2}Free blocks: (.+)$/gm)) {
    for (const range of (line[1] ?? '').split(', ')) {
      const [first, last] = range.split('-').map(Number);
      if (first === undefined || Number.isNaN(first)) continue;
      usedUpTo(first);
      at = Math.min((last ?? first) + clusterBlocks, blockCount);
    }
  }
  usedUpTo(blockCount);
  return used;
}

const recipes: readonly Recipe[] = [
  { title: 'ext2, 1 KiB blocks', type: 'ext2', sizeMiB: 40, options: ['-b', '1024'] },
  { title: 'ext2, 4 KiB blocks, revision 0', type: 'ext2', sizeMiB: 40, options: ['-b', '4096', '-r', '0', '-O', 'none'] },
  {
    title: 'ext2, no sparse_super, 128-byte inodes',
    type: 'ext2',
    sizeMiB: 90,
    options: ['-b', '1024', '-I', '128', '-O', '^sparse_super,^resize_inode'],
  },
  { title: 'ext3, 2 KiB blocks', type: 'ext3', sizeMiB: 64, options: ['-b', '2048'] },
  {
    title: 'ext3, htree of 10,000 entries',
    type: 'ext3',
    sizeMiB: 96,
    options: ['-b', '1024', '-O', 'dir_index', '-N', '24000'],
    scale: 10_000,
  },
  { title: 'ext4, defaults, 1 KiB blocks', type: 'ext4', sizeMiB: 64, options: ['-b', '1024'] },
  { title: 'ext4, defaults, 4 KiB blocks', type: 'ext4', sizeMiB: 600, options: ['-b', '4096'], scale: 10_000 },
  { title: 'ext4, ^64bit', type: 'ext4', sizeMiB: 300, options: ['-b', '4096', '-O', '^64bit'] },
  { title: 'ext4, bigalloc', type: 'ext4', sizeMiB: 400, options: ['-O', 'bigalloc', '-C', '65536', '-b', '4096'] },
  { title: 'ext4, bigalloc, 1 KiB blocks', type: 'ext4', sizeMiB: 200, options: ['-O', 'bigalloc', '-C', '16384', '-b', '1024'] },
  { title: 'ext4, meta_bg', type: 'ext4', sizeMiB: 200, options: ['-b', '1024', '-O', 'meta_bg,^resize_inode'] },
  {
    title: 'ext4, meta_bg, ^64bit, ^flex_bg',
    type: 'ext4',
    sizeMiB: 300,
    options: ['-b', '1024', '-O', 'meta_bg,^resize_inode,^64bit,^flex_bg'],
  },
  { title: 'ext4, sparse_super2', type: 'ext4', sizeMiB: 200, options: ['-b', '1024', '-O', 'sparse_super2,^resize_inode'] },
  { title: 'ext4, inline_data', type: 'ext4', sizeMiB: 64, options: ['-O', 'inline_data', '-I', '256'] },
  {
    title: 'ext4, inline_data, 1 KiB inodes',
    type: 'ext4',
    sizeMiB: 64,
    options: ['-O', 'inline_data', '-I', '1024', '-b', '4096'],
  },
  { title: 'ext4, ^extents', type: 'ext4', sizeMiB: 64, options: ['-b', '1024', '-O', '^extents,^64bit'] },
  { title: 'ext4, ^flex_bg', type: 'ext4', sizeMiB: 200, options: ['-b', '1024', '-O', '^flex_bg'] },
  { title: 'ext4, flex_bg of 64', type: 'ext4', sizeMiB: 700, options: ['-b', '1024', '-G', '64'] },
  {
    title: 'ext4, uninit_bg instead of metadata_csum',
    type: 'ext4',
    sizeMiB: 200,
    options: ['-b', '1024', '-O', '^metadata_csum,uninit_bg'],
  },
  {
    title: 'ext4, uninit_bg, ^64bit',
    type: 'ext4',
    sizeMiB: 200,
    options: ['-b', '2048', '-O', '^metadata_csum,uninit_bg,^64bit'],
  },
  { title: 'ext4, no checksums', type: 'ext4', sizeMiB: 200, options: ['-b', '1024', '-O', '^metadata_csum,^uninit_bg'] },
  { title: 'ext4, metadata_csum_seed', type: 'ext4', sizeMiB: 64, options: ['-O', 'metadata_csum_seed'] },
  { title: 'ext4, -T largefile', type: 'ext4', sizeMiB: 300, options: ['-T', 'largefile', '-N', '2000'] },
  { title: 'ext4, 128-byte inodes', type: 'ext4', sizeMiB: 64, options: ['-I', '128'] },
  { title: 'ext4, no filetype in entries', type: 'ext4', sizeMiB: 64, options: ['-O', '^filetype'] },
  { title: 'ext4, 64 KiB blocks', type: 'ext4', sizeMiB: 300, options: ['-b', '65536'], unmountable: true },
  { title: 'ext4, grown', type: 'ext4', sizeMiB: 64, options: ['-b', '1024'], resizedToMiB: 330 },
  { title: 'ext4, shrunk', type: 'ext4', sizeMiB: 500, options: ['-b', '4096'], resizedToMiB: 150 },
  { title: 'ext2, grown', type: 'ext2', sizeMiB: 40, options: ['-b', '1024'], resizedToMiB: 100 },
  { title: 'ext4, quota, project', type: 'ext4', sizeMiB: 64, options: ['-O', 'quota,project'], unmountable: true },
  {
    title: 'ext4, large_dir, ea_inode, orphan_file, fast_commit',
    type: 'ext4',
    sizeMiB: 64,
    options: ['-O', 'large_dir,ea_inode,orphan_file,fast_commit'],
  },
  {
    title: 'ext4, casefold, verity, encrypt',
    type: 'ext4',
    sizeMiB: 64,
    options: ['-O', 'casefold,verity,encrypt'],
    unmountable: true,
  },
];

describeNeeding(needs, 'ext golden images', () => {
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
    await Promise.all(Array.from({ length: 16 }, worker));
  }, 240_000);
  afterAll(() => scratch?.dispose());

  test.each(recipes)(
    '$title: map equals partclone’s, tree equals the kernel’s',
    { timeout: 60_000 },
    async ({ title, type, unmountable }) => {
      const golden = goldens.get(title);
      if (!golden || golden instanceof Error) throw golden ?? new Error('not made');
      const device = await openFileDevice(golden.image);
      try {
        expect(await extReader.probe(device)).toBe(true);
        const filesystem = await extReader.open(device);
        expect(filesystem.info).toMatchObject({ kind: type, label: 'golden', clean: true });
        const map = await filesystem.usedMap();
        expect(map.warnings).toEqual([]);
        expect(map.extents).toEqual(golden.usedExtents);
        expect(map.usedBytes).toBe(filesystem.info.usedBytes);
        const tree = await treeOfFilesystem(filesystem);
        // Never mounted: the tree is that of the source folder, which has no lost+found and finer times than mke2fs copies.
        const found = unmountable ? new Map([...tree].filter(([path]) => path !== 'lost+found')) : tree;
        expectSameTree(found, golden.tree, { ignore: unmountable ? ['modifiedAtMs'] : [] });
      } finally {
        await device.close();
      }
    },
  );
});
