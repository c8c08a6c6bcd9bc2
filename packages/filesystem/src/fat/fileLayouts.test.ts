import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryDevice, openFileDevice } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import type { FileLayout, Filesystem } from '../filesystem.ts';
import { describeNeeding, guardedDevice, layoutContract, makeScratch } from '../testing/index.ts';
import { decodeBootSector } from './bootSector.ts';
import { fatReader } from './reader.ts';
import {
  bytesOf,
  copyIn,
  FAT_TOOLS,
  type FatImage,
  find,
  MIB,
  makeFat,
  makeSourceTree,
  mtools,
  noise,
  open,
  setEntry,
  variants,
} from './testing/fatImage.ts';

async function layoutsOf(filesystem: Filesystem): Promise<Map<string, FileLayout>> {
  const layouts = new Map<string, FileLayout>();
  for await (const layout of filesystem.fileLayouts?.() ?? []) layouts.set(layout.path, layout);
  return layouts;
}

describeNeeding({ tools: FAT_TOOLS }, 'FAT file layouts', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());

  /** Two files that were written by turns, each with pieces of the other in between. */
  const scatter = async (image: FatImage): Promise<void> => {
    const path = scratch.path('piece');
    for (let index = 0; index < 8; index++) {
      await writeFile(path, noise(20_000, index));
      await mtools(image, 'mcopy', [path, `::/gap${index}`]);
    }
    for (let index = 0; index < 8; index += 2) await mtools(image, 'mdel', [`::/gap${index}`]);
    await writeFile(path, noise(75_000, 9));
    await mtools(image, 'mcopy', [path, '::/scattered']);
    await rm(path);
  };

  for (const [index, variant] of variants.entries()) {
    layoutContract(variant.title, async () => {
      const image = await makeFat(scratch, `contract${index}.img`, variant);
      await scatter(image);
      await copyIn(image, await makeSourceTree(scratch));
      const geometry = decodeBootSector(await bytesOf(image));
      const device = await openFileDevice(image.path);
      return {
        device,
        open: fatReader.open,
        alignBytes: geometry?.sectorBytes ?? 0,
        unitBytes: geometry?.clusterBytes ?? 0,
        dispose: () => device.close(),
      };
    });
  }

  const small = async (name: string): Promise<FatImage> => {
    const image = await makeFat(scratch, name, { sizeBytes: 20 * MIB, mkfs: ['-F', '16', '-s', '4'] });
    await scatter(image);
    await copyIn(image, await makeSourceTree(scratch));
    return image;
  };

  test('the scattered file has several extents, and its stamp tells a change', async () => {
    const image = await small('stamps.img');
    const before = await layoutsOf(await open(await bytesOf(image)));
    expect(before.get('scattered')?.extents.length).toBeGreaterThan(2);
    await writeFile(join(scratch.folder, 'other'), noise(75_000, 10));
    const later = new Date(Date.now() + 4000);
    await utimes(join(scratch.folder, 'other'), later, later);
    await mtools(image, 'mcopy', ['-m', '-o', join(scratch.folder, 'other'), '::/scattered']);
    const after = await layoutsOf(await open(await bytesOf(image)));
    expect(after.get('scattered')?.stamp).not.toBe(before.get('scattered')?.stamp);
    expect(after.get('big.bin')?.stamp).toBe(before.get('big.bin')?.stamp);
  });

  test('the FAT and the folders are read once', async () => {
    const image = await small('once.img');
    const bytes = await bytesOf(image);
    const opened = await fatReader.open(memoryDevice(bytes));
    const expected = await layoutsOf(opened);
    const device = guardedDevice(memoryDevice(bytes), { reads: 500, bytes: 16 * MIB, readBytes: MIB });
    const filesystem = await fatReader.open(device);
    const [reads, before] = [device.seen.reads, device.seen.bytes];
    expect(await layoutsOf(filesystem)).toEqual(expected);
    expect(device.seen.reads - reads).toBeLessThan(20);
    expect(device.seen.bytes - before).toBeLessThan(2 * MIB);
  });

  test('a file whose chain is broken is left out, a folder with two places ends the walk', async () => {
    const image = await small('damage.img');
    const bytes = await bytesOf(image);
    const filesystem = await open(bytes);
    const geometry = decodeBootSector(bytes);
    if (geometry === null) throw new Error('no FAT');
    const big = await find(filesystem, 'big.bin');
    const slot = Number(big.ref);
    setEntry(bytes, bytes.readUInt16LE(slot + 26) + 5, { value: 1 });
    const layouts = await layoutsOf(await open(bytes));
    expect(layouts.has('big.bin')).toBe(false);
    expect(layouts.has('scattered')).toBe(true);
    const [deep, empty] = [await find(filesystem, 'Deep'), await find(filesystem, 'EMPTY.DIR')];
    bytes.copy(bytes, Number(empty.ref) + 26, Number(deep.ref) + 26, Number(deep.ref) + 28);
    await expect(layoutsOf(await open(bytes))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
  });
});
