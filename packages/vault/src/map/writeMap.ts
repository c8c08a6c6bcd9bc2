/** Builds a disk's map bottom-up from entries in device order, one region in memory at a time. */
import type { ChunkType } from '../index/entry.ts';
import type { MapEntry } from '../types.ts';
import { type ChildId, encodeLeaf, encodePage, encodeRoot, type LeafEntry, leavesPerPage, regionBytes } from './mapNodes.ts';

/** Stores one node and returns its id. */
export type StoreNode = (bytes: Buffer, type: ChunkType) => Promise<Buffer>;

/**
 * Splits entries at region borders and joins neighbours that continue each other, so how the writer cut leaves no trace.
 * @throws RangeError on entries out of order, overlapping or outside the device: the writer's mistake, never the vault's state.
 */
export async function writeMap(
  entries: Iterable<MapEntry> | AsyncIterable<MapEntry>,
  deviceSizeBytes: number,
  store: StoreNode,
): Promise<Buffer> {
  const builder = new MapBuilder(store);
  let end = 0;
  for await (const entry of entries) {
    const { offsetBytes, lengthBytes } = entry;
    const sane = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes) && lengthBytes > 0;
    if (!sane || offsetBytes < end || offsetBytes + lengthBytes > deviceSizeBytes) {
      throw new RangeError(`map entry ${offsetBytes}+${lengthBytes} is out of order or outside ${deviceSizeBytes} bytes`);
    }
    if (entry.kind === 'data' && entry.chunkId.length !== 32) throw new RangeError('a chunk id has 32 bytes');
    end = offsetBytes + lengthBytes;
    for (let from = offsetBytes; from < end; ) {
      const region = Math.floor(from / regionBytes);
      const to = Math.min(end, (region + 1) * regionBytes);
      if (builder.needsFlush(region)) await builder.flush(region);
      builder.append({
        at: from - region * regionBytes,
        length: to - from,
        chunk: entry.kind === 'data' ? entry.chunkId : null,
        chunkOffset: entry.kind === 'data' ? entry.chunkOffsetBytes + (from - offsetBytes) : 0,
      });
      from = to;
    }
  }
  return builder.finish(deviceSizeBytes);
}

class MapBuilder {
  private readonly store: StoreNode;
  private region = 0;
  private leaf: LeafEntry[] = [];
  private leaves: ChildId[] = [];
  private readonly pages: ChildId[] = [];

  constructor(store: StoreNode) {
    this.store = store;
  }

  needsFlush(region: number): boolean {
    return region !== this.region;
  }

  append(entry: LeafEntry): void {
    const last = this.leaf.at(-1);
    if (last !== undefined && continues(last, entry)) {
      this.leaf[this.leaf.length - 1] = { ...last, length: last.length + entry.length };
    } else {
      // The caller may use its id buffer again.
      this.leaf.push(entry.chunk === null ? entry : { ...entry, chunk: Buffer.from(entry.chunk) });
    }
  }

  /** Stores what is gathered; `next` is the region that follows. */
  async flush(next: number): Promise<void> {
    if (this.leaf.length > 0) {
      const id = await this.store(encodeLeaf(this.leaf), 'leaf');
      this.leaves.push({ index: this.region % leavesPerPage, id });
      this.leaf = [];
    }
    const page = Math.floor(this.region / leavesPerPage);
    if (Math.floor(next / leavesPerPage) !== page) await this.flushPage(page);
    this.region = next;
  }

  private async flushPage(page: number): Promise<void> {
    if (this.leaves.length === 0) return;
    this.pages.push({ index: page, id: await this.store(encodePage(this.leaves), 'page') });
    this.leaves = [];
  }

  async finish(deviceSizeBytes: number): Promise<Buffer> {
    await this.flush(this.region);
    await this.flushPage(Math.floor(this.region / leavesPerPage));
    return this.store(encodeRoot(this.pages, deviceSizeBytes), 'root');
  }
}

function continues(last: LeafEntry, entry: LeafEntry): boolean {
  if (last.at + last.length !== entry.at) return false;
  if (last.chunk === null || entry.chunk === null) return last.chunk === entry.chunk;
  return last.chunkOffset + last.length === entry.chunkOffset && last.chunk.equals(entry.chunk);
}
