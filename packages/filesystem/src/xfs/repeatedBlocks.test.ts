import { readFile } from 'node:fs/promises';
import { memoryDevice } from '@diskfleet/disk';
import { expect, test } from 'vitest';
import { describeNeeding, makeScratch } from '../testing/index.ts';
import { xfsReader } from './index.ts';
import { makePlainImage } from './testing/xfsImage.ts';

/** An extent as XFS packs it: 54 bits of logical block, 52 of block, 21 of count. */
function extent(logical: number, block: number, count: number): Buffer {
  const packed = (BigInt(logical) << 73n) | (BigInt(block) << 21n) | BigInt(count);
  return Buffer.from(packed.toString(16).padStart(32, '0'), 'hex');
}

describeNeeding({ tools: ['mkfs.xfs'] }, 'XFS: the same blocks many times', () => {
  test('a folder that maps more blocks than the volume has is refused before it is read', async () => {
    const scratch = await makeScratch();
    try {
      const options = ['-m', 'crc=0', '-d', 'agcount=1'];
      const bytes = await readFile((await makePlainImage(scratch, { name: 'r', sizeMiB: 16, options, scale: 60 })).image);
      const blockBytes = bytes.readUInt32BE(4);
      const groupBlocks = bytes.readUInt32BE(84);
      const root = Number(bytes.readBigUInt64BE(56)) * bytes.readUInt16BE(104);
      const count = groupBlocks - 1;
      bytes.writeUInt8(2, root + 5);
      bytes.writeBigUInt64BE(BigInt(3 * count), root + 64);
      bytes.writeBigUInt64BE(BigInt(3 * count * blockBytes), root + 56);
      bytes.writeUInt32BE(3, root + 76);
      for (let index = 0; index < 3; index++) extent(index * count, 1, count).copy(bytes, root + 100 + index * 16);
      const filesystem = await xfsReader.open(memoryDevice(bytes));
      const entries = filesystem.readDirectory(await filesystem.root())[Symbol.asyncIterator]();
      await expect(entries.next()).rejects.toMatchObject({
        code: 'FS_DAMAGED',
        message: expect.stringContaining('more blocks than the volume'),
      });
    } finally {
      await scratch.dispose();
    }
  });
});
