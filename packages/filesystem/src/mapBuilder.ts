import type { Extent } from '@diskfleet/disk';

/** A map of more pieces than this costs more memory than it saves copying. */
const MAX_EXTENTS = 2 ** 21;

/** Builds a used map from ranges in ascending order: merges neighbours, cuts at the end of the volume, bounds its size. */
export class MapBuilder {
  private readonly extents: Extent[] = [];
  private readonly limitBytes: number;
  private start = 0;
  private end = 0;
  private full = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  add(offsetBytes: number, lengthBytes: number): void {
    if (this.full || offsetBytes >= this.limitBytes) return;
    const end = Math.min(offsetBytes + lengthBytes, this.limitBytes);
    if (offsetBytes > this.end) {
      this.close();
      this.start = offsetBytes;
      if (this.extents.length >= MAX_EXTENTS) {
        this.full = true;
        this.end = this.limitBytes;
        return;
      }
    }
    this.end = end;
  }

  /** @param warnings gets a sentence when the map had to be coarsened */
  finish(warnings: string[]): { extents: Extent[]; usedBytes: number } {
    this.close();
    if (this.full) warnings.push('The used clusters lie in too many pieces; the rest of the volume is taken whole.');
    return { extents: this.extents, usedBytes: this.extents.reduce((sum, extent) => sum + extent.lengthBytes, 0) };
  }

  private close(): void {
    if (this.end > this.start) this.extents.push({ offsetBytes: this.start, lengthBytes: this.end - this.start });
    this.start = this.end;
  }
}
