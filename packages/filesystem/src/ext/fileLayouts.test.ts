import { execFileSync } from 'node:child_process';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FileLayout } from '../filesystem.ts';
import {
  describeNeeding,
  deviceWithBadPlaces,
  guardedDevice,
  type LayoutFixture,
  layoutContract,
  makeScratch,
  type Scratch,
} from '../testing/index.ts';
import { extReader } from './index.ts';
import { churn, noise } from './testing/extContent.ts';
import { type ImageOptions, makeExtImage } from './testing/extImage.ts';

type Recipe = Omit<ImageOptions, 'name'> & { readonly inline?: boolean };

/** Filled by mke2fs, then through a mount: fragments, parts never written, room behind the end of a file. */
async function makeFixture(recipe: Recipe): Promise<LayoutFixture> {
  const scratch = await makeScratch();
  const { image } = await makeExtImage(scratch, { name: 'layouts', ...recipe });
  const loop = await scratch.attach(image);
  const mounted = await scratch.mount(loop, recipe.type);
  await mkdir(join(mounted, 'live', 'same'), { recursive: true });
  await churn(join(mounted, 'live'));
  await writeFile(join(mounted, 'live', 'same.txt'), noise(70_001, 7));
  await writeFile(join(mounted, 'live', 'same', 'z'), noise(300_000, 8));
  if (recipe.type === 'ext4') {
    await writeFile(join(mounted, 'live', 'unwritten'), noise(20_000, 9));
    execFileSync('fallocate', ['-l', '900000', join(mounted, 'live', 'unwritten')]);
    await writeFile(join(mounted, 'live', 'roomy'), noise(20_000, 10));
    execFileSync('fallocate', ['-n', '-l', '400000', join(mounted, 'live', 'roomy')]);
  }
  await scratch.unmount(mounted);
  const device = await openFileDevice(image);
  return {
    device,
    open: extReader.open,
    withoutLayout: (path) => recipe.inline === true && !/^(big|hard-link|sparse|live\/.*)$/.test(path),
    sparse: ['sparse', ...(recipe.type === 'ext4' ? ['live/unwritten'] : [])],
    hardLinks: [['big', 'hard-link']],
    async dispose() {
      await device.close();
      await scratch.dispose();
    },
  };
}

const needs = { tools: ['mke2fs', 'losetup', 'mount', 'fallocate'], root: true };

describeNeeding(needs, 'ext layouts', () => {
  layoutContract('ext2, 1 KiB blocks', () => makeFixture({ type: 'ext2', sizeMiB: 32, options: ['-b', '1024'] }));
  layoutContract('ext3, 2 KiB blocks', () => makeFixture({ type: 'ext3', sizeMiB: 48, options: ['-b', '2048'] }));
  layoutContract('ext4', () => makeFixture({ type: 'ext4', sizeMiB: 64 }));
  layoutContract('ext4, bigalloc', () => makeFixture({ type: 'ext4', sizeMiB: 200, options: ['-O', 'bigalloc', '-C', '65536'] }));
  layoutContract('ext4, inline data', () =>
    makeFixture({ type: 'ext4', sizeMiB: 64, options: ['-O', 'inline_data'], inline: true }),
  );
});

async function layoutsOf(image: string): Promise<Map<string, FileLayout>> {
  const device = await openFileDevice(image);
  try {
    const { fileLayouts } = await extReader.open(device);
    const layouts = new Map<string, FileLayout>();
    for await (const layout of fileLayouts?.() ?? []) layouts.set(layout.path, layout);
    return layouts;
  } finally {
    await device.close();
  }
}

describeNeeding(needs, 'ext layouts over time', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  test('the stamp changes with the content, even when length and modification time are put back, and only then', async () => {
    const { image } = await makeExtImage(scratch, {
      name: 'stamps',
      type: 'ext4',
      sizeMiB: 16,
      fill: async (folder) => {
        for (const name of ['kept', 'rewritten']) await writeFile(join(folder, name), noise(9000, 1));
      },
    });
    const loop = await scratch.attach(image);
    const before = await layoutsOf(image);
    const mounted = await scratch.mount(loop, 'ext4');
    await writeFile(join(mounted, 'rewritten'), noise(9000, 2), { flag: 'r+' });
    await utimes(join(mounted, 'rewritten'), 1_700_000_000, 1_700_000_000);
    await scratch.unmount(mounted);
    const between = await layoutsOf(image);
    const again = await scratch.mount(loop, 'ext4');
    await writeFile(join(again, 'rewritten'), noise(9000, 3), { flag: 'r+' });
    await utimes(join(again, 'rewritten'), 1_700_000_000, 1_700_000_000);
    await scratch.unmount(again);
    const after = await layoutsOf(image);
    expect(after.get('kept')).toEqual(before.get('kept'));
    const stamps = [before, between, after].map((layouts) => layouts.get('rewritten')?.stamp);
    expect(new Set(stamps).size).toBe(3);
  });

  test('a folder met twice ends the walk by code', async () => {
    const { image } = await makeExtImage(scratch, {
      name: 'twice',
      type: 'ext2',
      sizeMiB: 4,
      options: ['-O', '^dir_index'],
      fill: async (folder) => {
        await mkdir(join(folder, 'a'));
        await writeFile(join(folder, 'a', 'file'), 'content');
      },
    });
    execFileSync('debugfs', ['-w', '-R', 'link a b', image], { stdio: 'ignore' });
    await expect(layoutsOf(image)).rejects.toMatchObject({ code: 'FS_DAMAGED' });
  });

  test('a bad sector in the inode table costs the files whose inodes are in it, and no others', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `file${index}`);
    const { image } = await makeExtImage(scratch, {
      name: 'badsector',
      type: 'ext4',
      sizeMiB: 32,
      options: ['-b', '4096'],
      fill: async (folder) => {
        for (const name of names) await writeFile(join(folder, name), noise(9000, 4));
      },
    });
    const told = execFileSync('debugfs', ['-R', 'imap file199', image], { encoding: 'utf8' });
    const block = Number(/located at block (\d+)/.exec(told)?.[1]);
    const device = await openFileDevice(image);
    const bad = deviceWithBadPlaces(device, [{ offsetBytes: block * 4096, lengthBytes: 4096 }]);
    const left = new Set<string>();
    const { fileLayouts } = await extReader.open(bad);
    for await (const { path } of fileLayouts?.() ?? []) left.add(path);
    await device.close();
    expect(bad.seen.hits).toBeGreaterThan(0);
    expect(left.has('file199')).toBe(false);
    expect(names.filter((name) => left.has(name)).length).toBeGreaterThanOrEqual(names.length - 16);
  });

  test('a hundred reads are plenty for thousands of small files', async () => {
    const { image } = await makeExtImage(scratch, {
      name: 'many',
      type: 'ext4',
      sizeMiB: 64,
      fill: async (folder) => {
        for (let index = 0; index < 40; index++) {
          await mkdir(join(folder, `folder${index}`));
          for (let file = 0; file < 100; file++) await writeFile(join(folder, `folder${index}`, `file${file}`), `${file}`);
        }
      },
    });
    await rm(scratch.path('many-source'), { recursive: true });
    const device = await openFileDevice(image);
    const guarded = guardedDevice(device, { reads: 100, bytes: 32 << 20, readBytes: 1 << 20 });
    const { fileLayouts } = await extReader.open(guarded);
    let files = 0;
    for await (const { sizeBytes } of fileLayouts?.() ?? []) if (sizeBytes > 0) files++;
    await device.close();
    expect(files).toBe(4000);
  });
});
