/** [F20] What a run need not store again: chunks that a sound segment lists in a pack that is there with the listed size. */
import { entryBytes } from '../index/entry.ts';
import { allocateKnownChunks, type KnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { liveSegments, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
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
  const listed = heads.reduce((sum, head) => sum + head.entryCount, 0);
  const knownSlots = knownSlotsFor(listed + more);
  const memory = allocateKnownChunks(knownSlots);
  const known = knownChunks(memory, knownSlots);
  for await (const { segment } of liveSegments(source, heads, () => {})) {
    const { packTable } = segment;
    const usable = Uint8Array.from({ length: packTable.length / packRowBytes }, (_, ordinal) => {
      const row = packTable.subarray(ordinal * packRowBytes, (ordinal + 1) * packRowBytes);
      const doomed = without.size > 0 && without.has(row.toString('hex', 0, 32));
      return !doomed && present.has(keyOf(row, row.readUInt32LE(32), row.readUInt32LE(36))) ? 1 : 0;
    });
    const { entries } = segment;
    for (let at = 0; at < entries.length; at += entryBytes) {
      if (usable[entries.readUInt32LE(at + 32)] === 1) known.claim(entries, at);
    }
  }
  return { knownChunks: memory, knownSlots };
}

/** Packs in the store, by name and size; a million of them take 9 MB, and 12 more while they are listed. */
export async function presentPacks(store: Store): Promise<KnownChunks> {
  const pieces: Buffer[] = [];
  let count = 0;
  for await (const { name, sizeBytes } of store.list('packs/')) {
    const hash = name.slice(name.lastIndexOf('/') + 1);
    if (!/^[0-9a-f]{64}$/.test(hash)) continue;
    const place = count % keysPerPiece;
    if (place === 0) pieces.push(Buffer.alloc(keysPerPiece * keyBytes));
    packKey(hash, sizeBytes).copy(pieces.at(-1) ?? Buffer.alloc(0), place * keyBytes);
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

/** The name's first bytes with the size mixed in: a pack of another size is another pack. */
export function packKey(hash: string, sizeBytes: number): Buffer {
  return keyOf(Buffer.from(hash.slice(0, 2 * keyBytes), 'hex'), sizeBytes >>> 0, Math.floor(sizeBytes / 2 ** 32));
}

function keyOf(name: Buffer, sizeLow: number, sizeHigh: number): Buffer {
  const key = Buffer.from(name.subarray(0, keyBytes));
  key.writeInt32LE(key.readInt32LE(4) ^ sizeLow, 4);
  key.writeInt32LE(key.readInt32LE(8) ^ sizeHigh, 8);
  return key;
}
