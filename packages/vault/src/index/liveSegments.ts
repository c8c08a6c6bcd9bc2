/** [F13] [F23] Streams the segments of a vault one by one, so that nobody has to hold the whole index to look at all of it. */
import type { Extent } from '@diskfleet/disk';
import { VaultError } from '../errors.ts';
import type { Store, StoredObject } from '../types.ts';
import {
  decodeSegment,
  headerBytes,
  idBytesOfNames,
  indexPrefix,
  maxSegmentBytes,
  packRowBytes,
  peekSegmentHead,
  type Segment,
  segmentObjectName,
} from './segment.ts';

const headsAtOnce = 16;

export interface NamedSegment {
  readonly name: string;
  readonly segment: Segment;
}

export interface SegmentHead {
  readonly name: string;
  readonly sizeBytes: number;
  readonly packCount: number;
  readonly entryCount: number;
  readonly supersededCount: number;
}

export interface SegmentSource {
  readonly store: Store;
  readonly vaultId: string;
  readonly idKey: Uint8Array | null;
}

const unknownHead = { packCount: 0, entryCount: 0, supersededCount: 0 };

/**
 * Names and claimed sizes of all segments the store lists now; those that supersede most come first, so that what they replace is not
 * read before it is known to be replaced. What cannot be peeked at counts 0 entries.
 * @param known heads read before, by name: they need not be read again.
 */
export async function segmentHeads(store: Store, known: ReadonlyMap<string, SegmentHead> = new Map()): Promise<SegmentHead[]> {
  const listed: StoredObject[] = [];
  for await (const one of store.list(indexPrefix)) listed.push(one);
  const head = async ({ name, sizeBytes }: StoredObject): Promise<SegmentHead> => {
    const before = known.get(name);
    if (before?.sizeBytes === sizeBytes) return before;
    const bytes = await readOrNothing(store, name, { offsetBytes: 0, lengthBytes: headerBytes });
    return { name, sizeBytes, ...(peekSegmentHead(bytes, sizeBytes) ?? unknownHead) };
  };
  const heads = await inGroups(listed, head);
  return heads.sort((a, b) => b.supersededCount - a.supersededCount);
}

/**
 * Object names of segments that merged ones say they replace. Unchecked: good for planning how much memory or work there will be, never
 * for leaving something out. Reads only the lists, not the segments.
 */
export async function claimedSuperseded(store: Store, heads: readonly SegmentHead[]): Promise<Set<string>> {
  const gone = new Set<string>();
  const merged = heads.filter((one) => one.supersededCount > 0);
  await inGroups(merged, async ({ name, packCount, supersededCount }) => {
    const lengthBytes = supersededCount * idBytesOfNames;
    const bytes = await readOrNothing(store, name, { offsetBytes: headerBytes + packCount * packRowBytes, lengthBytes });
    for (let at = 0; at < bytes.length; at += idBytesOfNames)
      gone.add(segmentObjectName(bytes.toString('hex', at, at + idBytesOfNames)));
  });
  return gone;
}

/** How many entries will be read if no merged segment is damaged, and how many if all are. */
export async function entriesToExpect(store: Store, heads: readonly SegmentHead[]): Promise<{ live: number; most: number }> {
  const gone = await claimedSuperseded(store, heads);
  const sum = (some: readonly SegmentHead[]) => some.reduce((total, head) => total + head.entryCount, 0);
  return { live: sum(heads.filter((head) => !gone.has(head.name))), most: sum(heads) };
}

async function inGroups<T, R>(all: readonly T[], step: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += headsAtOnce)
    results.push(...(await Promise.all(all.slice(at, at + headsAtOnce).map(step))));
  return results;
}

async function readOrNothing(store: Store, name: string, range: Extent): Promise<Buffer> {
  return store.get(name, range).catch((cause) => {
    if (isLost(cause)) return Buffer.alloc(0);
    throw cause;
  });
}

/**
 * Decodes `heads` in turn, the next one being fetched meanwhile, leaving out what a sound one before supersedes. Two buffers are used
 * in turn, since the collector is slow to free what is read: a segment's entries are good until the next one is asked for.
 * @param onDamaged told of segments that are gone or damaged; the rest stays usable.
 */
export function liveSegments(
  source: SegmentSource,
  heads: readonly SegmentHead[],
  onDamaged: OnDamaged,
): AsyncGenerator<NamedSegment> {
  return streamSegments(source, heads, { onDamaged, superseded: 'skip' });
}

/** The same with those that others supersede: they too must be sound. */
export function everySegment(
  source: SegmentSource,
  heads: readonly SegmentHead[],
  onDamaged: OnDamaged,
): AsyncGenerator<NamedSegment> {
  return streamSegments(source, heads, { onDamaged, superseded: 'take' });
}

type OnDamaged = (name: string, problem: string) => void;

async function* streamSegments(
  source: SegmentSource,
  heads: readonly SegmentHead[],
  { onDamaged, superseded: old }: { onDamaged: OnDamaged; superseded: 'skip' | 'take' },
): AsyncGenerator<NamedSegment> {
  const superseded = new Set<string>();
  const memory = [Buffer.alloc(0), Buffer.alloc(0)];
  let place = 0;
  let slot = 0;
  /** Begins to fetch the next segment that nothing read so far replaces. */
  const prefetch = (): Fetched | null => {
    while (superseded.has(heads[place]?.name ?? '')) place += 1;
    const head = heads[place];
    if (head === undefined) return null;
    place += 1;
    slot = 1 - slot;
    const at = slot;
    const segment = fetchSegment(source, head, (lengthBytes) => {
      const kept = memory[at];
      if (kept !== undefined && kept.length >= lengthBytes) return kept.subarray(0, lengthBytes);
      const larger = Buffer.allocUnsafeSlow(lengthBytes);
      memory[at] = larger;
      return larger;
    });
    // Its failure is met when its turn comes.
    segment.catch(() => {});
    return { name: head.name, segment };
  };
  let next = prefetch();
  try {
    while (next !== null) {
      const { name, segment } = next;
      const result = await segment;
      // The last one read may be what this one replaces.
      if (old === 'skip' && !superseded.has(name) && !('problem' in result))
        for (const hash of result.superseded) superseded.add(segmentObjectName(hash));
      next = prefetch();
      if (superseded.has(name)) continue;
      if ('problem' in result) onDamaged(name, result.problem);
      else yield { name, segment: result };
    }
  } finally {
    await next?.segment.catch(() => {});
  }
}

interface Fetched {
  readonly name: string;
  readonly segment: Promise<Segment | { problem: string }>;
}

/** Reads one segment into memory that `room` gives. Damage and absence are values: the rest of the index stays usable. */
export async function fetchSegment(
  source: SegmentSource,
  { name, sizeBytes }: { name: string; sizeBytes: number },
  room: (lengthBytes: number) => Buffer,
): Promise<Segment | { problem: string }> {
  try {
    const { store } = source;
    if (sizeBytes > maxSegmentBytes) return { problem: `${name} has ${sizeBytes} bytes: no writer makes such a segment` };
    if (store.readInto === undefined) return decodeSegment(await store.get(name), name, source);
    const target = room(sizeBytes);
    await store.readInto(name, 0, target);
    return decodeSegment(target, name, source);
  } catch (cause) {
    if (!isLost(cause)) throw cause;
    return { problem: cause.message };
  }
}

/** Damage is the segment's own trouble; anything else (the network, a newer version) is everybody's. */
export function isLost(cause: unknown): cause is VaultError {
  return cause instanceof VaultError && (cause.code === 'VAULT_DAMAGED' || cause.code === 'VAULT_OBJECT_MISSING');
}
