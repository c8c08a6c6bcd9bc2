/**
 * What a machine remembers of its last point of a series: the maps, which it may not be able to read back from the vault. With it an
 * incremental names the chunks of unchanged ranges without reading them. A cache: whatever is odd about it, it is not used.
 *
 * Layout, little-endian: `DFMEMO01`; u32 number of texts, each u32 length and UTF-8 (vault, point, one a disk); per disk u32 number of ids,
 * ids (32 bytes each), u32 number of entries, entries (f64 offset, f64 length, u32 id number + 1 or 0 for zeros, u32 offset in the chunk);
 * u32 length of the notes, notes (whatever the cutter wants to know again); SHA-256 of all before.
 */
import { createHash } from 'node:crypto';
import type { MapEntry } from '@diskfleet/vault';

const MAGIC = Buffer.from('DFMEMO01');
const ID_BYTES = 32;
export const ENTRY_BYTES = 24;
const HASH_BYTES = 32;
const MAX_TEXTS = 1026;

export interface RememberedHead {
  readonly vaultId: string;
  readonly pointId: string;
  /** Name, serial and size of each disk: another disk is another memory. */
  readonly disks: readonly string[];
}

export interface Remembered extends RememberedHead {
  entries(disk: number): Iterable<MapEntry>;
  /** The entries of a disk as they are kept, for threads. */
  records(disk: number): SharedArrayBuffer;
  readonly notes: Buffer;
}

export function encodeRemembered(head: RememberedHead, maps: Iterable<Iterable<MapEntry>>, notes: Uint8Array): Buffer {
  const texts = [head.vaultId, head.pointId, ...head.disks].map((text) => Buffer.from(text));
  const parts: Uint8Array[] = [MAGIC, u32(texts.length), ...texts.flatMap((text) => [u32(text.length), text])];
  for (const map of maps) parts.push(...encodeMap(map));
  parts.push(u32(notes.length), notes);
  const hash = createHash('sha256');
  for (const bytes of parts) hash.update(bytes);
  return Buffer.concat([...parts, hash.digest()]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function encodeMap(map: Iterable<MapEntry>): Buffer[] {
  const ids = new GrowingBuffer(ID_BYTES);
  const entries = new GrowingBuffer(ENTRY_BYTES);
  const numbers = new Map<string, number>();
  for (const entry of map) {
    const bytes = entries.next();
    bytes.writeDoubleLE(entry.offsetBytes, 0);
    bytes.writeDoubleLE(entry.lengthBytes, 8);
    if (entry.kind === 'zero') continue;
    const key = entry.chunkId.toString('latin1');
    const number = numbers.get(key) ?? ids.count + 1;
    if (number > ids.count) {
      ids.next().set(entry.chunkId);
      numbers.set(key, number);
    }
    bytes.writeUInt32LE(number, 16);
    bytes.writeUInt32LE(entry.chunkOffsetBytes, 20);
  }
  return [u32(ids.count), ids.bytes(), u32(entries.count), entries.bytes()];
}

/** Records of one size, appended without an object for each. */
class GrowingBuffer {
  readonly #recordBytes: number;
  #memory: Buffer;
  count = 0;

  constructor(recordBytes: number) {
    this.#recordBytes = recordBytes;
    this.#memory = Buffer.alloc(recordBytes * 256);
  }

  /** The next record, zeroed; valid until the next call. */
  next(): Buffer {
    const at = this.count * this.#recordBytes;
    if (at + this.#recordBytes > this.#memory.length) {
      const grown = Buffer.alloc(this.#memory.length * 2);
      this.#memory.copy(grown);
      this.#memory = grown;
    }
    this.count += 1;
    return this.#memory.subarray(at, at + this.#recordBytes);
  }

  bytes(): Buffer {
    return this.#memory.subarray(0, this.count * this.#recordBytes);
  }
}

/** Null for anything that is not exactly what `encodeRemembered` wrote. */
export function decodeRemembered(bytes: Uint8Array | null): Remembered | null {
  if (bytes === null || bytes.length < MAGIC.length + HASH_BYTES) return null;
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const body = all.subarray(0, -HASH_BYTES);
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (!createHash('sha256').update(body).digest().equals(all.subarray(-HASH_BYTES))) return null;
  try {
    return readBody(body);
  } catch (error) {
    // The hash is right, so another version of this program wrote it.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readBody(body: Buffer): Remembered | null {
  let at = MAGIC.length;
  const number = () => {
    at += 4;
    return body.readUInt32LE(at - 4);
  };
  const slice = (length: number) => {
    if (at + length > body.length) throw new RangeError('too short');
    at += length;
    return body.subarray(at - length, at);
  };
  const count = number();
  if (count < 2 || count > MAX_TEXTS) return null;
  const [vaultId = '', pointId = '', ...disks] = Array.from({ length: count }, () => slice(number()).toString());
  const maps = disks.map(() => {
    const ids = slice(number() * ID_BYTES);
    return { ids, entries: slice(number() * ENTRY_BYTES) };
  });
  const notes = slice(number());
  if (at !== body.length) return null;
  return {
    vaultId,
    pointId,
    disks,
    notes,
    entries: (disk) => {
      const map = maps[disk];
      return map === undefined ? [] : readMap(map);
    },
    records: (disk) => {
      const entries = maps[disk]?.entries ?? Buffer.alloc(0);
      const shared = new SharedArrayBuffer(entries.length);
      Buffer.from(shared).set(entries);
      return shared;
    },
  };
}

function* readMap({ ids, entries }: { ids: Buffer; entries: Buffer }): Generator<MapEntry> {
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    const place = { offsetBytes: entries.readDoubleLE(at), lengthBytes: entries.readDoubleLE(at + 8) };
    const number = entries.readUInt32LE(at + 16);
    if (number === 0) yield { kind: 'zero', ...place };
    else {
      const chunkId = ids.subarray((number - 1) * ID_BYTES, number * ID_BYTES);
      yield { kind: 'data', ...place, chunkId, chunkOffsetBytes: entries.readUInt32LE(at + 20) };
    }
  }
}
