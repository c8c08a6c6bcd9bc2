import type { Extent } from '@diskfleet/disk';

/** Gathers runs of blocks in rising order and merges neighbours. */
export class ExtentCollector {
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  get length(): number {
    return this.starts.length;
  }

  /** Adds blocks `start <= block < end`; `start` must not lie before the end of what was added last. */
  add(start: number, end: number): void {
    if (end <= start) return;
    const last = this.ends.length - 1;
    if (last >= 0 && this.ends[last] === start) {
      this.ends[last] = end;
    } else {
      this.starts.push(start);
      this.ends.push(end);
    }
  }

  /** Remembers the present state; calling the result returns to it. */
  mark(): () => void {
    const { length } = this.starts;
    const lastEnd = this.ends[length - 1];
    return () => {
      this.starts.length = length;
      this.ends.length = length;
      if (lastEnd !== undefined) this.ends[length - 1] = lastEnd;
    };
  }

  toExtents(blockBytes: number): { extents: Extent[]; usedBytes: number } {
    let usedBytes = 0;
    const extents = this.starts.map((start, index) => {
      const lengthBytes = ((this.ends[index] ?? start) - start) * blockBytes;
      usedBytes += lengthBytes;
      return { offsetBytes: start * blockBytes, lengthBytes };
    });
    return { extents, usedBytes };
  }
}
