/** Follows cluster chains. The FAT is read in pages and the last ones are kept, so a chain costs a read per 16,384 clusters. */
import { readBytes } from '@diskfleet/disk';
import { type EntryFormat, entryFormat } from './fatEntries.ts';
import { type FatVolume, isCluster } from './volume.ts';

/** A whole number of entries of 2 and 4 bytes. A FAT12 has 6 KiB at most and fits one page, so none of its entries is torn. */
const PAGE_BYTES = 64 << 10;
const KEPT_PAGES = 64;

/** Runs of neighbouring clusters, in file order: run `i` begins at file cluster `at[i]` and at volume cluster `start[i]`. */
export interface Chain {
  readonly at: readonly number[];
  readonly start: readonly number[];
  readonly clusterCount: number;
  /** `whole`: it ended as it should, or has all clusters asked for. */
  readonly end: 'whole' | 'broken' | 'circle';
}

export class Chains {
  readonly volume: FatVolume;
  private readonly format: EntryFormat;
  private readonly pages = new Map<number, Buffer>();

  constructor(volume: FatVolume) {
    this.volume = volume;
    this.format = entryFormat(volume.geometry);
  }

  /** The chain from `first` on, `maxClusters` of it at most. Ends on any bytes. */
  async follow(first: number, maxClusters: number): Promise<Chain> {
    const [at, start]: [number[], number[]] = [[], []];
    let [cluster, previous, count] = [first, -1, 0];
    // Brent's circle detection: a milestone that moves on at each power of two.
    let [milestone, untilMove, stride] = [first, 1, 1];
    const done = (end: Chain['end']): Chain => ({ at, start, clusterCount: count, end });
    let pageIndex = -1;
    let page: Buffer = Buffer.alloc(0);
    const perPage = this.volume.geometry.kind === 'fat12' ? 1 << 16 : PAGE_BYTES / this.format.bytesFor(1);
    while (count < maxClusters) {
      if (!isCluster(this.volume, cluster)) return done('broken');
      if (cluster !== previous + 1) {
        at.push(count);
        start.push(cluster);
      }
      count += 1;
      const wanted = Math.floor(cluster / perPage);
      if (wanted !== pageIndex) {
        page = await this.page(wanted);
        pageIndex = wanted;
      }
      const next = this.format.get(page, cluster - pageIndex * perPage);
      if (next >= this.format.end) return done('whole');
      if (next === milestone) return done('circle');
      untilMove -= 1;
      if (untilMove === 0) {
        stride *= 2;
        [milestone, untilMove] = [next, stride];
      }
      [previous, cluster] = [cluster, next];
    }
    return done('whole');
  }

  private async page(index: number): Promise<Buffer> {
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const { device, geometry } = this.volume;
    const entriesBytes = this.format.bytesFor(geometry.clusterCount + 2);
    const offsetBytes = index * PAGE_BYTES;
    const fatOffsetBytes = geometry.fatOffsetBytes + (geometry.activeFat ?? 0) * geometry.fatBytes;
    const page = await readBytes(device, fatOffsetBytes + offsetBytes, Math.min(PAGE_BYTES, entriesBytes - offsetBytes));
    const oldest = this.pages.keys().next();
    if (this.pages.size >= KEPT_PAGES && !oldest.done) this.pages.delete(oldest.value);
    this.pages.set(index, page);
    return page;
  }
}
