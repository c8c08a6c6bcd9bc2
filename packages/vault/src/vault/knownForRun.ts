/** [F20] What a run need not store again: chunks that a sound segment lists in a pack that is there with the listed size. */
import { VaultError } from '../errors.ts';
import { entryBytes } from '../index/entry.ts';
import { allocateKnownChunks, type KnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { entriesToExpect, liveSegments, type SegmentHead, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { packRowBytes } from '../index/segment.ts';
import type { Store } from '../types.ts';

const keyBytes = 12;
const keysPerPiece = 4096;

export interface KnownForRun {
  readonly knownChunks: SharedArrayBuffer;
  readonly knownSlots: number;
}

/**
 * Reads the whole index once, segment by segment; what stays is 9 bytes a chunk.
 * @param more chunks the run may add @param without packs (hex names) that are about to be swept
 */
export async function knownForRun(source: SegmentSource, more: number, without: ReadonlySet<string>): Promise<KnownForRun> {
  const present = await presentPacks(source.store);
  const heads = await segmentHeads(source.store);
  const { live, most } = await entriesToExpect(source.store, heads);
  const use = { source, heads, present, without };
  // Entries stand in merged segments and in those these replace: only when a merged one is damaged is there more to hold.
  return (await fillKnown(use, live, more)) ?? (await fillKnown(use, most, more)) ?? tooMany();
}

interface Filling {
  readonly source: SegmentSource;
  readonly heads: readonly SegmentHead[];
  readonly present: KnownChunks;
  readonly without: ReadonlySet<string>;
}

/** Null when there were more entries than `room`. */
async function fillKnown({ source, heads, present, without }: Filling, room: number, more: number): Promise<KnownForRun | null> {
  const knownSlots = knownSlotsFor(room + more);
  const memory = allocateKnownChunks(knownSlots);
  const known = knownChunks(memory, knownSlots);
  let listed = 0;
  for await (const { segment } of liveSegments(source, heads, () => {})) {
    listed += segment.entryCount;
    if (listed > room) return null;
    const { packTable, entries } = segment;
    const usable = new Uint8Array(packTable.length / packRowBytes);
    for (let row = 0; row < packTable.length; row += packRowBytes) {
      const doomed = without.size > 0 && without.has(packTable.toString('hex', row, row + 32));
      usable[row / packRowBytes] = !doomed && isListed(present, packTable, row) ? 1 : 0;
    }
    for (let at = 0; at < entries.length; at += entryBytes) {
      if (usable[entries.readUInt32LE(at + 32)] === 1) known.claim(entries, at);
    }
  }
  return { knownChunks: memory, knownSlots };
}

function tooMany(): never {
  throw new VaultError('VAULT_STORE_FAILED', 'index segments were added faster than they could be read', { retry: 'later' });
}

/** Packs in the store, by name and size; a million of them take 9 MB, and 12 more while they are listed. */
export async function presentPacks(store: Store, onPack?: (sizeBytes: number) => void): Promise<KnownChunks> {
  const pieces: Buffer[] = [];
  let count = 0;
  for await (const { name, sizeBytes } of store.list('packs/')) {
    const hash = name.slice(name.lastIndexOf('/') + 1);
    onPack?.(sizeBytes);
    if (!isPackHash(hash)) continue;
    const place = count % keysPerPiece;
    if (place === 0) pieces.push(Buffer.alloc(keysPerPiece * keyBytes));
    writePackKey(pieces.at(-1) ?? Buffer.alloc(0), place * keyBytes, { hash, sizeBytes });
    count += 1;
  }
  const slots = knownSlotsFor(count);
  const present = knownChunks(allocateKnownChunks(slots), slots);
  for (let key = 0; key < count; key += 1) {
    const piece = pieces[Math.floor(key / keysPerPiece)];
    if (piece !== undefined) present.claim(piece, (key % keysPerPiece) * keyBytes);
  }
  return present;
}

/** Whether this is the name of a pack in hex. */
export function isPackHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The name's first bytes with the size mixed in: a pack of another size is another pack. */
export function packKey(hash: string, sizeBytes: number): Buffer {
  const key = Buffer.alloc(keyBytes);
  writePackKey(key, 0, { hash, sizeBytes });
  return key;
}

function writePackKey(target: Buffer, at: number, { hash, sizeBytes }: { hash: string; sizeBytes: number }): void {
  target.write(hash.slice(0, 2 * keyBytes), at, 'hex');
  mixIn(target, at, { low: sizeBytes >>> 0, high: Math.floor(sizeBytes / 2 ** 32) });
}

const rowKey = Buffer.alloc(keyBytes);

/** Whether the pack of the row at `at` of a segment's pack table is there with that size. */
export function isListed(present: KnownChunks, packTable: Buffer, at: number): boolean {
  packTable.copy(rowKey, 0, at, at + keyBytes);
  mixIn(rowKey, 0, { low: packTable.readUInt32LE(at + 32), high: packTable.readUInt32LE(at + 36) });
  return present.has(rowKey);
}

function mixIn(key: Buffer, at: number, { low, high }: { low: number; high: number }): void {
  key.writeInt32LE(key.readInt32LE(at + 4) ^ low, at + 4);
  key.writeInt32LE(key.readInt32LE(at + 8) ^ high, at + 8);
}
