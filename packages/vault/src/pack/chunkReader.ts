/** Reads chunks in one thread: single ones at random, or many in the order they are stored with few large reads. */
import { VaultError } from '../errors.ts';
import { LocationTable, type Place, packObjectName, toLocation } from '../index/locationTable.ts';
import { openStore } from '../stores/openStore.ts';
import type { ChunkLocation, ChunkReader, ChunkReaderSeed, OnChunk, Store } from '../types.ts';
import { packHeaderBytes } from './layout.ts';
import { openPackKey, type PackKey, type ReaderKeys, RecordDecoder } from './recordDecoder.ts';

const readBytes = 8 << 20;
/** Longer reads are taken for those of a large vault. */
const smallReadBytes = 512 << 10;
/** Bytes nobody asked for that are still cheaper to read than a second request. */
const gapBytes = 256 << 10;
const keptPackKeys = 4096;

/** Turns a seed into a reader; made for worker threads, each of which opens its own connection to the store. */
export async function openChunkReader(seed: ChunkReaderSeed): Promise<ChunkReader> {
  const store = await openStore(seed.store);
  const table = new LocationTable(seed.locations);
  const reader = new StoredChunkReader(store, seed, () => table);
  return {
    locate: (id) => reader.locate(id),
    readChunk: (id) => reader.readChunk(id),
    readChunks: (ids, onChunk) => reader.readChunks(ids, onChunk),
    async close() {
      reader.close();
      await store.close();
    },
  };
}

/** A place that keeps its meaning when the table it came from is replaced. */
interface NamedPlace extends Place {
  readonly packName: string;
}

interface Wanted extends NamedPlace {
  readonly id: Uint8Array;
}

/** One read: neighbours in one pack. */
interface Span {
  readonly pack: number;
  readonly packName: string;
  readonly from: number;
  to: number;
  readonly wanted: Wanted[];
}

/** Buffers of one `readChunks`: megabytes each, so they are kept for the next call instead of left to the collector. */
interface ReadKit {
  readonly buffers: Buffer[];
  readonly scratch: { plain: Buffer };
}

export class StoredChunkReader {
  private readonly store: Store;
  private readonly keys: ReaderKeys;
  private readonly currentTable: () => LocationTable;
  private readonly decoder: RecordDecoder;
  private readonly packKeys = new Map<string, Promise<PackKey>>();
  private spareKit: ReadKit | null = null;
  private closed = false;

  constructor(store: Store, keys: ReaderKeys, table: () => LocationTable) {
    this.store = store;
    this.keys = keys;
    this.currentTable = table;
    this.decoder = new RecordDecoder(keys);
  }

  locate(id: Uint8Array): ChunkLocation | null {
    const table = this.currentTable();
    const place = table.places(asBuffer(id))[0];
    return place === undefined ? null : toLocation(table, place);
  }

  /** The header of a pack is fetched once; a failed fetch is not kept. */
  private packKey(name: string, header?: Uint8Array): Promise<PackKey> {
    const kept = this.packKeys.get(name);
    if (kept !== undefined) return kept;
    const bytes =
      header === undefined ? this.store.get(name, { offsetBytes: 0, lengthBytes: packHeaderBytes }) : Promise.resolve(header);
    const opened = bytes.then((found) => openPackKey(found, name, this.keys));
    opened.catch(() => this.packKeys.delete(name));
    if (this.packKeys.size >= keptPackKeys) this.packKeys.clear();
    this.packKeys.set(name, opened);
    return opened;
  }

  /** Tries every copy the vault has of the chunk. @throws VaultError `CHUNK_MISSING`, or what the last copy failed with. */
  async readChunk(id: Uint8Array): Promise<Buffer> {
    let failure: unknown = null;
    for (const place of this.namedPlaces(id)) {
      try {
        return await this.readPlace(id, place);
      } catch (cause) {
        failure = asMissing(cause, id);
      }
    }
    throw failure ?? missing(id);
  }

  /** All of them at once: the table may be filled anew while one is read. */
  private namedPlaces(id: Uint8Array): NamedPlace[] {
    const table = this.currentTable();
    return table.places(asBuffer(id)).map((place) => ({ ...place, packName: packObjectName(table.pack(place.pack).name) }));
  }

  private async readPlace(id: Uint8Array, place: NamedPlace): Promise<Buffer> {
    const { packName } = place;
    const packKey = await this.packKey(packName);
    const record = await this.store.get(packName, { offsetBytes: place.offsetBytes, lengthBytes: place.recordBytes });
    let plain = Buffer.alloc(0);
    this.decoder.decode({ record, id, packKey, packName }, (plainBytes) => {
      plain = Buffer.allocUnsafeSlow(plainBytes);
      return plain;
    });
    return plain;
  }

  async readChunks(ids: Iterable<Uint8Array>, onChunk: OnChunk): Promise<void> {
    const kit = this.spareKit ?? { buffers: [Buffer.alloc(0), Buffer.alloc(0)], scratch: { plain: Buffer.alloc(0) } };
    this.spareKit = null;
    try {
      await this.readSpans(planSpans(this.wanted(ids)), kit, onChunk);
    } finally {
      this.spareKit = kit;
    }
  }

  private async readSpans(spans: readonly Span[], { buffers, scratch }: ReadKit, onChunk: OnChunk): Promise<void> {
    const load = async (index: number): Promise<Buffer | unknown> => {
      const span = spans[index];
      if (span === undefined) return null;
      const length = span.to - span.from;
      const slot = index & 1;
      let buffer = buffers[slot] ?? Buffer.alloc(0);
      if (buffer.length < length) {
        // A small vault never needs the most a read may take; a large one soon does, and what it outgrows is not given back at once.
        buffer = Buffer.allocUnsafeSlow(length > smallReadBytes ? Math.max(length, readBytes) : 2 * length);
        buffers[slot] = buffer;
      }
      const target = buffer.subarray(0, length);
      const name = span.packName;
      // A failure is a value here: it belongs to its own span, not to the one being decoded meanwhile.
      return this.fill(name, span.from, target).then(
        () => target,
        (cause: unknown) => ({ cause }),
      );
    };
    let next = load(0);
    for (let index = 0; index < spans.length; index += 1) {
      const loaded = await next;
      next = load(index + 1);
      const span = spans[index];
      if (span !== undefined) {
        try {
          await this.decodeSpan(span, Buffer.isBuffer(loaded) ? loaded : null, { onChunk, scratch });
        } catch (cause) {
          await next;
          throw cause;
        }
      }
    }
  }

  private *wanted(ids: Iterable<Uint8Array>): Iterable<Wanted> {
    const table = this.currentTable();
    for (const id of ids) {
      const place = table.places(asBuffer(id))[0];
      if (place === undefined) throw missing(id);
      yield { ...place, id, packName: packObjectName(table.pack(place.pack).name) };
    }
  }

  private async fill(name: string, offsetBytes: number, target: Buffer): Promise<void> {
    if (this.store.readInto !== undefined) return this.store.readInto(name, offsetBytes, target);
    (await this.store.get(name, { offsetBytes, lengthBytes: target.length })).copy(target);
  }

  private async decodeSpan(
    span: Span,
    bytes: Buffer | null,
    use: { onChunk: OnChunk; scratch: { plain: Buffer } },
  ): Promise<void> {
    const { packName } = span;
    const packKey = bytes === null ? null : await this.packKey(packName).catch(() => null);
    for (const wanted of span.wanted) {
      const plain =
        bytes === null || packKey === null
          ? await this.readChunk(wanted.id)
          : await this.decodeOrReread({ bytes, span, wanted, packKey, packName, scratch: use.scratch });
      const pending = use.onChunk(wanted.id, plain);
      if (pending !== undefined) await pending;
    }
  }

  private async decodeOrReread(input: {
    bytes: Buffer;
    span: Span;
    wanted: Wanted;
    packKey: PackKey;
    packName: string;
    scratch: { plain: Buffer };
  }): Promise<Uint8Array> {
    const { wanted, span, scratch } = input;
    const at = wanted.offsetBytes - span.from;
    const record = input.bytes.subarray(at, at + wanted.recordBytes);
    try {
      return this.decoder.decode({ record, id: wanted.id, packKey: input.packKey, packName: input.packName }, (plainBytes) => {
        if (scratch.plain.length < plainBytes) scratch.plain = Buffer.allocUnsafeSlow(plainBytes);
        return scratch.plain.subarray(0, plainBytes);
      });
    } catch {
      // Another copy may be sound; if none is, this names what is wrong.
      return this.readChunk(wanted.id);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.decoder.close();
  }
}

function asBuffer(id: Uint8Array): Buffer {
  return Buffer.isBuffer(id) ? id : Buffer.from(id.buffer, id.byteOffset, id.length);
}

function missing(id: Uint8Array): VaultError {
  return new VaultError('CHUNK_MISSING', `the vault has no chunk ${Buffer.from(id).toString('hex')}`);
}

function asMissing(cause: unknown, id: Uint8Array): unknown {
  if (!(cause instanceof VaultError) || cause.code !== 'VAULT_OBJECT_MISSING') return cause;
  return new VaultError('CHUNK_MISSING', `chunk ${Buffer.from(id).toString('hex')} is lost: ${cause.message}`, { cause });
}

/** Sorts by place, drops repeats, and joins neighbours into reads of at most 8 MiB. */
function planSpans(wanted: Iterable<Wanted>): Span[] {
  const sorted = [...wanted].sort((a, b) => a.pack - b.pack || a.offsetBytes - b.offsetBytes);
  const spans: Span[] = [];
  let last: Wanted | undefined;
  for (const one of sorted) {
    if (last !== undefined && last.pack === one.pack && last.offsetBytes === one.offsetBytes) continue;
    last = one;
    const end = one.offsetBytes + one.recordBytes;
    const span = spans.at(-1);
    if (span !== undefined && span.pack === one.pack && one.offsetBytes - span.to <= gapBytes && end - span.from <= readBytes) {
      span.to = end;
      span.wanted.push(one);
    } else {
      spans.push({ pack: one.pack, packName: one.packName, from: one.offsetBytes, to: end, wanted: [one] });
    }
  }
  return spans;
}
