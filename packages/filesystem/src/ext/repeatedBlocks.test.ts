import { readFile } from 'node:fs/promises';
import { memoryDevice } from '@diskfleet/disk';
import { expect, test } from 'vitest';
import { describeNeeding, expectCode, guardedDevice, makeScratch } from '../testing/index.ts';
import { readGroupTable } from './groups.ts';
import { extReader } from './index.ts';
import { readSuperblock } from './superblock.ts';
import { makeExtImage } from './testing/extImage.ts';

const BLOCK = 1024;
/** Folder blocks with no entry in them, and the leaves whose 84 extents all map these. */
const EMPTY = { first: 4000, count: 512 };
const LEAVES = { first: 3000, count: 84 };

function extentNode(depth: number, entries: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16LE(0xf30a, 0);
  header.writeUInt16LE(entries.length, 2);
  header.writeUInt16LE(84, 4);
  header.writeUInt16LE(depth, 6);
  return Buffer.concat([header, ...entries]);
}

function indexEntry(logical: number, block: number): Buffer {
  const entry = Buffer.alloc(12);
  entry.writeUInt32LE(logical, 0);
  entry.writeUInt32LE(block, 4);
  return entry;
}

function extent(logical: number): Buffer {
  const entry = Buffer.alloc(12);
  entry.writeUInt32LE(logical, 0);
  entry.writeUInt16LE(EMPTY.count, 4);
  entry.writeUInt32LE(EMPTY.first, 8);
  return entry;
}

describeNeeding({ tools: ['mke2fs'] }, 'ext: the same blocks many times', () => {
  test('a folder that maps more blocks than the volume has is refused before it is read', async () => {
    const scratch = await makeScratch();
    try {
      const options = ['-b', '1024', '-N', '128', '-O', '^metadata_csum,^has_journal,^inline_data'];
      const { image } = await makeExtImage(scratch, { name: 'r', type: 'ext4', sizeMiB: 6, options, fill: async () => {} });
      const bytes = await readFile(image);
      const superblock = await readSuperblock(memoryDevice(bytes));
      const table = (await readGroupTable(memoryDevice(bytes), superblock)).group(0).inodeTableBlock;
      for (let block = 0; block < EMPTY.count; block++) bytes.writeUInt16LE(BLOCK, (EMPTY.first + block) * BLOCK + 4);
      const leaves = Array.from({ length: LEAVES.count }, (_, leaf) => leaf * 84 * EMPTY.count);
      for (const [leaf, from] of leaves.entries()) {
        const extents = Array.from({ length: 84 }, (_, index) => extent(from + index * EMPTY.count));
        extentNode(0, extents).copy(bytes, (LEAVES.first + leaf + 1) * BLOCK);
      }
      const indices = leaves.map((from, leaf) => indexEntry(from, LEAVES.first + leaf + 1));
      extentNode(1, indices).copy(bytes, LEAVES.first * BLOCK);
      const root = table * BLOCK + superblock.inodeBytes;
      extentNode(2, [indexEntry(0, LEAVES.first)]).copy(bytes, root + 0x28);
      bytes.writeUInt32LE(0xffff_fc00, root + 0x04);

      const device = guardedDevice(memoryDevice(bytes), { reads: 10_000, bytes: 32 << 20, readBytes: 8 << 20 });
      const filesystem = await extReader.open(device);
      const entries = filesystem.readDirectory(await filesystem.root())[Symbol.asyncIterator]();
      await expectCode(entries.next(), 'FS_DAMAGED');
      expect(device.seen.bytes).toBeLessThan(bytes.length);
    } finally {
      await scratch.dispose();
    }
  });
});
