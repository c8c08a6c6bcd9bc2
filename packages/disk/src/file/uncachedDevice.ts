/**
 * Reads of a block device past the kernel's page cache. A mounted filesystem keeps its blocks elsewhere than in the cache of its
 * device, so a cached read of a live disk may give back what was there at some earlier read. O_DIRECT asks the medium, at the price
 * of reading whole pages into aligned memory first.
 */
import type { BlockDevice } from '../blockDevice.ts';
import { alignedBuffer } from './alignedBuffer.ts';

const PAGE_BYTES = 4096;
const BOUNCE_BYTES = 1024 * 1024;

/** Over a device that was opened with O_DIRECT. One read at a time: they share the aligned memory. */
export function uncachedDevice(device: BlockDevice): BlockDevice {
  const bounce = alignedBuffer(BOUNCE_BYTES);
  let last: Promise<void> = Promise.resolve();
  const readThrough = async (offsetBytes: number, target: Uint8Array) => {
    for (let done = 0; done < target.length; ) {
      const at = offsetBytes + done;
      const from = at - (at % PAGE_BYTES);
      const to = Math.min(
        Math.ceil((offsetBytes + target.length) / PAGE_BYTES) * PAGE_BYTES,
        from + BOUNCE_BYTES,
        device.sizeBytes,
      );
      const pages = bounce.subarray(0, to - from);
      await device.read(from, pages);
      const part = pages.subarray(at - from, Math.min(pages.length, at - from + target.length - done));
      target.set(part, done);
      done += part.length;
    }
  };
  return {
    ...device,
    read(offsetBytes, target) {
      const mine = last.then(() => readThrough(offsetBytes, target));
      last = mine.catch(() => {});
      return mine;
    },
  };
}
