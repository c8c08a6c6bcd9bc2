/**
 * Images made by mkfs.btrfs with the options that change the layout, filled through a real mount, and compared with two other
 * implementations: btrfs-progs for the map, the kernel for the tree. Each is then restored from its used bytes alone.
 */
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { churn, fill, noise } from '../ext/testing/extContent.ts';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  runTool,
  type Scratch,
  type Tree,
  treeOfFilesystem,
} from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { type ImageOptions, makeBtrfsImage, subvolume, treeByKernel, withMounted } from './testing/btrfsImage.ts';
import { usedByDumpTree } from './testing/dumpTree.ts';
import { restoreUsedOnly } from './testing/restored.ts';

const needs = { tools: ['mkfs.btrfs', 'btrfs', 'btrfstune', 'btrfs-convert', 'mke2fs', 'losetup', 'mount'], root: true };

interface Recipe {
  readonly title: string;
  readonly sizeMiB: number;
  readonly options?: readonly string[];
  readonly mountOptions?: string;
  readonly fill?: (folder: string) => Promise<void>;
  readonly afterwards?: ImageOptions['afterwards'];
}

async function fillAndChurn(folder: string): Promise<void> {
  await fill(folder, 200);
  await churn(folder);
}

/**
 * A snapshot leaves the subvolumes inside behind and shows empty folders in their place, to which the kernel gives the time of
 * looking. A reader has no time for them.
 */
function withoutTimesOfLeftBehind(tree: Tree): Tree {
  const leftBehind = ['before/nested', 'home/after/nested'];
  return new Map([...tree].map(([path, entry]) => [path, leftBehind.includes(path) ? { ...entry, modifiedAtMs: null } : entry]));
}

/** Data that compresses well, badly and not at all, and shared by a reflink, partly overwritten. */
async function fillCompressible(folder: string): Promise<void> {
  await fill(folder, 100);
  const lines = Array.from({ length: 40_000 }, (_, index) => `line ${index} of a text that compresses\n`).join('');
  await writeFile(join(folder, 'text'), lines);
  await writeFile(join(folder, 'odd length'), lines.slice(0, 131_071 + 4096));
  await writeFile(join(folder, 'small text'), lines.slice(0, 1500));
  const mixed = [noise(70_000, 9), Buffer.alloc(300_000), Buffer.from(lines.slice(0, 90_000)), noise(40_000, 8)];
  await writeFile(join(folder, 'mixed'), Buffer.concat(mixed));
  await runTool('cp', ['--reflink=always', join(folder, 'text'), join(folder, 'copy')]);
  await runTool('sync', ['-f', folder]);
  await runTool('dd', ['if=/dev/urandom', `of=${join(folder, 'copy')}`, 'bs=5000', 'seek=20', 'count=3', 'conv=notrunc']);
}

async function fillSubvolumes(folder: string): Promise<void> {
  const home = await subvolume(folder, 'home');
  await fill(home, 40);
  await subvolume(home, 'nested');
  await writeFile(join(home, 'nested', 'inside'), noise(50_000, 2));
  await runTool('btrfs', ['subvolume', 'snapshot', '-r', home, join(folder, 'before')]);
  await writeFile(join(home, 'big'), noise(600_000, 7));
  await rm(join(home, 'tiny'));
  await runTool('btrfs', ['subvolume', 'snapshot', home, join(home, 'after')]);
  const gone = await subvolume(folder, 'gone');
  await writeFile(join(gone, 'x'), noise(900_000, 5));
  await runTool('btrfs', ['subvolume', 'delete', '-c', gone]);
  await runTool('btrfs', ['subvolume', 'set-default', home]);
}

async function fillReserved(folder: string): Promise<void> {
  await runTool('fallocate', ['-l', '3M', join(folder, 'reserved')]);
  await runTool('dd', ['if=/dev/urandom', `of=${join(folder, 'reserved')}`, 'bs=4096', 'seek=100', 'count=9', 'conv=notrunc']);
  await writeFile(join(folder, 'punched'), noise(1_000_000, 4));
  await runTool('fallocate', ['-p', '-o', '200000', '-l', '333333', join(folder, 'punched')]);
}

async function balance(folder: string): Promise<void> {
  await fillAndChurn(folder);
  await runTool('btrfs', ['balance', 'start', '--full-balance', folder]);
}

const recipes: readonly Recipe[] = [
  { title: 'defaults', sizeMiB: 160, fill: fillAndChurn },
  { title: '10,000 entries', sizeMiB: 160, fill: (folder) => fill(folder, 10_000) },
  { title: 'single copies', sizeMiB: 128, options: ['-m', 'single', '-d', 'single'], fill: fillAndChurn },
  { title: 'two copies of data too', sizeMiB: 256, options: ['-m', 'dup', '-d', 'dup'] },
  { title: 'mixed chunks', sizeMiB: 64, options: ['--mixed'], fill: fillAndChurn },
  { title: '4 KiB nodes', sizeMiB: 128, options: ['-n', '4096'], fill: (folder) => fill(folder, 2000) },
  { title: '64 KiB nodes', sizeMiB: 160, options: ['-n', '65536'] },
  { title: 'explicit holes, no free space tree', sizeMiB: 128, options: ['-O', '^no-holes', '-R', '^free-space-tree'] },
  { title: 'free space cache in files', sizeMiB: 128, options: ['-R', '^free-space-tree'], mountOptions: 'space_cache=v1' },
  {
    title: 'fat metadata extents',
    sizeMiB: 128,
    options: ['-O', '^skinny-metadata,^extref,^no-holes', '-R', '^free-space-tree'],
  },
  { title: 'xxhash64', sizeMiB: 128, options: ['--csum', 'xxhash'] },
  { title: 'sha256', sizeMiB: 128, options: ['--csum', 'sha256'] },
  { title: 'blake2b', sizeMiB: 128, options: ['--csum', 'blake2'] },
  { title: 'quotas', sizeMiB: 128, options: ['-R', 'quota'] },
  { title: 'zlib', sizeMiB: 128, mountOptions: 'compress=zlib', fill: fillCompressible },
  { title: 'zlib, forced', sizeMiB: 128, mountOptions: 'compress-force=zlib:9', fill: fillCompressible },
  { title: 'lzo', sizeMiB: 128, mountOptions: 'compress=lzo', fill: fillCompressible },
  { title: 'lzo, forced', sizeMiB: 128, mountOptions: 'compress-force=lzo', fill: fillCompressible },
  { title: 'zstd, forced', sizeMiB: 128, mountOptions: 'compress-force=zstd:12', fill: fillCompressible },
  { title: 'subvolumes, snapshots, another default', sizeMiB: 160, fill: fillSubvolumes },
  { title: 'reserved and punched files', sizeMiB: 128, fill: fillReserved },
  { title: 'no inline content', sizeMiB: 128, mountOptions: 'max_inline=0' },
  { title: 'everything moved by a balance', sizeMiB: 256, fill: balance },
  {
    title: 'grown',
    sizeMiB: 128,
    fill: async (folder) => fill(folder, 50),
    afterwards: async (image, made) => {
      await truncate(image, 400 << 20);
      await withMounted(made, image, undefined, async (folder) => {
        await runTool('btrfs', ['filesystem', 'resize', 'max', folder]);
        await writeFile(join(folder, 'after growing'), noise(40 << 20, 3));
      });
    },
  },
  {
    title: 'shrunk',
    sizeMiB: 400,
    fill: fillAndChurn,
    afterwards: async (image, made) => {
      await withMounted(made, image, undefined, async (folder) => {
        await runTool('btrfs', ['filesystem', 'resize', '300M', folder]);
      });
    },
  },
  {
    title: 'another uuid than its nodes',
    sizeMiB: 128,
    afterwards: async (image) => {
      await runTool('btrfstune', ['-m', image]);
    },
  },
];

describeNeeding(needs, 'btrfs golden images', () => {
  let scratch: Scratch;
  const goldens = new Map<string, { image: string; tree: Tree } | Error>();

  async function converted(): Promise<{ image: string; tree: Tree }> {
    const image = await scratch.sparseFile('converted.img', 200 << 20);
    await runTool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-L', 'golden', image]);
    const device = await scratch.attach(image);
    const folder = await scratch.mount(device, 'ext4');
    await fill(folder, 200);
    await scratch.unmount(folder);
    await scratch.detach(device);
    await runTool('btrfs-convert', ['-L', image]);
    return { image, tree: await treeByKernel(scratch, image) };
  }

  beforeAll(async () => {
    scratch = await makeScratch();
    const queue = recipes.map((recipe) => ({ recipe, name: recipe.title.replaceAll(/[^\w]+/g, '-') }));
    const keep = (title: string) => (made: { image: string; tree: Tree } | Error) => void goldens.set(title, made);
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { recipe, name } = next;
        await makeBtrfsImage(scratch, { ...recipe, name }).then(keep(recipe.title), keep(recipe.title));
      }
    };
    await Promise.all([...Array.from({ length: 6 }, worker), converted().then(keep('from ext4'), keep('from ext4'))]);
  }, 240_000);
  afterAll(() => scratch?.dispose());

  test.each([...recipes.map(({ title }) => title), 'from ext4'])(
    '%s: map equals that of btrfs-progs, tree equals the kernel’s, used bytes alone are a whole volume',
    { timeout: 60_000 },
    async (title) => {
      const golden = goldens.get(title);
      if (!golden || golden instanceof Error) throw golden ?? new Error('not made');
      const { image } = golden;
      const tree = withoutTimesOfLeftBehind(golden.tree);
      const device = await openFileDevice(image);
      const restored = `${image}.restored`;
      try {
        expect(await btrfsReader.probe(device)).toBe(true);
        const filesystem = await btrfsReader.open(device);
        expect(filesystem.info).toMatchObject({ kind: 'btrfs', label: 'golden', clean: true });
        const map = await filesystem.usedMap();
        expect(map.warnings).toEqual([]);
        expect(map.extents).toEqual(await usedByDumpTree(image));
        expectSameTree(await treeOfFilesystem(filesystem), tree);

        await restoreUsedOnly(image, map.extents, restored);
        await runTool('btrfs', ['check', '--readonly', '--check-data-csum', restored]);
        await withMounted(scratch, restored, undefined, async (folder) => {
          // The kernel reads every copy of everything and compares it with its checksum.
          expect(await runTool('btrfs', ['scrub', 'start', '-B', '-r', folder])).toMatch(/no errors found/);
        });
        expectSameTree(withoutTimesOfLeftBehind(await treeByKernel(scratch, restored)), tree);
      } finally {
        await device.close();
        await rm(restored, { force: true });
      }
    },
  );
});
