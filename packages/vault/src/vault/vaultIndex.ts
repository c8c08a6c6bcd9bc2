/**
 * The index as a reader of an open vault needs it: for every chunk a 5-byte hint in which segment to look, a few decoded segments,
 * and the places of the chunks looked up lately. Chunks that were stored one after another are listed by the same segment, so walking
 * a disk reads each segment about once. Nothing is read before the first chunk is wanted: listing points needs no index.
 */

import { VaultError } from '../errors.ts';
import { entryBytes } from '../index/entry.ts';
import {
  entriesToExpect,
  fetchSegment,
  liveSegments,
  type SegmentHead,
  type SegmentSource,
  segmentHeads,
} from '../index/liveSegments.ts';
import { LocationTable } from '../index/locationTable.ts';
import { countNodes, isNode, packRowAt, type Segment, segmentObjectName } from '../index/segment.ts';
import { SegmentFinder } from '../index/segmentFinder.ts';
import type { LocationTableSeed } from '../types.ts';

/** 6 MiB each when full. */
const keptSegments = 5;
/** More places than this, and a table is filled anew with the latest ones; two take turns, 16 MiB each. */
const maxPlaces = 1 << 18;
/** More than any caller looks up before it uses what it found. */
const latest = 1 << 17;
/** Each refresh that finds something adds one; with more, everything is read again into one. */
const maxFinders = 8;

interface NamedSize {
  readonly name: string;
  readonly sizeBytes: number;
}

export class VaultIndex {
  private readonly source: SegmentSource;
  private finders: { finder: SegmentFinder; segments: readonly NamedSize[] }[] = [];
  /** Segments read or superseded. */
  private seen = new Set<string>();
  /** Decoded segments, the latest used last, each in memory that the next one read takes over. */
  private readonly kept = new Map<string, { segment: Segment; memory: Buffer }>();
  private searching: Promise<unknown> = Promise.resolve();
  private ring = Buffer.alloc(0);
  private ringEnd = 0;
  private ringFull = false;
  private loading: Promise<void> | null = null;
  private loaded = false;
  /** Places of the chunks looked up lately. */
  places = new LocationTable();
  /** Takes turns with `places`, unless workers may still be reading it. */
  private spare: LocationTable | null = null;
  private lent = false;

  /** How many of the listed chunks are map nodes, when these alone are wanted: data chunks then cost no memory, and are not found. */
  private readonly nodesOnly: number | null;

  constructor(source: SegmentSource, options: { nodesOnly: number } | null = null) {
    this.source = source;
    this.nodesOnly = options?.nodesOnly ?? null;
  }

  /** Forgets all places, e.g. when a pack turned out to be gone: what it held may lie elsewhere by now. */
  async startOver(): Promise<void> {
    this.places = new LocationTable();
    this.lent = false;
    this.ringEnd = 0;
    this.ringFull = false;
    await this.load();
  }

  /** The places known now, for other threads: this memory is never used for anything else. */
  lend(): LocationTableSeed {
    this.lent = true;
    return this.places.seed();
  }

  /** Reads what was added since, if anything was read before. */
  async refresh(): Promise<void> {
    if (this.loaded) await this.load();
  }

  private load(): Promise<void> {
    this.loading ??= this.readNew().finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  private async readNew(): Promise<void> {
    const anew = this.finders.length >= maxFinders;
    const seen = anew ? new Set<string>() : new Set(this.seen);
    const heads = (await segmentHeads(this.source.store)).filter((head) => !seen.has(head.name));
    const { live, most } = await entriesToExpect(this.source.store, heads);
    if (anew) this.finders = [];
    // Entries stand in merged segments and in those these replace: only when a merged one is damaged is there more to hold.
    const expected = this.nodesOnly === null ? live : Math.min(live, this.nodesOnly);
    const found = (await this.fillFinder(heads, expected)) ?? (await this.fillFinder(heads, most)) ?? tooMany();
    for (const name of found.seen) seen.add(name);
    this.loaded = true;
    this.seen = seen;
    if (found.segments.length > 0) this.finders = [...this.finders, found];
  }

  /** Null when there were more entries than `room`. */
  private async fillFinder(heads: readonly SegmentHead[], room: number) {
    const finder = new SegmentFinder(room);
    const segments: NamedSize[] = [];
    const seen: string[] = [];
    const sizes = new Map(heads.map((head) => [head.name, head.sizeBytes]));
    let listed = 0;
    for await (const { name, segment } of liveSegments(this.source, heads, () => {})) {
      const { entries } = segment;
      listed += this.nodesOnly === null ? segment.entryCount : countNodes(segment);
      if (listed > room) return null;
      for (let at = 0; at < entries.length; at += entryBytes) {
        if (this.nodesOnly === null || isNode(entries, at)) finder.add(entries, at, segments.length);
      }
      segments.push({ name, sizeBytes: sizes.get(name) ?? 0 });
      seen.push(name, ...segment.superseded.map(segmentObjectName));
    }
    return { finder, segments, seen };
  }

  /** Puts the places of these chunks into `places`; what the vault does not list is left out. */
  async lookUp(ids: readonly Uint8Array[]): Promise<void> {
    const absent = this.unknown(ids);
    if (absent.length === 0) return;
    // One at a time: they share the memory segments are read into.
    const search = this.searching.then(() => this.find(absent));
    this.searching = search.catch(() => {});
    await search;
  }

  private async find(wanted: readonly Buffer[]): Promise<void> {
    const absent = wanted.filter((id) => !this.places.has(id));
    if (absent.length === 0) return;
    if (!this.loaded) await this.load();
    // Another process may have stored or merged segments since they were read.
    if ((await this.search(absent)).length === 0) return;
    await this.load();
    await this.search(absent.filter((id) => !this.places.has(id)));
  }

  private unknown(ids: readonly Uint8Array[]): Buffer[] {
    const absent: Buffer[] = [];
    for (const id of ids) {
      const bytes = Buffer.from(id.buffer, id.byteOffset, 32);
      this.remember(bytes);
      if (!this.places.has(bytes)) absent.push(bytes);
    }
    return absent;
  }

  private remember(id: Buffer): void {
    if (this.ringEnd * 32 === this.ring.length)
      this.ring = Buffer.concat([this.ring, Buffer.alloc(Math.max(8192, this.ring.length))]);
    id.copy(this.ring, this.ringEnd * 32);
    this.ringEnd = (this.ringEnd + 1) % latest;
    if (this.ringEnd === 0) this.ringFull = true;
  }

  /** Returns what was not found. */
  private async search(ids: readonly Buffer[]): Promise<Buffer[]> {
    const bySegment = new Map<NamedSize, Buffer[]>();
    for (const id of ids) {
      for (const { finder, segments } of this.finders) {
        for (const at of finder.find(id)) {
          const segment = segments[at];
          if (segment === undefined) continue;
          const group = bySegment.get(segment);
          if (group === undefined) bySegment.set(segment, [id]);
          else group.push(id);
        }
      }
    }
    for (const [named, wanted] of bySegment) {
      const segment = await this.segment(named);
      if (segment === null) continue;
      for (const id of wanted) this.take(segment, id);
    }
    return ids.filter((id) => !this.places.has(id));
  }

  private take({ entries, packTable }: Segment, id: Buffer): void {
    for (let at = firstAtLeast(entries, id); at < entries.length; at += entryBytes) {
      if (entries.compare(id, 0, 32, at, at + 32) !== 0) return;
      const table = this.table();
      table.insert(entries, at, table.addPack(packRowAt(packTable, entries.readUInt32LE(at + 32))));
    }
  }

  private table(): LocationTable {
    if (this.places.chunkCount < maxPlaces) return this.places;
    const old = this.places;
    // Shared memory is invisible to the collector's reckoning: made anew each time, hundreds of MB would wait to be freed.
    this.places = this.spare ?? new LocationTable();
    this.places.clear(maxPlaces);
    this.spare = this.lent ? null : old;
    this.lent = false;
    const count = this.ringFull ? latest : this.ringEnd;
    for (let at = 0; at < count; at += 1) this.places.copyFrom(old, this.ring.subarray(at * 32, at * 32 + 32));
    return this.places;
  }

  private async segment(named: NamedSize): Promise<Segment | null> {
    const found = this.kept.get(named.name);
    if (found !== undefined) {
      this.kept.delete(named.name);
      this.kept.set(named.name, found);
      return found.segment;
    }
    let memory: Buffer = Buffer.alloc(0);
    const oldest = this.kept.entries().next();
    if (this.kept.size >= keptSegments && !oldest.done) {
      this.kept.delete(oldest.value[0]);
      memory = oldest.value[1].memory;
    }
    const segment = await fetchSegment(this.source, named, (lengthBytes) => {
      if (memory.length < lengthBytes) memory = Buffer.allocUnsafeSlow(lengthBytes);
      return memory.subarray(0, lengthBytes);
    });
    if ('problem' in segment) return null;
    this.kept.set(named.name, { segment, memory });
    return segment;
  }
}

function tooMany(): never {
  throw new VaultError('VAULT_STORE_FAILED', 'index segments were added faster than they could be read', { retry: 'later' });
}

/** Offset of the first entry whose id is not below `id`. */
function firstAtLeast(entries: Buffer, id: Buffer): number {
  let low = 0;
  let high = entries.length / entryBytes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries.compare(id, 0, 32, middle * entryBytes, middle * entryBytes + 32) < 0) low = middle + 1;
    else high = middle;
  }
  return low * entryBytes;
}
