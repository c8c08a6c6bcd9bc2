/** [F13] Index segments: immutable, sorted, content-named lists of which chunk lies where. */
import { ByteReader, ByteWriter } from '../bytes.ts';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac, sha256 } from '../keys/derive.ts';
import type { SealedPack } from '../types.ts';
import { entryBytes, typeCode } from './entry.ts';
import type { PackRow } from './locationTable.ts';

const magic = 'DFINDEX1';
const version = 1;
export const headerBytes = 64;
const macBytes = 32;
export const packRowBytes = 48;
/** The names a merged segment lists. */
export const idBytesOfNames = 32;
/** Far above what any writer made (13 MiB): a reader does not ask for memory on the word of a file's size. */
export const maxSegmentBytes = 256 << 20;
/** A run with more chunks than this writes several segments: 6 MiB each, so that a reader's memory stays small. */
export const maxEntries = 1 << 17;

const indexEpoch = '00000000';
export const indexPrefix = 'index/';

export interface SegmentKey {
  readonly vaultId: string;
  readonly idKey: Uint8Array;
}

export interface Segment {
  /** Made when first asked for: in a large vault a million of these would be garbage at once. */
  readonly packs: readonly PackRow[];
  /** The same as 48 bytes a pack: SHA-256, size (u64), kind (u8), zero. */
  readonly packTable: Buffer;
  /** Names (hex) of segments this one replaces. */
  readonly superseded: readonly string[];
  readonly entryCount: number;
  /** `entryCount` × 48 bytes. */
  readonly entries: Buffer;
}

/** [F13] `index/<epoch>/<hash>`. */
export function segmentObjectName(hash: string): string {
  return `index/${indexEpoch}/${hash}`;
}

function vaultIdBytes(vaultId: string): Buffer {
  return Buffer.from(vaultId.replaceAll('-', ''), 'hex');
}

/** Builds the segments that list `packs`; each comes with its object name. */
export function encodeSegments(packs: readonly SealedPack[], key: SegmentKey): { name: string; bytes: Buffer }[] {
  const groups: SealedPack[][] = [];
  let room = 0;
  for (const pack of packs) {
    const count = pack.entries.length / entryBytes;
    const group = groups.at(-1);
    if (group !== undefined && count <= room) {
      group.push(pack);
      room -= count;
    } else {
      groups.push([pack]);
      room = maxEntries - count;
    }
  }
  return groups.map((group) => encodeSegment(group, key, []));
}

/** One segment that lists `packs`. @param superseded names (hex) of the segments whose place it takes. */
export function encodeSegment(
  packs: readonly SealedPack[],
  key: SegmentKey,
  superseded: readonly string[],
): { name: string; bytes: Buffer } {
  const packTable = Buffer.alloc(packs.length * packRowBytes);
  const entries = Buffer.alloc(packs.reduce((sum, pack) => sum + pack.entries.length, 0));
  let end = 0;
  for (const [ordinal, pack] of packs.entries()) {
    packTable.write(pack.name, ordinal * packRowBytes, 'hex');
    packTable.writeBigUInt64LE(BigInt(pack.sizeBytes), ordinal * packRowBytes + 32);
    packTable.writeUInt8(pack.kind === 'data' ? 1 : 2, ordinal * packRowBytes + 40);
    entries.set(pack.entries, end);
    for (const stop = end + pack.entries.length; end < stop; end += entryBytes) entries.writeUInt32LE(ordinal, end + 32);
  }
  return encodeEntries({ packTable, entries, superseded }, key);
}

/**
 * One segment of entries in any order under packs in any order; the same content gives the same bytes. Needs no more memory than the
 * segment has, besides what it is given. Changes the ordinals in `entries`.
 */
export function encodeEntries(
  { packTable, entries, superseded }: { packTable: Buffer; entries: Buffer; superseded: readonly string[] },
  key: SegmentKey,
): { name: string; bytes: Buffer } {
  const [packCount, entryCount] = [packTable.length / packRowBytes, entries.length / entryBytes];
  const tableAt = headerBytes;
  const namesAt = tableAt + packTable.length;
  const entriesAt = namesAt + superseded.length * idBytesOfNames;
  const macAt = entriesAt + entries.length;
  const bytes = Buffer.alloc(macAt + macBytes);
  const head = new ByteWriter();
  head.text(magic).u16(version).u16(entryBytes).u32(packCount).u32(superseded.length).u32(entryCount);
  bytes.set(head.raw(vaultIdBytes(key.vaultId)).bytes());
  const ordinals = placePacks(packTable, bytes.subarray(tableAt, namesAt));
  for (const [at, hash] of superseded.entries()) bytes.write(hash, namesAt + at * idBytesOfNames, 'hex');
  for (let at = 32; at < entries.length; at += entryBytes) {
    entries.writeUInt32LE(ordinals[entries.readUInt32LE(at)] ?? 0, at);
  }
  sortEntries(entries, bytes.subarray(entriesAt, macAt));
  hmac(deriveKey(key.idKey, key.vaultId, 'index'), bytes.subarray(0, macAt)).copy(bytes, macAt);
  return { name: segmentObjectName(sha256(bytes).toString('hex')), bytes };
}

/** Copies the rows in order of name; returns the new ordinal of each. */
function placePacks(table: Buffer, target: Buffer): Uint32Array {
  const count = table.length / packRowBytes;
  const order = Uint32Array.from({ length: count }, (_, at) => at).sort((a, b) =>
    table.compare(table, b * packRowBytes, b * packRowBytes + 32, a * packRowBytes, a * packRowBytes + 32),
  );
  const ordinals = new Uint32Array(count);
  for (const [place, at] of order.entries()) {
    table.copy(target, place * packRowBytes, at * packRowBytes, (at + 1) * packRowBytes);
    ordinals[at] = place;
  }
  return ordinals;
}

/** All entries by id, then pack ordinal; sorts numbers, not objects, so a large backup does not stall its commit. */
function sortEntries(all: Buffer, target: Buffer): void {
  const starts = Uint32Array.from({ length: all.length / entryBytes }, (_, at) => all.readUInt32BE(at * entryBytes));
  const order = Uint32Array.from(starts.keys()).sort((a, b) => {
    const first = (starts[a] ?? 0) - (starts[b] ?? 0);
    if (first !== 0) return first;
    const [left, right] = [a * entryBytes, b * entryBytes];
    return all.compare(all, right, right + 32, left, left + 32) || all.readUInt32LE(left + 32) - all.readUInt32LE(right + 32);
  });
  for (const [place, at] of order.entries()) all.copy(target, place * entryBytes, at * entryBytes, (at + 1) * entryBytes);
}

/**
 * What the first bytes of a segment claim, unchecked but for its size: good for planning what to read, never for what to believe.
 * Null when no segment of that size can say so.
 */
export function peekSegmentHead(
  bytes: Buffer,
  sizeBytes: number,
): { packCount: number; entryCount: number; supersededCount: number } | null {
  if (bytes.length < headerBytes || bytes.toString('latin1', 0, 8) !== magic) return null;
  const packCount = bytes.readUInt32LE(12);
  const supersededCount = bytes.readUInt32LE(16);
  const entryCount = bytes.readUInt32LE(20);
  const listed = packCount * packRowBytes + supersededCount * idBytesOfNames + entryCount * entryBytes;
  return headerBytes + listed + macBytes === sizeBytes ? { packCount, entryCount, supersededCount } : null;
}

/** Whether the entry at `at` is a map node's, not a data chunk's. */
export function isNode(entries: Buffer, at: number): boolean {
  return entries.readUInt32LE(at + 44) >>> 28 !== typeCode('data');
}

export function countNodes({ entries }: Segment): number {
  let nodes = 0;
  for (let at = 0; at < entries.length; at += entryBytes) if (isNode(entries, at)) nodes += 1;
  return nodes;
}

/** The packs of a decoded segment with their entries, in the form they were sealed in. */
export function packsOfSegment(segment: Segment): SealedPack[] {
  const counts = new Uint32Array(segment.packs.length);
  const { entries } = segment;
  for (let at = 32; at < entries.length; at += entryBytes)
    counts[entries.readUInt32LE(at)] = (counts[entries.readUInt32LE(at)] ?? 0) + 1;
  const found = segment.packs.map((pack, ordinal) => ({ ...pack, entries: Buffer.alloc((counts[ordinal] ?? 0) * entryBytes) }));
  const ends = new Uint32Array(found.length);
  for (let at = 0; at < entries.length; at += entryBytes) {
    const ordinal = entries.readUInt32LE(at + 32);
    const end = ends[ordinal] ?? 0;
    const target = found[ordinal]?.entries;
    if (target === undefined) continue;
    entries.copy(target, end, at, at + entryBytes);
    target.writeUInt32LE(0, end + 32);
    ends[ordinal] = end + entryBytes;
  }
  return found;
}

/**
 * Reads a segment. With the id key its MAC is checked, without it only its name.
 * @throws VaultError `VAULT_DAMAGED`.
 */
export function decodeSegment(bytes: Buffer, name: string, key: { vaultId: string; idKey: Uint8Array | null }): Segment {
  const reader = new ByteReader(bytes, name, 'VAULT_DAMAGED');
  if (!name.endsWith(`/${sha256(bytes).toString('hex')}`)) reader.fail('its bytes do not have the hash it is named by');
  reader.magic(magic);
  if (reader.u16() !== version)
    throw new VaultError('VAULT_TOO_NEW', `${name} has a version this program (version 1) does not know`);
  if (reader.u16() !== entryBytes) reader.fail('its entries have another size');
  const packCount = reader.u32();
  const supersededCount = reader.u32();
  const entryCount = reader.u32();
  if (!reader.take(16).equals(vaultIdBytes(key.vaultId))) reader.fail('it belongs to another vault');
  reader.zeros(headerBytes - reader.position);
  if (key.idKey !== null) {
    const mac = hmac(deriveKey(key.idKey, key.vaultId, 'index'), bytes.subarray(0, -macBytes));
    if (!mac.equals(bytes.subarray(-macBytes))) reader.fail('it was not written by a writer of this vault');
  }
  const packTable = reader.take(packCount * packRowBytes);
  checkPackTable(packTable, reader);
  const superseded: string[] = [];
  for (let at = 0; at < supersededCount; at += 1) superseded.push(reader.take(32).toString('hex'));
  const entries = reader.take(entryCount * entryBytes);
  reader.take(macBytes);
  reader.end();
  for (let at = 0; at < entries.length; at += entryBytes) {
    if (entries.readUInt32LE(at + 32) >= packCount) reader.fail('an entry names a pack that is not in its table');
  }
  let packs: PackRow[] | null = null;
  return {
    get packs() {
      packs ??= readPackRows(packTable);
      return packs;
    },
    ...{ packTable, superseded, entryCount, entries },
  };
}

function checkPackTable(table: Buffer, reader: ByteReader): void {
  for (let at = 0; at < table.length; at += packRowBytes) {
    const kind = table[at + 40];
    if (kind !== 1 && kind !== 2) reader.fail(`pack kind ${kind} is unknown`);
    if (table.readUIntLE(at + 41, 6) !== 0 || table[at + 47] !== 0) reader.fail('reserved bytes of a pack are not zero');
    if (table.readUInt32LE(at + 36) >= 1 << 21) reader.fail('the size of a pack is absurdly large');
  }
}

function readPackRows(table: Buffer): PackRow[] {
  return Array.from({ length: table.length / packRowBytes }, (_, ordinal) => packRowAt(table, ordinal));
}

/** One row of a decoded segment's pack table. */
export function packRowAt(table: Buffer, ordinal: number): PackRow {
  const at = ordinal * packRowBytes;
  const sizeBytes = Number(table.readBigUInt64LE(at + 32));
  return { name: table.toString('hex', at, at + 32), sizeBytes, kind: table[at + 40] === 1 ? 'data' : 'meta' };
}
