import { open } from 'node:fs/promises';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFilesystem } from '../index.ts';
import { describeNeeding, makeScratch, runTool, type Scratch } from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { usedByDumpTree } from './testing/dumpTree.ts';

describeNeeding({ tools: ['mkfs.btrfs', 'btrfs', 'mke2fs', 'mkfs.fat'] }, 'btrfs superblocks', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  test('a device of 300 GiB has three copies: all are in the map, any one opens the volume', async () => {
    const image = await scratch.sparseFile('large.img', 300 * 2 ** 30);
    await runTool('mkfs.btrfs', ['-q', '-f', '-L', 'large', image]);
    const device = await openFileDevice(image);
    const { info } = await btrfsReader.open(device);
    const map = await (await btrfsReader.open(device)).usedMap();
    expect(map.warnings).toEqual([]);
    expect(map.extents).toEqual(await usedByDumpTree(image));
    expect(map.extents).toContainEqual({ offsetBytes: 256 * 2 ** 30, lengthBytes: 4096 });
    const file = await open(image, 'r+');
    for (const offset of [64 * 2 ** 10, 64 * 2 ** 20]) await file.write(Buffer.alloc(64, 0xee), 0, 64, offset + 0x200);
    await file.close();
    expect((await btrfsReader.open(device)).info).toEqual(info);
    await device.close();
  });

  test('what was formatted over is not btrfs any more, though a copy of its superblock is left', async () => {
    for (const [tool, kind] of [
      ['mke2fs', 'ext2'],
      ['mkfs.fat', 'fat16'],
    ] as const) {
      const image = await scratch.sparseFile(`over-${tool}.img`, 128 << 20);
      await runTool('mkfs.btrfs', ['-q', '-f', image]);
      const device = await openFileDevice(image);
      expect((await openFilesystem(device))?.info.kind).toBe('btrfs');
      await runTool(tool, tool === 'mke2fs' ? ['-q', '-F', '-t', 'ext2', image] : ['-F', '16', image]);
      expect((await openFilesystem(device))?.info.kind).toBe(kind);
      await device.close();
    }
  });
});
