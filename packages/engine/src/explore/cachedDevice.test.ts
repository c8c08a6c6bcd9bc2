import { type BlockDevice, DiskError, memoryDevice } from '@diskfleet/disk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noise } from '../testing/diskImages.ts';
import { cachedDevice } from './cachedDevice.ts';

function counted(bytes: Buffer): { device: BlockDevice; reads: () => number; failNext: () => void } {
  const inner = memoryDevice(bytes);
  let [reads, failing] = [0, false];
  const read = async (offsetBytes: number, target: Uint8Array) => {
    reads++;
    const fail = failing;
    failing = false;
    if (fail) throw new DiskError('DISK_READ_FAILED', 'a bad moment', { retry: 'later' });
    await inner.read(offsetBytes, target);
  };
  return {
    device: { ...inner, read },
    reads: () => reads,
    failNext: () => {
      failing = true;
    },
  };
}

describe('cachedDevice', () => {
  const bytes = noise(20 * 256 * 1024 + 777, 1);

  test('gives the bytes of the device below, whatever is asked in whatever order', async () => {
    const read = fc.tuple(fc.nat(bytes.length), fc.nat(600_000));
    await fc.assert(
      fc.asyncProperty(fc.array(read, { maxLength: 20 }), async (reads) => {
        const device = cachedDevice(memoryDevice(bytes));
        const all = reads.map(async ([from, length]) => {
          const target = Buffer.alloc(Math.min(length, bytes.length - from));
          await device.read(from, target);
          return target.equals(bytes.subarray(from, from + target.length));
        });
        expect(await Promise.all(all)).not.toContain(false);
      }),
      { numRuns: 50 },
    );
  });

  test('small reads in one place cost one read below', async () => {
    const { device, reads } = counted(bytes);
    const cached = cachedDevice(device);
    for (let at = 3 * 262_144; at < 4 * 262_144; at += 4096) await cached.read(at, Buffer.alloc(4096));
    expect(reads()).toBe(1);
  });

  test('a failed read is tried again, not remembered', async () => {
    const { device, failNext } = counted(bytes);
    const cached = cachedDevice(device);
    failNext();
    await expect(cached.read(5_000_000, Buffer.alloc(10))).rejects.toMatchObject({ code: 'DISK_READ_FAILED' });
    await cached.read(5_000_000, Buffer.alloc(10));
  });

  test('out of range', async () => {
    await expect(cachedDevice(memoryDevice(bytes)).read(bytes.length - 1, Buffer.alloc(2))).rejects.toMatchObject({
      code: 'DISK_OUT_OF_RANGE',
    });
  });
});
