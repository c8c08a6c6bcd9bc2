import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import type { FileLayout, Filesystem } from '../filesystem.ts';
import { describeNeeding, layoutContract, makeScratch } from '../testing/index.ts';
import { exfatReader } from './reader.ts';
import { EXFAT_NEEDS, fillMixed, find, load, MIB, makeExfat, noise, open, variants } from './testing/exfatImage.ts';

async function layoutsOf(filesystem: Filesystem): Promise<Map<string, FileLayout>> {
  const layouts = new Map<string, FileLayout>();
  for await (const layout of filesystem.fileLayouts?.() ?? []) layouts.set(layout.path, layout);
  return layouts;
}

describeNeeding(EXFAT_NEEDS, 'exFAT file layouts', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());

  for (const variant of variants) {
    layoutContract(`exFAT, ${variant.title}`, async () => {
      const { path } = await makeExfat(scratch, variant, fillMixed);
      const { geometry } = await load(path);
      const device = await openFileDevice(path);
      return { device, open: exfatReader.open, unitBytes: geometry.clusterBytes, dispose: () => device.close() };
    });
  }

  const variant = { title: 'stamps', sizeBytes: 16 * MIB, mkfs: ['-c', '4096'] };

  test('contiguous and scattered files alike; what is not valid has no extent; a broken chain none', async () => {
    const { path } = await makeExfat(scratch, variant, async (folder) => {
      await fillMixed(folder);
      await writeFile(join(folder, 'grown'), noise(10_000, 8));
      await truncate(join(folder, 'grown'), 200_000);
    });
    const { bytes, geometry } = await load(path);
    const layouts = await layoutsOf(await open(bytes));
    expect(layouts.get('big.bin')?.extents.length).toBeGreaterThan(2);
    expect(layouts.get('fifteen units!!')?.extents.length).toBe(1);
    const grown = await find(await open(bytes), 'grown');
    const setOffset = Number(/@(\d+):/.exec(grown.ref)?.[1]);
    // exfat-fuse writes the zeros; Windows leaves them to the valid length. The name's hash still vouches for the set.
    bytes.writeBigUInt64LE(10_000n, setOffset + 32 + 8);
    const cut = (await layoutsOf(await open(bytes))).get('grown');
    expect(cut?.sizeBytes).toBe(200_000);
    expect(cut?.extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)).toBe(12_288);
    expect(cut?.stamp).not.toBe(layouts.get('grown')?.stamp);
    const first = Number(/@\d+:(\d+):t/.exec((await find(await open(bytes), 'big.bin')).ref)?.[1]);
    bytes.writeUInt32LE(1, geometry.fatOffsetBytes + first * 4);
    expect((await layoutsOf(await open(bytes))).has('big.bin')).toBe(false);
  });
});
