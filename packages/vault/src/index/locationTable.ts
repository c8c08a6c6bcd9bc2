/**
 * Where every chunk lies: open addressing over shared memory, 32 bytes a slot (46 bytes per chunk at a load of 0.7), so a
 * vault of millions of chunks costs no object each and worker threads read it without a copy. A chunk stored twice has two
 * slots: when one copy is damaged, the other is tried.
 */
import type { ChunkLocation, LocationTableSeed } from '../types.ts';

const wordsPerSlot = 8;
const packRowBytes = 48;
const maxLoad = 0.7;

export interface PackRow {
  readonly name: string;
  readonly sizeBytes: number;
  readonly kind: 'data' | 'meta';
}

/** A place to read from; `pack` is an ordinal of this table. */
export interface Place {
  readonly pack: number;
  readonly offsetBytes: number;
  readonly recordBytes: number;
  /** Plain length and type as in an index entry. */
  readonly lengthWord: number;
}

/** [F1] `packs/<first two digits>/<name>`. */
export function packObjectName(hash: string): string {
  return `packs/${hash.slice(0, 2)}/${hash}`;
}

export class LocationTable {
  private slots: SharedArrayBuffer;
  private words: Int32Array;
  private packs: SharedArrayBuffer;
  private slotCount: number;
  private used = 0;
  private packTotal: number;
  private readonly ordinals = new Map<string, number>();

  constructor(seed?: LocationTableSeed) {
    this.slotCount = seed?.slotCount ?? 1024;
    this.slots = seed?.slots ?? new SharedArrayBuffer(this.slotCount * wordsPerSlot * 4);
    this.words = new Int32Array(this.slots);
    this.packs = seed?.packs ?? new SharedArrayBuffer(64 * packRowBytes);
    this.packTotal = seed?.packCount ?? 0;
  }

  get chunkCount(): number {
    return this.used;
  }
  get packCount(): number {
    return this.packTotal;
  }
  seed(): LocationTableSeed {
    return { slots: this.slots, slotCount: this.slotCount, packs: this.packs, packCount: this.packTotal };
  }

  /** The ordinal of a pack, added when new. */
  addPack(row: PackRow): number {
    const known = this.ordinals.get(row.name);
    if (known !== undefined) return known;
    const ordinal = this.packTotal;
    if ((ordinal + 1) * packRowBytes > this.packs.byteLength) {
      const grown = new SharedArrayBuffer(this.packs.byteLength * 2);
      new Uint8Array(grown).set(new Uint8Array(this.packs));
      this.packs = grown;
    }
    const bytes = Buffer.from(this.packs, ordinal * packRowBytes, packRowBytes);
    bytes.write(row.name, 'hex');
    bytes.writeBigUInt64LE(BigInt(row.sizeBytes), 32);
    bytes.writeUInt8(row.kind === 'data' ? 1 : 2, 40);
    this.packTotal += 1;
    this.ordinals.set(row.name, ordinal);
    return ordinal;
  }

  pack(ordinal: number): PackRow {
    const bytes = Buffer.from(this.packs, ordinal * packRowBytes, packRowBytes);
    return {
      name: bytes.toString('hex', 0, 32),
      sizeBytes: Number(bytes.readBigUInt64LE(32)),
      kind: bytes.readUInt8(40) === 1 ? 'data' : 'meta',
    };
  }

  /** Forgets everything and has room for `entries`. Whoever holds an ordinal of it must not use it any more. */
  clear(entries: number): void {
    this.words.fill(0);
    this.used = 0;
    this.packTotal = 0;
    this.ordinals.clear();
    this.reserve(entries);
  }

  /** Makes room for `more` entries at once instead of growing step by step. */
  reserve(more: number): void {
    let slotCount = this.slotCount;
    while ((this.used + more) / slotCount > maxLoad) slotCount *= 2;
    if (slotCount === this.slotCount) return;
    const old = this.words;
    this.slotCount = slotCount;
    this.slots = new SharedArrayBuffer(slotCount * wordsPerSlot * 4);
    this.words = new Int32Array(this.slots);
    for (let base = 0; base < old.length; base += wordsPerSlot) {
      if (old[base] === 0) continue;
      this.words.set(old.subarray(base, base + wordsPerSlot), this.freeSlot(old[base + 1] ?? 0, old[base + 2] ?? 0));
    }
  }

  private freeSlot(second: number, third: number): number {
    const mask = this.slotCount - 1;
    let slot = (second ^ third) & mask;
    while (this.words[slot * wordsPerSlot] !== 0) slot = (slot + 1) & mask;
    return slot * wordsPerSlot;
  }

  /** Adds one entry as it stands in a segment (48 bytes at `at`), lying in pack `ordinal`. The same entry twice is kept once. */
  insert(entries: Buffer, at: number, ordinal: number): void {
    const offsetBytes = entries.readUInt32LE(at + 36);
    for (const place of this.places(entries, at)) if (place.pack === ordinal && place.offsetBytes === offsetBytes) return;
    if ((this.used + 1) / this.slotCount > maxLoad) this.reserve(1);
    const base = this.freeSlot(entries.readInt32LE(at + 4), entries.readInt32LE(at + 8));
    const words = this.words;
    words[base + 1] = entries.readInt32LE(at + 4);
    words[base + 2] = entries.readInt32LE(at + 8);
    words[base + 3] = entries.readInt32LE(at + 12);
    words[base + 4] = ordinal;
    words[base + 5] = entries.readInt32LE(at + 36);
    words[base + 6] = entries.readInt32LE(at + 40);
    words[base + 7] = entries.readInt32LE(at + 44);
    // Last, so that a thread reading along never takes a half-written slot for a whole one.
    Atomics.store(words, base, entries.readInt32LE(at) || 1);
    this.used += 1;
  }

  /** All places of the chunk whose id starts at `at`, in the order they were added. */
  places(id: Buffer, at = 0): Place[] {
    const words = this.words;
    const mask = this.slotCount - 1;
    const first = id.readInt32LE(at) || 1;
    const second = id.readInt32LE(at + 4);
    const third = id.readInt32LE(at + 8);
    const last = id.readInt32LE(at + 12);
    const found: Place[] = [];
    for (let slot = (second ^ third) & mask; ; slot = (slot + 1) & mask) {
      const base = slot * wordsPerSlot;
      const seen = Atomics.load(words, base);
      if (seen === 0) return found;
      if (seen !== first || words[base + 1] !== second || words[base + 2] !== third || words[base + 3] !== last) continue;
      found.push(this.placeAt(base));
    }
  }

  has(id: Buffer): boolean {
    return this.places(id).length > 0;
  }

  /** Takes over what `other` knows of one chunk. */
  copyFrom(other: LocationTable, id: Buffer): void {
    if (this.has(id)) return;
    const entry = Buffer.alloc(48);
    id.copy(entry, 0, 0, 32);
    for (const place of other.places(id)) {
      entry.writeUInt32LE(place.offsetBytes, 36);
      entry.writeUInt32LE(place.recordBytes, 40);
      entry.writeUInt32LE(place.lengthWord, 44);
      this.insert(entry, 0, this.addPack(other.pack(place.pack)));
    }
  }

  private placeAt(base: number): Place {
    const words = this.words;
    return {
      pack: words[base + 4] ?? 0,
      offsetBytes: (words[base + 5] ?? 0) >>> 0,
      recordBytes: (words[base + 6] ?? 0) >>> 0,
      lengthWord: (words[base + 7] ?? 0) >>> 0,
    };
  }
}

export function toLocation(table: LocationTable, place: Place): ChunkLocation {
  return {
    pack: packObjectName(table.pack(place.pack).name),
    offsetBytes: place.offsetBytes,
    storedBytes: place.recordBytes,
    plainBytes: place.lengthWord & 0x0fffffff,
  };
}
