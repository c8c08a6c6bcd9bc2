/**
 * Cluster chains as FAT and exFAT keep them: a table whose entry for a cluster names the next cluster of the file. The table is
 * read in pages and the last ones are kept, so a chain costs a read per page of entries, not one per cluster.
 */
import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from './errors.ts';
import type { FileExtent } from './filesystem.ts';
import { type LostPart, readSoundParts } from './soundParts.ts';

/** A whole number of entries of 2 and 4 bytes. A FAT12 has 6 KiB at most and fits one page, so none of its entries is torn. */
const PAGE_BYTES = 64 << 10;
const KEPT_PAGES = 64;

/** The table of one volume. Clusters are numbered 2 to `clusterCount + 1`. */
export interface ClusterTable {
  readonly device: BlockDevice;
  /** Where entry 0 of the table that counts lies. */
  readonly offsetBytes: number;
  /** Where entry 0 of its copies lies, for what the medium does not give of the first; none when absent. */
  readonly copyOffsetsBytes?: readonly number[];
  readonly clusterCount: number;
  /** Entry `index` of a buffer that begins at entry 0 of it. */
  readonly get: (bytes: Buffer, index: number) => number;
  /** Bytes that hold entries `0..count-1`. */
  readonly bytesFor: (count: number) => number;
  /** This value and above: the chain ends here. */
  readonly end: number;
  /** Where cluster 2 begins. */
  readonly dataOffsetBytes: number;
  readonly clusterBytes: number;
  /** Pages of 64 KiB that stay in memory; 64 when absent. */
  readonly keptPages?: number;
}

/** Enough to keep all of a table of 16 million clusters in memory: 64 MiB. */
export const PAGES_OF_A_WALK = 1024;

interface TablePage {
  readonly bytes: Buffer;
  /** What no copy of the table could give. */
  readonly lost: readonly LostPart[];
}

/** Runs of neighbouring clusters, in file order: run `i` begins at file cluster `at[i]` and at volume cluster `start[i]`. */
export interface Chain {
  readonly at: readonly number[];
  readonly start: readonly number[];
  readonly clusterCount: number;
  /** `whole`: it ended as it should, or has all clusters asked for. */
  readonly end: 'whole' | 'broken' | 'circle';
}

/** A piece of the volume a chain runs through. */
export interface ChainRun {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export class ClusterChains {
  readonly table: ClusterTable;
  private readonly pages = new Map<number, TablePage>();

  constructor(table: ClusterTable) {
    this.table = table;
  }

  isCluster(cluster: number): boolean {
    return cluster >= 2 && cluster <= this.table.clusterCount + 1;
  }

  clusterOffset(cluster: number): number {
    return this.table.dataOffsetBytes + (cluster - 2) * this.table.clusterBytes;
  }

  /**
   * The chain from `first` on, `maxClusters` of it at most. Ends on any bytes.
   * @throws FilesystemError `FS_DAMAGED` when an entry on the way cannot be read
   */
  async follow(first: number, maxClusters: number): Promise<Chain> {
    const [at, start]: [number[], number[]] = [[], []];
    let [cluster, previous, count] = [first, -1, 0];
    // Brent's circle detection: a milestone that moves on at each power of two.
    let [milestone, untilMove, stride] = [first, 1, 1];
    const done = (end: Chain['end']): Chain => ({ at, start, clusterCount: count, end });
    let pageIndex = -1;
    let page: TablePage = { bytes: Buffer.alloc(0), lost: [] };
    // Only a FAT12 has entries that are no whole number of bytes; all of it is one page.
    const perPage = this.table.bytesFor(2) === 3 ? 1 << 16 : PAGE_BYTES / this.table.bytesFor(1);
    while (count < maxClusters) {
      if (!this.isCluster(cluster)) return done('broken');
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
      const next = this.entry(page, cluster - pageIndex * perPage);
      if (next >= this.table.end) return done('whole');
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

  /** The runs of a chain as ranges of the volume, each of `maxBytes` at most. */
  *runs(chain: Chain, maxBytes: number): Generator<ChainRun> {
    for (const [run, start] of chain.start.entries()) {
      const clusters = (chain.at[run + 1] ?? chain.clusterCount) - (chain.at[run] ?? 0);
      const runBytes = clusters * this.table.clusterBytes;
      for (let done = 0; done < runBytes; done += maxBytes) {
        yield { offsetBytes: this.clusterOffset(start) + done, lengthBytes: Math.min(maxBytes, runBytes - done) };
      }
    }
  }

  /** Where the clusters of a file lie, as far as they end before `endBytes` of the volume. Neighbouring runs are one extent. */
  fileExtents(chain: Chain, endBytes: number): FileExtent[] {
    const { clusterBytes, dataOffsetBytes } = this.table;
    const clustersThere = Math.floor((endBytes - dataOffsetBytes) / clusterBytes);
    const extents: FileExtent[] = [];
    for (const [run, start] of chain.start.entries()) {
      const at = chain.at[run] ?? 0;
      const count = Math.min((chain.at[run + 1] ?? chain.clusterCount) - at, clustersThere - (start - 2));
      if (count <= 0) continue;
      extents.push({
        fileOffsetBytes: at * clusterBytes,
        volumeOffsetBytes: this.clusterOffset(start),
        lengthBytes: count * clusterBytes,
      });
    }
    return extents;
  }

  /** Fills `target` from `offsetBytes` of what the chain holds. @throws FilesystemError `FS_DAMAGED` when the chain is shorter */
  async read(chain: Chain, offsetBytes: number, target: Uint8Array): Promise<void> {
    const { clusterBytes, device } = this.table;
    let run = runOf(chain, Math.floor(offsetBytes / clusterBytes));
    for (let done = 0; done < target.length; run += 1) {
      const [at, start] = [chain.at[run], chain.start[run]];
      if (at === undefined || start === undefined)
        throw new FilesystemError('FS_DAMAGED', 'The cluster chain of a file is too short.');
      const runEndBytes = (chain.at[run + 1] ?? chain.clusterCount) * clusterBytes;
      const intoRunBytes = offsetBytes + done - at * clusterBytes;
      const length = Math.min(target.length - done, runEndBytes - offsetBytes - done);
      if (length <= 0) throw new FilesystemError('FS_DAMAGED', 'The cluster chain of a file is too short.');
      await device.read(this.clusterOffset(start) + intoRunBytes, target.subarray(done, done + length));
      done += length;
    }
  }

  private entry({ bytes, lost }: TablePage, index: number): number {
    if (lost.length > 0) {
      const [start, end] = [(index * this.table.bytesFor(2)) >> 1, this.table.bytesFor(index + 1)];
      const hit = lost.find(({ from, lengthBytes }) => from < end && start < from + lengthBytes);
      if (hit !== undefined) throw new FilesystemError('FS_DAMAGED', `A cluster chain cannot be followed: ${hit.reason}`);
    }
    return this.table.get(bytes, index);
  }

  private async page(index: number): Promise<TablePage> {
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const entriesBytes = this.table.bytesFor(this.table.clusterCount + 2);
    const intoTableBytes = index * PAGE_BYTES;
    const lengthBytes = Math.min(PAGE_BYTES, entriesBytes - intoTableBytes);
    const page = await this.readPage(intoTableBytes, lengthBytes);
    const oldest = this.pages.keys().next();
    if (this.pages.size >= (this.table.keptPages ?? KEPT_PAGES) && !oldest.done) this.pages.delete(oldest.value);
    this.pages.set(index, page);
    return page;
  }

  private async readPage(intoTableBytes: number, lengthBytes: number): Promise<TablePage> {
    const { device, offsetBytes, copyOffsetsBytes = [] } = this.table;
    const bytes = Buffer.alloc(lengthBytes);
    const read = (at: number, target: Uint8Array) => device.read(at, target);
    let lost = await readSoundParts(read, { offsetBytes: offsetBytes + intoTableBytes, target: bytes, filler: 0 });
    for (const copyOffsetBytes of copyOffsetsBytes) {
      const still: LostPart[] = [];
      for (const part of lost) {
        const target = bytes.subarray(part.from, part.from + part.lengthBytes);
        const place = copyOffsetBytes + intoTableBytes + part.from;
        if ((await readSoundParts(read, { offsetBytes: place, target, filler: 0 })).length > 0) still.push(part);
      }
      lost = still;
    }
    return { bytes, lost };
  }
}

/** What is wrong with a chain, to end a sentence with. */
export function describeEnd(end: Chain['end']): string {
  if (end === 'whole') return 'too short';
  return end === 'broken' ? 'broken' : 'a circle';
}

/** The run that holds a file's cluster: the last one that begins at or before it. */
function runOf(chain: Chain, fileCluster: number): number {
  let [low, high] = [0, chain.at.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((chain.at[middle] ?? 0) <= fileCluster) low = middle;
    else high = middle - 1;
  }
  return low;
}
