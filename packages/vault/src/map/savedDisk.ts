/** A disk inside a point: random access through its map. */
import { DiskError } from '@diskfleet/disk';
import { VaultError } from '../errors.ts';
import type { MapEntry, SavedDisk, SavedDiskInfo } from '../types.ts';
import { type ChildId, decodeLeaf, decodePage, decodeRoot, type LeafEntry, leavesPerPage, regionBytes } from './mapNodes.ts';

/** Entries of all leaves that are kept, about 20 MB: of a disk of 30 GB cut by the grid, or of one with 150,000 small files, all of them. */
const keptEntries = 150_000;
const keptPages = 16;
const chunksAhead = 8;

export type ReadNode = (id: Uint8Array) => Promise<Buffer>;
/** Told of all chunks of a leaf before anyone asks for one of them. */
export type LookUp = (ids: readonly Uint8Array[]) => Promise<void>;

/** @throws VaultError `POINT_DAMAGED`, `CHUNK_DAMAGED`, `CHUNK_MISSING`, `VAULT_KEY_NEEDED`. */
export async function openSavedDisk(info: SavedDiskInfo, readChunk: ReadNode, lookUp?: LookUp): Promise<SavedDisk> {
  const map = await openMap(info, readChunk, lookUp);
  return {
    info,
    sizeBytes: info.sizeBytes,
    sectorBytes: info.sectorBytes,
    async read(offsetBytes, target) {
      const end = offsetBytes + target.length;
      if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || end > info.sizeBytes) {
        throw new DiskError(
          'DISK_OUT_OF_RANGE',
          `bytes ${offsetBytes}+${target.length} lie outside a disk of ${info.sizeBytes} bytes`,
        );
      }
      target.fill(0);
      const parts: Part[] = [];
      for (let from = offsetBytes; from < end; from = (Math.floor(from / regionBytes) + 1) * regionBytes) {
        const region = Math.floor(from / regionBytes);
        const base = region * regionBytes;
        const leaf = await map.leaf(region);
        for (let at = firstEndingAfter(leaf, from - base); at < leaf.length; at += 1) {
          const entry = leaf[at];
          if (entry === undefined || base + entry.at >= end) break;
          if (entry.chunk !== null) parts.push({ entry, chunkId: entry.chunk, base });
        }
      }
      await copyParts(parts, { offsetBytes, target }, readChunk);
    },
    mapEntries: () => streamEntries(map),
    async close() {},
  };
}

/** A piece of a chunk that a read wants. */
interface Part {
  readonly entry: LeafEntry;
  readonly chunkId: Buffer;
  readonly base: number;
}

/** Asks for the next few chunks while one is copied: over a network the waits overlap. */
async function copyParts(
  parts: readonly Part[],
  want: { offsetBytes: number; target: Uint8Array },
  readChunk: ReadNode,
): Promise<void> {
  const asked: (Promise<Buffer> | null)[] = [];
  for (const [place, part] of parts.entries()) {
    while (asked.length < Math.min(parts.length, place + chunksAhead)) {
      const chunk = readChunk(parts[asked.length]?.chunkId ?? part.chunkId);
      // Its failure is met when its turn comes, or not at all when an earlier one failed.
      chunk.catch(() => {});
      asked.push(chunk);
    }
    const chunk = await asked[place];
    // A long read must not hold on to what it has passed.
    asked[place] = null;
    if (chunk !== null && chunk !== undefined) copyPart(part, chunk, want);
  }
}

function copyPart(part: Part, chunk: Buffer, want: { offsetBytes: number; target: Uint8Array }): void {
  const { entry, base } = part;
  const { offsetBytes, target } = want;
  if (entry.chunkOffset + entry.length > chunk.length) {
    throw new VaultError('POINT_DAMAGED', `the map wants more of chunk ${part.chunkId.toString('hex')} than it has`);
  }
  const from = Math.max(offsetBytes, base + entry.at);
  const to = Math.min(offsetBytes + target.length, base + entry.at + entry.length);
  const skip = entry.chunkOffset + (from - base - entry.at);
  target.set(chunk.subarray(skip, skip + (to - from)), from - offsetBytes);
}

/** Index of the first entry that ends after `at`, by bisection. */
function firstEndingAfter(leaf: readonly LeafEntry[], at: number): number {
  let low = 0;
  let high = leaf.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = leaf[middle];
    if (entry !== undefined && entry.at + entry.length <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The regions of a disk that have a leaf, and their leaves. */
export interface DiskMap {
  /** Pages that exist, in order, and their ids. */
  readonly pages: readonly ChildId[];
  /** Region numbers with a leaf, in order, and the leaves' ids. */
  pageLeaves(page: number): Promise<readonly { region: number; id: Buffer }[]>;
  leaf(region: number): Promise<readonly LeafEntry[]>;
  /** As `leaf`, for whoever passes through: nothing is kept. */
  leafOnce(region: number): Promise<readonly LeafEntry[]>;
}

export async function openMap(
  info: Pick<SavedDiskInfo, 'name' | 'sizeBytes' | 'mapRootId'>,
  readNode: ReadNode,
  lookUp?: LookUp,
): Promise<DiskMap> {
  const root = decodeRoot(await readNode(Buffer.from(info.mapRootId, 'hex')), `the map of ${info.name}`);
  if (root.deviceSizeBytes !== info.sizeBytes) {
    throw new VaultError('POINT_DAMAGED', `the map of ${info.name} is for a disk of another size`);
  }
  const pageIds = new Map(root.pages.map(({ index, id }) => [index, id]));
  const pages = new Kept<readonly { region: number; id: Buffer }[]>(keptPages, () => 1);
  const leaves = new Kept<readonly LeafEntry[]>(keptEntries, (leaf) => Math.max(1, leaf.length));
  const loadPage = async (page: number) => {
    const id = pageIds.get(page);
    if (id === undefined) return [];
    const children = decodePage(await readNode(id), `map page ${page} of ${info.name}`);
    return children.map((child) => ({ region: page * leavesPerPage + child.index, id: child.id }));
  };
  const pageLeaves = (page: number) => pages.get(page, () => loadPage(page));
  const loadLeaf = async (region: number): Promise<readonly LeafEntry[]> => {
    const found = (await pageLeaves(Math.floor(region / leavesPerPage))).find((leaf) => leaf.region === region);
    if (found === undefined) return [];
    const entries = decodeLeaf(await readNode(found.id), `map region ${region} of ${info.name}`);
    const last = entries.at(-1);
    if (last !== undefined && region * regionBytes + last.at + last.length > info.sizeBytes) {
      throw new VaultError('POINT_DAMAGED', `map region ${region} of ${info.name} leaves the disk`);
    }
    // Entries of one chunk share its id in memory.
    await lookUp?.([...new Set(entries.flatMap((entry) => entry.chunk ?? []))]);
    return entries;
  };
  return {
    pages: root.pages,
    pageLeaves,
    leaf: (region) => leaves.get(region, () => loadLeaf(region)),
    leafOnce: (region) => leaves.peek(region) ?? loadLeaf(region),
  };
}

/** A small cache of promises, bounded by weight, the one not asked for longest out first; a failure is not kept. */
class Kept<T> {
  private readonly slots = new Map<number, { readonly made: Promise<T>; weight: number }>();
  private readonly limit: number;
  private readonly weightOf: (value: T) => number;
  private total = 0;

  constructor(limit: number, weightOf: (value: T) => number) {
    this.limit = limit;
    this.weightOf = weightOf;
  }

  get(key: number, load: () => Promise<T>): Promise<T> {
    const slot = this.slots.get(key) ?? { made: load(), weight: 0 };
    const isNew = !this.slots.delete(key);
    this.slots.set(key, slot);
    if (isNew) {
      slot.made.then(
        (value) => {
          if (this.slots.get(key) !== slot) return;
          slot.weight = this.weightOf(value);
          this.total += slot.weight;
          this.makeRoom(key);
        },
        () => this.slots.get(key) === slot && this.slots.delete(key),
      );
    }
    return slot.made;
  }

  peek(key: number): Promise<T> | undefined {
    return this.slots.get(key)?.made;
  }

  private makeRoom(newest: number): void {
    for (const [key, { weight }] of this.slots) {
      if (this.total <= this.limit || key === newest) break;
      this.slots.delete(key);
      this.total -= weight;
    }
  }
}

async function* streamEntries(map: DiskMap): AsyncIterable<MapEntry> {
  for (const page of map.pages) {
    for (const { region } of await map.pageLeaves(page.index)) {
      const base = region * regionBytes;
      for (const entry of await map.leafOnce(region)) yield toMapEntry(entry, base);
    }
  }
}

function toMapEntry(entry: LeafEntry, base: number): MapEntry {
  const place = { offsetBytes: base + entry.at, lengthBytes: entry.length };
  if (entry.chunk === null) return { kind: 'zero', ...place };
  return { kind: 'data', ...place, chunkId: entry.chunk, chunkOffsetBytes: entry.chunkOffset };
}
