import { type BlockDevice, readBytes, type WritableBlockDevice } from './blockDevice.ts';
import { checkRange } from './range.ts';

const PAGE_BYTES = 64 << 10;

/**
 * A writable device over a read-only one: what is written stays in memory (64 KiB pages), `base` is never touched.
 * For trying out a plan and for tests; memory grows with what is written. Closing it closes `base`.
 */
export function overlayDevice(base: BlockDevice): WritableBlockDevice {
  const { sizeBytes, sectorBytes } = base;
  const pages = new Map<number, Uint8Array>();
  // Filling a page waits for the base, so changes are made one after another: two to the same page must both last.
  let lastChange: Promise<unknown> = Promise.resolve();

  const pageOf = async (page: number): Promise<Uint8Array> => {
    const known = pages.get(page);
    if (known !== undefined) return known;
    const startBytes = page * PAGE_BYTES;
    const fresh = await readBytes(base, startBytes, Math.min(PAGE_BYTES, sizeBytes - startBytes));
    pages.set(page, fresh);
    return fresh;
  };

  const change = (
    offsetBytes: number,
    lengthBytes: number,
    put: (page: Uint8Array, at: number, done: number, length: number) => void,
  ) => {
    const step = async () => {
      for (let done = 0; done < lengthBytes; ) {
        const page = Math.floor((offsetBytes + done) / PAGE_BYTES);
        const at = offsetBytes + done - page * PAGE_BYTES;
        const length = Math.min(PAGE_BYTES - at, lengthBytes - done);
        put(await pageOf(page), at, done, length);
        done += length;
      }
    };
    const changed = lastChange.then(step);
    lastChange = changed.catch(() => {});
    return changed;
  };

  return {
    sizeBytes,
    sectorBytes,
    async read(offsetBytes, target) {
      checkRange(sizeBytes, offsetBytes, target.length);
      await base.read(offsetBytes, target);
      const lastPage = Math.floor((offsetBytes + target.length - 1) / PAGE_BYTES);
      for (let page = Math.floor(offsetBytes / PAGE_BYTES); page <= lastPage; page += 1) {
        const bytes = pages.get(page);
        if (bytes === undefined) continue;
        const at = page * PAGE_BYTES - offsetBytes;
        target.set(bytes.subarray(Math.max(0, -at), Math.min(bytes.length, target.length - at)), Math.max(0, at));
      }
    },
    async write(offsetBytes, source) {
      checkRange(sizeBytes, offsetBytes, source.length);
      await change(offsetBytes, source.length, (page, at, done, length) => page.set(source.subarray(done, done + length), at));
    },
    async zero(offsetBytes, lengthBytes) {
      checkRange(sizeBytes, offsetBytes, lengthBytes);
      await change(offsetBytes, lengthBytes, (page, at, _done, length) => page.fill(0, at, at + length));
    },
    async flush() {},
    close: () => base.close(),
  };
}
