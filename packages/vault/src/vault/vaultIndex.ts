/**
 * The index as a reader of an open vault needs it: for every chunk a 5-byte hint in which segment to look, a few decoded segments,
 * and the places of the chunks looked up lately. Chunks that were stored one after another are listed by the same segment, so walking
 * a disk reads each segment about once. Nothing is read before the first chunk is wanted: listing points needs no index.
 */
import { entryBytes } from '../index/entry.ts';
import { isLost, liveSegments, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { LocationTable } from '../index/locationTable.ts';
import { decodeSegment, type Segment, segmentObjectName } from '../index/segment.ts';
import { SegmentFinder } from '../index/segmentFinder.ts';

/** 12 MiB each when full. */
const keptSegments = 6;
/** More places than this, and the table is made anew with the latest ones: at most 64 MiB. */
const maxPlaces = 1 << 20;
/** More than any caller looks up before it uses what it found. */
const latest = 1 << 18;
/** Each refresh that finds something adds one; with more, everything is read again into one. */
const maxFinders = 8;

export class VaultIndex {
  private readonly source: SegmentSource;
  private finders: { finder: SegmentFinder; names: readonly string[] }[] = [];
  /** Segments read or superseded. */
  private seen = new Set<string>();
  private readonly kept = new Map<string, Segment>();
  private ring = Buffer.alloc(0);
  private ringEnd = 0;
  private ringFull = false;
  private loading: Promise<void> | null = null;
  private loaded = false;
  /** Places of the chunks looked up lately; workers share its memory. */
  places = new LocationTable();

  constructor(source: SegmentSource) {
    this.source = source;
  }

  /** Forgets all places, e.g. when a pack turned out to be gone: what it held may lie elsewhere by now. */
  async startOver(): Promise<void> {
    this.places = new LocationTable();
    this.ringEnd = 0;
    this.ringFull = false;
    await this.load();
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
    const finder = new SegmentFinder(heads.reduce((sum, head) => sum + head.entryCount, 0));
    const names: string[] = [];
    for await (const { name, segment } of liveSegments(this.source, heads, () => {})) {
      for (let at = 0; at < segment.entries.length; at += entryBytes) finder.add(segment.entries, at, names.length);
      names.push(name);
      seen.add(name);
      for (const hash of segment.superseded) seen.add(segmentObjectName(hash));
    }
    this.loaded = true;
    this.seen = seen;
    this.finders = [...(anew ? [] : this.finders), ...(names.length === 0 ? [] : [{ finder, names }])];
  }

  /** Puts the places of these chunks into `places`; what the vault does not list is left out. */
  async lookUp(ids: readonly Uint8Array[]): Promise<void> {
    const absent = this.unknown(ids);
    if (absent.length === 0) return;
    if (!this.loaded) await this.load();
    // Another process may have stored or merged segments since they were read.
    if ((await this.search(absent)).length === 0) return;
    await this.load();
    await this.search(this.unknown(absent));
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
    const bySegment = new Map<string, Buffer[]>();
    for (const id of ids) {
      for (const { finder, names } of this.finders) {
        for (const at of finder.find(id)) {
          const name = names[at] ?? '';
          const group = bySegment.get(name);
          if (group === undefined) bySegment.set(name, [id]);
          else group.push(id);
        }
      }
    }
    for (const [name, wanted] of bySegment) {
      const segment = await this.segment(name);
      if (segment === null) continue;
      for (const id of wanted) this.take(segment, id);
    }
    return ids.filter((id) => !this.places.has(id));
  }

  private take(segment: Segment, id: Buffer): void {
    const { entries, packs } = segment;
    for (let at = firstAtLeast(entries, id); at < entries.length; at += entryBytes) {
      if (entries.compare(id, 0, 32, at, at + 32) !== 0) return;
      const pack = packs[entries.readUInt32LE(at + 32)];
      if (pack !== undefined) this.table().insert(entries, at, this.table().addPack(pack));
    }
  }

  private table(): LocationTable {
    if (this.places.chunkCount < maxPlaces) return this.places;
    const old = this.places;
    this.places = new LocationTable();
    const count = this.ringFull ? latest : this.ringEnd;
    for (let at = 0; at < count; at += 1) this.places.copyFrom(old, this.ring.subarray(at * 32, at * 32 + 32));
    return this.places;
  }

  private async segment(name: string): Promise<Segment | null> {
    const found = this.kept.get(name);
    if (found !== undefined) {
      this.kept.delete(name);
      this.kept.set(name, found);
      return found;
    }
    const read = await this.source.store
      .get(name)
      .then((bytes) => decodeSegment(bytes, name, this.source))
      .catch((cause) => {
        if (isLost(cause)) return null;
        throw cause;
      });
    if (read === null) return null;
    this.kept.set(name, read);
    const oldest = this.kept.keys().next();
    if (this.kept.size > keptSegments && !oldest.done) this.kept.delete(oldest.value);
    return read;
  }
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
