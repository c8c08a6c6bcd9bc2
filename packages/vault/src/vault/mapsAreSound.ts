/**
 * [F22] Whether every map of every point leads to chunks that are there, in bounded memory and as fast as leaves can be read. Says yes or
 * "look closer": `verifyMaps.ts` then finds out what is wrong with what. The chunks of a large vault are checked in several passes, each
 * over a part of all ids.
 */
import { VaultError } from '../errors.ts';
import { type OpenedPoint, type Walk, walkPoints } from '../gc/walkPoints.ts';
import { ChunkLengths, chunkLengthsIn } from '../index/chunkLengths.ts';
import { entryBytes, maxPlainBytes } from '../index/entry.ts';
import { allocateKnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { liveSegments, type SegmentHead, type SegmentSource } from '../index/liveSegments.ts';
import { packRowAt, packRowBytes, type Segment } from '../index/segment.ts';
import { type LeafEntry, regionBytes } from '../map/mapNodes.ts';
import type { StoredChunkReader } from '../pack/chunkReader.ts';
import type { VaultIndex } from './vaultIndex.ts';
import type { BadPlaces } from './verifyPacks.ts';

/** 40 million chunks take three passes. */
const tableBytes = 128 << 20;

export interface SoundCheck {
  readonly source: SegmentSource;
  readonly heads: readonly SegmentHead[];
  /** Entries and, of these, map nodes that the segments list. */
  readonly listed: { readonly live: number; readonly nodes: number };
  readonly bad: BadPlaces;
  readonly reader: StoredChunkReader;
  /** Knows map nodes at least. */
  readonly index: VaultIndex;
  readonly points: readonly OpenedPoint[];
  readonly signal: AbortSignal | undefined;
  /** For tests: another size of the table. */
  readonly tableBytes?: number;
}

/** Thrown to end the walk at the first thing that is wrong. */
class NotSound extends Error {}

export async function mapsAreSound(check: SoundCheck): Promise<boolean> {
  const perPass = chunkLengthsIn(check.tableBytes ?? tableBytes);
  // Ids fall into passes by chance: six deviations of room, and should one ever overflow, somebody looks closer in vain.
  const expected = Math.max(1, perPass - 6 * Math.sqrt(perPass));
  const passes = check.listed.live <= perPass ? 1 : Math.ceil(check.listed.live / expected);
  const table = new ChunkLengths(Math.min(perPass, check.listed.live));
  const seenSlots = knownSlotsFor(check.listed.nodes);
  const seenMemory = allocateKnownChunks(seenSlots);
  const seen = knownChunks(seenMemory, seenSlots);
  try {
    for (let pass = 0; pass < passes; pass += 1) {
      const inPass = (id: Buffer, at: number) => id.readUInt32LE(at + 12) % passes === pass;
      table.clear();
      new Uint8Array(seenMemory).fill(0);
      if (!(await fill(check, table, inPass))) return false;
      await walkPoints(walkOf(check, { table, inPass, isFirst: (id) => seen.claim(id) }), check.points);
    }
    return true;
  } catch (cause) {
    if (cause instanceof NotSound || isDamage(cause)) return false;
    throw cause;
  }
}

type InPass = (id: Buffer, at: number) => boolean;

/** Notes what the sound segments list in sound places; false when that is more than was listed before. */
async function fill({ source, heads, bad, signal }: SoundCheck, table: ChunkLengths, inPass: InPass): Promise<boolean> {
  for await (const { segment } of liveSegments(source, heads, () => {})) {
    signal?.throwIfAborted();
    const { entries } = segment;
    const isBad = badPlacesOf(segment, bad);
    for (let at = 0; at < entries.length; at += entryBytes) {
      if (!inPass(entries, at) || isBad?.(at)) continue;
      if (!table.add(entries, at, entries.readUInt32LE(at + 44) & maxPlainBytes)) return false;
    }
  }
  return true;
}

function badPlacesOf({ entries, packTable }: Segment, bad: BadPlaces): ((at: number) => boolean) | null {
  if (bad.isEmpty) return null;
  const names = Array.from({ length: packTable.length / packRowBytes }, (_, ordinal) => packRowAt(packTable, ordinal).name);
  return (at) => bad.blame(names[entries.readUInt32LE(at + 32)] ?? '', entries.readUInt32LE(at + 36)) !== null;
}

function walkOf(
  { index, reader, signal }: SoundCheck,
  pass: { table: ChunkLengths; inPass: InPass; isFirst: (id: Buffer) => boolean },
): Walk {
  const { table, inPass } = pass;
  return {
    async readNodes(ids, onNode) {
      await index.lookUp(ids);
      await reader.readChunks(ids, onNode);
    },
    enter: ({ id }) => pass.isFirst(id),
    onRoot(deviceSizeBytes, { disk }) {
      if (deviceSizeBytes !== disk.sizeBytes) throw new NotSound();
    },
    onLeaf(entries, { index: region, disk }) {
      const last = entries.at(-1);
      if (last !== undefined && region * regionBytes + endOf(last) > disk.sizeBytes) throw new NotSound();
      for (const { chunk, chunkOffset, length } of entries) {
        if (chunk !== null && inPass(chunk, 0) && !table.holds(chunk, chunkOffset + length)) throw new NotSound();
      }
    },
    signal,
  };
}

function endOf({ at, length }: LeafEntry): number {
  return at + length;
}

function isDamage(cause: unknown): boolean {
  if (cause instanceof RangeError) return true;
  return cause instanceof VaultError && ['CHUNK_DAMAGED', 'CHUNK_MISSING', 'POINT_DAMAGED'].includes(cause.code);
}
