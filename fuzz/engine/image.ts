/** The bytes of one input: the pages of its seed, and copies of those it changes. */
import type { BlockDevice } from '@diskfleet/disk';
import { DiskError } from '@diskfleet/disk';
import type { Input } from './input.ts';
import { PAGE_BYTES, type SeedImage } from './seedImage.ts';

const noPage = new Uint8Array(PAGE_BYTES);

const LARGEST_BUFFER_BYTES = 32 * 1024 * 1024;

export class Image {
  readonly seed: SeedImage;
  readonly sizeBytes: number;
  /** Told of every read of the device, after it. */
  onRead: ((at: number, target: Uint8Array) => void) | null = null;
  private readonly changed = new Map<number, Uint8Array>();

  constructor(seed: SeedImage, input: Input) {
    this.seed = seed;
    this.sizeBytes = input.sizeBytes;
    for (const { at, bytes } of input.patches) this.write(at, bytes);
  }

  private page(number: number): Uint8Array {
    return this.changed.get(number) ?? this.seed.pages.get(number) ?? noPage;
  }

  /** What lies behind the end is zero, and stays so. */
  copyTo(at: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const page = this.page(Math.floor((at + done) / PAGE_BYTES));
      const from = (at + done) % PAGE_BYTES;
      const count = Math.min(target.length - done, PAGE_BYTES - from);
      target.set(from === 0 && count === PAGE_BYTES ? page : page.subarray(from, from + count), done);
      done += count;
    }
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length && at + done < this.sizeBytes; ) {
      const number = Math.floor((at + done) / PAGE_BYTES);
      let page = this.changed.get(number);
      if (!page) {
        page = Uint8Array.from(this.page(number));
        this.changed.set(number, page);
      }
      const from = (at + done) % PAGE_BYTES;
      const count = Math.min(bytes.length - done, PAGE_BYTES - from, this.sizeBytes - at - done);
      page.set(bytes.subarray(done, done + count), from);
      done += count;
    }
  }

  slice(at: number, length: number): Buffer {
    const target = Buffer.alloc(length);
    this.copyTo(at, target);
    return target;
  }

  /** All bytes at once, for parsers that take a buffer: objects and messages are read whole, so a larger one never gets to them. */
  bytes(): Buffer {
    const all = this.slice(0, Math.min(this.sizeBytes, LARGEST_BUFFER_BYTES));
    this.onRead?.(0, all);
    return all;
  }

  device(): BlockDevice {
    const { sizeBytes, seed } = this;
    return {
      sizeBytes,
      sectorBytes: seed.sectorBytes,
      read: async (offsetBytes, target) => {
        if (!(Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + target.length <= sizeBytes)) {
          throw new DiskError('DISK_OUT_OF_RANGE', `bytes ${offsetBytes}+${target.length} of ${sizeBytes}`);
        }
        this.copyTo(offsetBytes, target);
        this.onRead?.(offsetBytes, target);
      },
      close: async () => {},
    };
  }
}
