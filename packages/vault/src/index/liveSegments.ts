/** [F13] [F23] Streams the segments of a vault one by one, so that nobody has to hold the whole index to look at all of it. */
import { VaultError } from '../errors.ts';
import type { Store, StoredObject } from '../types.ts';
import { decodeSegment, headerBytes, indexPrefix, peekSegmentHead, type Segment, segmentObjectName } from './segment.ts';

const headsAtOnce = 8;

export interface NamedSegment {
  readonly name: string;
  readonly segment: Segment;
}

export interface SegmentHead {
  readonly name: string;
  readonly sizeBytes: number;
  readonly entryCount: number;
  readonly supersededCount: number;
}

export interface SegmentSource {
  readonly store: Store;
  readonly vaultId: string;
  readonly idKey: Uint8Array | null;
}

/** Names and claimed sizes of all segments the store lists now; merged ones first. What cannot be peeked at counts 0 entries. */
export async function segmentHeads(store: Store): Promise<SegmentHead[]> {
  const listed: StoredObject[] = [];
  for await (const one of store.list(indexPrefix)) listed.push(one);
  const heads: SegmentHead[] = [];
  const head = async ({ name, sizeBytes }: StoredObject): Promise<SegmentHead> => {
    const bytes = await store.get(name, { offsetBytes: 0, lengthBytes: headerBytes }).catch((cause) => {
      if (isLost(cause)) return Buffer.alloc(0);
      throw cause;
    });
    return { name, sizeBytes, ...(peekSegmentHead(bytes) ?? { entryCount: 0, supersededCount: 0 }) };
  };
  for (let at = 0; at < listed.length; at += headsAtOnce) {
    heads.push(...(await Promise.all(listed.slice(at, at + headsAtOnce).map(head))));
  }
  return [...heads.filter((one) => one.supersededCount > 0), ...heads.filter((one) => one.supersededCount === 0)];
}

/**
 * Decodes `heads` in turn, the next one being fetched meanwhile, leaving out what a sound one before supersedes. Two buffers are used
 * in turn, since the collector is slow to free what is read: a segment's entries are good until the next one is asked for.
 * @param onDamaged told of segments that are gone or damaged; the rest stays usable.
 */
export async function* liveSegments(
  source: SegmentSource,
  heads: readonly SegmentHead[],
  onDamaged: (name: string, problem: string) => void,
): AsyncGenerator<NamedSegment> {
  const superseded = new Set<string>();
  const memory = { even: Buffer.alloc(0), odd: Buffer.alloc(0) };
  const fetch = async (place: number): Promise<Segment | { problem: string } | null> => {
    const head = heads[place];
    if (head === undefined) return null;
    const slot = place % 2 === 0 ? 'even' : 'odd';
    if (memory[slot].length < head.sizeBytes) memory[slot] = Buffer.allocUnsafeSlow(head.sizeBytes);
    return fetchSegment(source, head.name, memory[slot].subarray(0, head.sizeBytes));
  };
  const prefetch = (place: number) => {
    const segment = fetch(place);
    // Its failure is met when its turn comes.
    segment.catch(() => {});
    return segment;
  };
  let next = prefetch(0);
  try {
    for (const [place, { name }] of heads.entries()) {
      const result = await next;
      next = prefetch(place + 1);
      if (superseded.has(name) || result === null) continue;
      if ('problem' in result) {
        onDamaged(name, result.problem);
        continue;
      }
      for (const hash of result.superseded) superseded.add(segmentObjectName(hash));
      yield { name, segment: result };
    }
  } finally {
    await next.catch(() => {});
  }
}

async function fetchSegment(source: SegmentSource, name: string, target: Buffer): Promise<Segment | { problem: string }> {
  try {
    const { store } = source;
    if (store.readInto === undefined) return decodeSegment(await store.get(name), name, source);
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
