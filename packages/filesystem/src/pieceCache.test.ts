import { DiskError, memoryDevice } from '@diskfleet/disk';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pieceCache } from './pieceCache.ts';

const content = Buffer.alloc(10_000);
for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);

const reads = fc.array(
  fc.tuple(fc.nat(content.length - 1), fc.integer({ min: 1, max: 900 }), fc.nat(4)).map(([from, length, turns]) => ({
    from,
    length: Math.min(length, content.length - from),
    turns,
  })),
  { minLength: 1, maxLength: 60 },
);

test('reads that overlap in time get their own bytes, whatever is thrown out and used again meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(reads, fc.integer({ min: 1, max: 3 }), async (wanted, pieces) => {
      const slow = memoryDevice(content);
      const cache = pieceCache(
        {
          ...slow,
          async read(offsetBytes, target) {
            for (let turn = 0; turn < (offsetBytes / 512) % 3; turn++) await Promise.resolve();
            await slow.read(offsetBytes, target);
          },
        },
        { pieceBytes: 512, pieces },
      );
      await Promise.all(
        wanted.map(async ({ from, length, turns }) => {
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          const target = Buffer.alloc(length);
          await cache.read(from, target);
          expect(target.equals(content.subarray(from, from + length))).toBe(true);
        }),
      );
    }),
    { numRuns: 400 },
  );
});

test('a bad sector costs only who asks for it; what failed once is tried again; a range outside is refused', async () => {
  const device = memoryDevice(content);
  let isBad = true;
  const cache = pieceCache(
    {
      ...device,
      async read(offsetBytes, target) {
        const hit = offsetBytes < 100 && offsetBytes + target.length > 90;
        if (isBad && hit) throw new DiskError('DISK_READ_FAILED', 'a bad sector');
        await device.read(offsetBytes, target);
      },
    },
    { pieceBytes: 512, pieces: 2 },
  );
  const target = Buffer.alloc(8);
  await expect(cache.read(90, target)).rejects.toMatchObject({ code: 'DISK_READ_FAILED' });
  await cache.read(4, target);
  expect(target.equals(content.subarray(4, 12))).toBe(true);
  isBad = false;
  await cache.read(90, target);
  expect(target.equals(content.subarray(90, 98))).toBe(true);
  await expect(cache.read(9_999, target)).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE' });
});
