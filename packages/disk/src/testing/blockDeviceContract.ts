/** What every `BlockDevice` promises, run against each kind we have. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BlockDevice, readBytes, type WritableBlockDevice } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';

export interface BlockDeviceUnderTest {
  readonly device: BlockDevice | WritableBlockDevice;
  /** Opens the same medium again, to see what lasted; absent where nothing outlives the device. */
  reopen?(): Promise<BlockDevice>;
  cleanup?(): Promise<void> | void;
}

const CONTRACT_SIZE_BYTES = 512 << 10;

/** No two sectors alike, no sector all zero. */
function contractBytes(): Buffer {
  const bytes = Buffer.alloc(CONTRACT_SIZE_BYTES);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((Math.imul(at + 1, 0x9e3779b1) | 1) >>> 0, at);
  return bytes;
}

/** @param make gives a device that holds exactly the bytes it is passed */
export function blockDeviceContract(name: string, make: (content: Buffer) => Promise<BlockDeviceUnderTest>): void {
  describe(`${name} keeps the BlockDevice contract`, () => {
    const content = contractBytes();
    let under: BlockDeviceUnderTest;
    beforeEach(async () => {
      under = await make(Buffer.from(content));
    });
    afterEach(async () => {
      await under.device.close();
      await under.cleanup?.();
    });

    it('knows its size and sector size', () => {
      expect(under.device.sizeBytes).toBe(CONTRACT_SIZE_BYTES);
      expect([512, 4096]).toContain(under.device.sectorBytes);
    });

    it('reads any range inside it, aligned or not, exactly', async () => {
      const ranges = [
        [0, 512],
        [0, 0],
        [1, 1],
        [511, 2],
        [4095, 4099],
        [65535, 65538],
        [CONTRACT_SIZE_BYTES - 1, 1],
        [CONTRACT_SIZE_BYTES, 0],
      ];
      for (const [offset = 0, length = 0] of ranges) {
        expect((await readBytes(under.device, offset, length)).equals(content.subarray(offset, offset + length))).toBe(true);
      }
      expect((await readBytes(under.device, 0, CONTRACT_SIZE_BYTES)).equals(content)).toBe(true);
    });

    it('serves reads that overlap in time', async () => {
      const offsets = Array.from({ length: 24 }, (_, index) => index * 20_011);
      const reads = await Promise.all(offsets.map((offset) => readBytes(under.device, offset, 30_000)));
      reads.forEach((bytes, index) => {
        const offset = offsets[index] ?? 0;
        expect(bytes.equals(content.subarray(offset, offset + 30_000))).toBe(true);
      });
    });

    it('refuses ranges outside it, by code, and leaves the target as it was', async () => {
      const bad = [
        [-1, 1],
        [CONTRACT_SIZE_BYTES, 1],
        [CONTRACT_SIZE_BYTES - 1, 2],
        [0.5, 1],
        [Number.NaN, 1],
        [2 ** 60, 1],
      ];
      for (const [offset = 0, length = 0] of bad) {
        const target = Buffer.alloc(length, 7);
        await expect(under.device.read(offset, target)).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE', retry: 'never' });
        await expect(under.device.read(offset, target)).rejects.toBeInstanceOf(DiskError);
        expect(target.every((byte) => byte === 7)).toBe(true);
      }
    });

    it('can be closed twice', async () => {
      await under.device.close();
      await under.device.close();
    });

    it('writes and zeroes exactly the range it is told, and it lasts', async () => {
      const { device } = under;
      if (!('write' in device)) return;
      const expected = Buffer.from(content);
      for (const [offset = 0, length = 0] of [
        [0, 512],
        [5, 3],
        [4095, 4098],
        [131_072, 65_536],
        [CONTRACT_SIZE_BYTES - 1, 1],
        [9, 0],
      ]) {
        const source = Buffer.alloc(length, 0xa5);
        await device.write(offset, source);
        source.copy(expected, offset);
      }
      for (const [offset = 0, length = 0] of [
        [8192, 4096],
        [20_001, 3],
        [30_001, 9001],
        [200_000, 150_000],
        [CONTRACT_SIZE_BYTES - 2, 2],
        [9, 0],
      ]) {
        await device.zero(offset, length);
        expected.fill(0, offset, offset + length);
      }
      await device.flush();
      expect((await readBytes(device, 0, CONTRACT_SIZE_BYTES)).equals(expected)).toBe(true);
      const again = await under.reopen?.();
      if (again === undefined) return;
      expect(again.sizeBytes).toBe(CONTRACT_SIZE_BYTES);
      expect((await readBytes(again, 0, CONTRACT_SIZE_BYTES)).equals(expected)).toBe(true);
      await again.close();
    });

    it('keeps both of two writes to one sector that overlap in time', async () => {
      const { device } = under;
      if (!('write' in device)) return;
      await Promise.all(
        Array.from({ length: 16 }, (_, index) => device.write(70_000 + index * 3, Buffer.from([index, index, index]))),
      );
      const bytes = await readBytes(device, 70_000, 48);
      expect([...bytes]).toEqual(Array.from({ length: 48 }, (_, at) => Math.floor(at / 3)));
    });

    it('refuses writes outside it and writes none of them', async () => {
      const { device } = under;
      if (!('write' in device)) return;
      await expect(device.write(CONTRACT_SIZE_BYTES - 1, Buffer.alloc(2))).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE' });
      await expect(device.zero(CONTRACT_SIZE_BYTES - 1, 2)).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE' });
      await expect(device.zero(-512, 512)).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE' });
      expect((await readBytes(device, 0, CONTRACT_SIZE_BYTES)).equals(content)).toBe(true);
    });
  });
}
