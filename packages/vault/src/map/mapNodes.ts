/** [F14]–[F16] The three kinds of map node in bytes. One content has one encoding, so an unchanged region keeps its id. */
import { ByteReader, ByteWriter } from '../bytes.ts';
import { idBytes } from '../index/entry.ts';

/** A leaf covers this much of the device, a page this many leaves (256 GiB). */
export const regionBytes = 64 << 20;
export const leavesPerPage = 4096;
export const pageBytes = regionBytes * leavesPerPage;

/** An entry relative to its region. `chunk` is null for zeros. */
export interface LeafEntry {
  readonly at: number;
  readonly length: number;
  readonly chunk: Buffer | null;
  readonly chunkOffset: number;
}

/** @param entries in order, without overlap, inside one region, neighbours already joined. */
export function encodeLeaf(entries: readonly LeafEntry[]): Buffer {
  const ordinals = new Map<string, number>();
  const table = new ByteWriter();
  const body = new ByteWriter();
  let end = 0;
  for (const entry of entries) {
    body.varint(entry.at - end).varint(entry.length * 2 + (entry.chunk === null ? 0 : 1));
    end = entry.at + entry.length;
    if (entry.chunk === null) continue;
    const key = entry.chunk.toString('latin1');
    const seen = ordinals.size;
    const ordinal = ordinals.get(key) ?? seen;
    if (ordinal === seen) {
      ordinals.set(key, ordinal);
      table.raw(entry.chunk);
    }
    body.varint(seen - ordinal).varint(entry.chunkOffset);
  }
  const out = new ByteWriter().text('LEAF').u8(1).varint(ordinals.size).varint(entries.length);
  return Buffer.from(out.raw(table.bytes()).raw(body.bytes()).bytes());
}

/** @throws VaultError `POINT_DAMAGED`. */
export function decodeLeaf(bytes: Uint8Array, what: string): LeafEntry[] {
  const reader = new ByteReader(bytes, what, 'POINT_DAMAGED');
  reader.magic('LEAF');
  if (reader.u8() !== 1) reader.fail('its version is not 1');
  const chunkCount = reader.varint();
  const entryCount = reader.varint();
  const table = reader.take(chunkCount * idBytes);
  // Many entries name one chunk: they share its id.
  const ids: Buffer[] = [];
  // An entry takes at least two bytes: a damaged count cannot ask for more memory than the leaf has.
  if (entryCount * 2 > reader.remaining) reader.fail('it counts more entries than it has');
  const entries: LeafEntry[] = [];
  let end = 0;
  let seen = 0;
  for (let count = 0; count < entryCount; count += 1) {
    const at = end + reader.varint();
    const word = reader.varint();
    const length = Math.floor(word / 2);
    end = at + length;
    if (length === 0 || end > regionBytes) reader.fail('an entry leaves the region');
    if (word % 2 === 0) {
      entries.push({ at, length, chunk: null, chunkOffset: 0 });
      continue;
    }
    // 0 is the next chunk of the table, 1 the newest one used, 2 the one before.
    const ordinal = seen - reader.varint();
    if (ordinal < 0 || ordinal >= chunkCount) reader.fail('an entry names a chunk that is not in its table');
    if (ordinal === seen) {
      ids.push(table.subarray(ordinal * idBytes, (ordinal + 1) * idBytes));
      seen += 1;
    }
    entries.push({ at, length, chunk: ids[ordinal] ?? table, chunkOffset: reader.varint() });
  }
  reader.end();
  return entries;
}

/** Ids of the children that exist, by their place; what is left out was free throughout. Used by pages and the root. */
export interface ChildId {
  readonly index: number;
  readonly id: Buffer;
}

export function encodePage(leaves: readonly ChildId[]): Buffer {
  return Buffer.from(writeChildren(new ByteWriter().text('PAGE').u8(1), leaves).bytes());
}

export function encodeRoot(pages: readonly ChildId[], deviceSizeBytes: number): Buffer {
  return Buffer.from(writeChildren(new ByteWriter().text('ROOT').u8(1).u64(deviceSizeBytes), pages).bytes());
}

/** @throws VaultError `POINT_DAMAGED`. */
export function decodePage(bytes: Uint8Array, what: string): ChildId[] {
  const reader = new ByteReader(bytes, what, 'POINT_DAMAGED');
  reader.magic('PAGE');
  if (reader.u8() !== 1) reader.fail('its version is not 1');
  return readChildren(reader, leavesPerPage);
}

/** @throws VaultError `POINT_DAMAGED`. */
export function decodeRoot(bytes: Uint8Array, what: string): { pages: ChildId[]; deviceSizeBytes: number } {
  const reader = new ByteReader(bytes, what, 'POINT_DAMAGED');
  reader.magic('ROOT');
  if (reader.u8() !== 1) reader.fail('its version is not 1');
  const deviceSizeBytes = reader.u64();
  return { deviceSizeBytes, pages: readChildren(reader, Math.ceil(deviceSizeBytes / pageBytes)) };
}

function writeChildren(out: ByteWriter, children: readonly ChildId[]): ByteWriter {
  out.varint(children.length);
  let next = 0;
  for (const child of children) {
    out.varint(child.index - next).raw(child.id);
    next = child.index + 1;
  }
  return out;
}

function readChildren(reader: ByteReader, limit: number): ChildId[] {
  const count = reader.varint();
  const children: ChildId[] = [];
  let next = 0;
  for (let done = 0; done < count; done += 1) {
    const index = next + reader.varint();
    if (index >= limit) reader.fail('a child lies beyond the end');
    children.push({ index, id: reader.take(idBytes) });
    next = index + 1;
  }
  reader.end();
  return children;
}
