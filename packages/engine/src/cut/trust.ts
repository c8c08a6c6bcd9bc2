/**
 * Which chunks may be taken from the last point without reading them, because the metadata of every file in them is what it was. Pure.
 *
 * A chunk is believed when all its files are, and when the remembered map has for all its pieces one chunk, in which they lie as they
 * would lie now, and nothing else. So the id it had is the id it must have now: a sample is read, and one that differs says that the
 * metadata lied.
 */
import type { MapEntry } from '@diskfleet/vault';
import type { DiskPlan } from './planFiles.ts';

const SAMPLE_SHARE = 0.01;
const SMALLEST_SAMPLE = 16;

export interface TrustFacts {
  /** The map of the last point, in the order of the disk; walked twice. */
  readonly entries: () => Iterable<MapEntry>;
  /** Whether the vault still has a chunk. */
  readonly has: (chunkId: Uint8Array) => boolean;
  /** Chooses the sample: another one for every run. */
  readonly seed: string;
}

export interface Trust {
  /** 1 for each chunk that is believed. */
  readonly trusted: Uint8Array;
  /** 1 for each of them that is read all the same. */
  readonly sample: Uint8Array;
  readonly trustedChunks: number;
}

export function decideTrust(plan: DiskPlan, { entries, has, seed }: TrustFacts): Trust {
  const keys = chunkKeys(plan, entries());
  const totals = new Map<string, number>();
  const lost = new Set<string>();
  for (const entry of entries()) {
    if (entry.kind === 'zero') continue;
    const key = keyOf(entry);
    if (!totals.has(key) && !has(entry.chunkId)) lost.add(key);
    totals.set(key, (totals.get(key) ?? 0) + entry.lengthBytes);
  }
  const bytesOf = pieceBytesOf(plan);
  const trusted = plan.doubtful.map((doubt, chunk) => {
    const key = keys[chunk] ?? null;
    if (doubt !== 0 || key === null) return 0;
    return key === ZERO || (!lost.has(key) && totals.get(key) === bytesOf[chunk]) ? 1 : 0;
  });
  const trustedChunks = trusted.reduce((sum, flag) => sum + flag, 0);
  return { trusted, trustedChunks, sample: sampleOf(trusted, trustedChunks, seed) };
}

/** Whether the chunks of the sample, read anew, are those of the last point. */
export function sampleHolds(
  plan: DiskPlan,
  { sample }: Trust,
  maps: { before: Iterable<MapEntry>; now: Iterable<MapEntry> },
): boolean {
  const [before, now] = [chunkKeys(plan, maps.before), chunkKeys(plan, maps.now)];
  return sample.every((flag, chunk) => flag === 0 || (now[chunk] !== null && now[chunk] === before[chunk]));
}

/** In place of a chunk id where all is zero. */
const ZERO = '';

function keyOf(entry: MapEntry & { kind: 'data' }): string {
  return Buffer.from(entry.chunkId).toString('latin1');
}

/** The id of the chunk in which all pieces of each chunk lie at their places; null where there is no such one. */
function chunkKeys(
  { pieces: { offset, bytes, chunk, at }, chunkBytes }: DiskPlan,
  entries: Iterable<MapEntry>,
): (string | null)[] {
  const keys = new Array<string | null | undefined>(chunkBytes.length);
  const iterator = entries[Symbol.iterator]();
  let next = iterator.next();
  for (let piece = 0; piece < offset.length; piece++) {
    const start = offset[piece] ?? 0;
    const end = start + (bytes[piece] ?? 0);
    const number = chunk[piece] ?? 0;
    for (let from = start; from < end; ) {
      while (!next.done && next.value.offsetBytes + next.value.lengthBytes <= from) next = iterator.next();
      if (next.done || next.value.offsetBytes > from) {
        keys[number] = null;
        break;
      }
      const entry = next.value;
      const fits = entry.kind === 'zero' || entry.chunkOffsetBytes - entry.offsetBytes === (at[piece] ?? 0) - start;
      const key = entry.kind === 'zero' ? ZERO : keyOf(entry);
      const known = keys[number];
      keys[number] = fits && (known === undefined || known === key) ? key : null;
      from = entry.offsetBytes + entry.lengthBytes;
    }
  }
  return Array.from(keys, (key) => key ?? null);
}

function pieceBytesOf({ pieces: { bytes, chunk }, chunkBytes }: DiskPlan): Float64Array {
  const sums = new Float64Array(chunkBytes.length);
  for (const [piece, length] of bytes.entries()) sums[chunk[piece] ?? 0] = (sums[chunk[piece] ?? 0] ?? 0) + length;
  return sums;
}

/** Every believed chunk has the same chance; at least 16 are chosen, or all there are. */
function sampleOf(trusted: Uint8Array, count: number, seed: string): Uint8Array {
  let wanted = Math.min(count, Math.max(SMALLEST_SAMPLE, Math.ceil(count * SAMPLE_SHARE)));
  let left = count;
  let state = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 0x01000193);
  return trusted.map((flag) => {
    if (flag === 0) return 0;
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const chosen = ((state >>> 8) / 2 ** 24) * left < wanted ? 1 : 0;
    left -= 1;
    wanted -= chosen;
    return chosen;
  });
}
