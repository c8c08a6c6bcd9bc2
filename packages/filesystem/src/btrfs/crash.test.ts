/** Volumes caught in the middle: what was synced since the last commit is in the log trees alone. */
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice, readBytes, subtractExtents, sumBytes } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noise } from '../ext/testing/extContent.ts';
import { describeNeeding, makeScratch, runTool, type Scratch } from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { subvolume, treeByKernel, withMounted } from './testing/btrfsImage.ts';
import { usedByDumpTree } from './testing/dumpTree.ts';
import { restoreUsedOnly } from './testing/restored.ts';

describeNeeding({ tools: ['mkfs.btrfs', 'btrfs', 'losetup', 'mount', 'cp'], root: true }, 'btrfs after a crash', () => {
  let scratch: Scratch;
  let crashed: string;
  beforeAll(async () => {
    scratch = await makeScratch();
    const image = await scratch.sparseFile('live.img', 160 << 20);
    crashed = scratch.path('crashed.img');
    await runTool('mkfs.btrfs', ['-q', '-f', image]);
    await withMounted(scratch, image, 'commit=300,flushoncommit', async (folder) => {
      const inner = await subvolume(folder, 'inner');
      await writeFile(join(folder, 'old'), noise(2_000_000, 1));
      await runTool('sync', ['-f', folder]);
      await rm(join(folder, 'old'));
      for (const [name, root] of [
        ['outer', folder],
        ['inner', inner],
      ] as const) {
        await mkdir(join(root, 'new'));
        for (let index = 0; index < 200; index++) {
          const file = await open(join(root, 'new', `${name}-${index}`), 'w');
          await file.write(noise(3000 + index * 100, index));
          await file.sync();
          await file.close();
        }
      }
      await runTool('cp', ['--sparse=always', image, crashed]);
    });
  });
  afterAll(() => scratch?.dispose());

  test('the map holds the logs and the data they name; restored from it, the kernel replays them', async () => {
    const device = await openFileDevice(crashed);
    const filesystem = await btrfsReader.open(device);
    expect(filesystem.info.clean).toBe(false);
    const map = await filesystem.usedMap();
    expect(map.warnings).toEqual([]);
    const committed = await usedByDumpTree(crashed);
    expect(subtractExtents(committed, map.extents)).toEqual([]);
    // 400 files of 3 to 23 KB are in no extent tree.
    expect(sumBytes(subtractExtents(map.extents, committed))).toBeGreaterThan(4_000_000);

    const restored = scratch.path('restored.img');
    await restoreUsedOnly(crashed, map.extents, restored);
    await device.close();
    await withMounted(scratch, restored, undefined, async (folder) => {
      expect(await runTool('btrfs', ['scrub', 'start', '-B', '-r', folder])).toMatch(/no errors found/);
    });
    const tree = await treeByKernel(scratch, restored);
    for (const name of ['new/outer', 'inner/new/inner']) {
      for (let index = 0; index < 200; index++) expect(tree.get(`${name}-${index}`)?.sizeBytes).toBe(3000 + index * 100);
    }
    await runTool('btrfs', ['check', '--readonly', '--check-data-csum', restored]);
    // And the original, replayed, is the same.
    await withMounted(scratch, crashed, undefined, async () => {});
    const replayed = await treeByKernel(scratch, crashed);
    expect([...tree].map(([path, entry]) => [path, entry.sha256])).toEqual(
      [...replayed].map(([path, entry]) => [path, entry.sha256]),
    );
  });

  test('a log that cannot be followed: every chunk is taken whole', async () => {
    const image = scratch.path('broken-log.img');
    const source = await scratch.sparseFile('again.img', 128 << 20);
    await runTool('mkfs.btrfs', ['-q', '-f', source]);
    await withMounted(scratch, source, 'commit=300', async (folder) => {
      const file = await open(join(folder, 'synced'), 'w');
      await file.write(noise(100_000, 1));
      await file.sync();
      await file.close();
      await runTool('cp', ['--sparse=always', source, image]);
    });
    const device = await openFileDevice(image);
    const logRoot = (await readBytes(device, 65536 + 0x60, 8)).readBigUInt64LE(0);
    expect(logRoot).not.toBe(0n);
    const broken = {
      ...device,
      sizeBytes: device.sizeBytes,
      async read(offsetBytes: number, target: Uint8Array) {
        await device.read(offsetBytes, target);
        const bytes = Buffer.from(target.buffer, target.byteOffset, target.length);
        if (bytes.length === 16384 && bytes.readBigUInt64LE(0x30) === logRoot) bytes.fill(0xee, 0x200);
      },
    };
    const healthy = await (await btrfsReader.open(device)).usedMap();
    const map = await (await btrfsReader.open(broken)).usedMap();
    expect(map.warnings).toEqual([expect.stringMatching(/^The log of what was synced last cannot be followed: \d+ chunks/)]);
    expect(subtractExtents(healthy.extents, map.extents)).toEqual([]);
    await device.close();
  });
});
