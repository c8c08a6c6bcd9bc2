/**
 * Large reads for many small looks: the ranges of the target a group of chunks needs, joined where they are near, each read once as long
 * as they are asked for in about their order.
 */
import { alignedBuffer } from '@diskfleet/disk';

const WINDOW_BYTES = 4 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** Reading over a gap is cheaper than another read. */
const NEAR_BYTES = 64 * 1024;

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Ranges (in any order) joined to windows of at most 4 MiB that begin at pages; a longer range makes several. */
export function windowsOver(ranges: readonly Range[], endBytes: number): Range[] {
  const windows: Range[] = [];
  for (const { from, to } of [...ranges].sort((left, right) => left.from - right.from)) {
    for (let at = from; at < to; ) {
      const last = windows.at(-1);
      if (last !== undefined && at <= last.to + NEAR_BYTES && at < last.from + WINDOW_BYTES) {
        const end = Math.min(Math.max(last.to, pageUp(to)), last.from + WINDOW_BYTES, endBytes);
        windows[windows.length - 1] = { from: last.from, to: end };
        at = Math.max(at, Math.min(end, to));
        if (end < last.from + WINDOW_BYTES) break;
      } else {
        const start = at - (at % PAGE_BYTES);
        windows.push({ from: start, to: Math.min(pageUp(to), start + WINDOW_BYTES, endBytes) });
        at = Math.min(to, start + WINDOW_BYTES);
      }
    }
  }
  return windows;
}

function pageUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

export class TargetWindows {
  readonly #read: (bytes: Uint8Array, offsetBytes: number) => void;
  readonly #buffer = alignedBuffer(WINDOW_BYTES);
  #windows: readonly Range[] = [];
  #index = 0;
  #loaded = -1;

  constructor(read: (bytes: Uint8Array, offsetBytes: number) => void) {
    this.#read = read;
  }

  begin(ranges: readonly Range[], endBytes: number): void {
    this.#windows = windowsOver(ranges, endBytes);
    this.#index = 0;
    this.#loaded = -1;
  }

  /** Fills `target` from `offsetBytes`: bytes that were announced. */
  copy(offsetBytes: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const at = offsetBytes + done;
      const window = this.#windowOf(at);
      if (window === null) {
        this.#read(target.subarray(done), at);
        return;
      }
      const count = Math.min(target.length - done, window.to - at);
      target.set(this.#buffer.subarray(at - window.from, at - window.from + count), done);
      done += count;
    }
  }

  #windowOf(at: number): Range | null {
    let index = this.#index;
    for (let tries = 0; tries < this.#windows.length; tries++, index = (index + 1) % this.#windows.length) {
      const window = this.#windows[index];
      if (window === undefined || at < window.from || at >= window.to) continue;
      this.#index = index;
      if (this.#loaded !== index) this.#read(this.#buffer.subarray(0, window.to - window.from), window.from);
      this.#loaded = index;
      return window;
    }
    return null;
  }
}
