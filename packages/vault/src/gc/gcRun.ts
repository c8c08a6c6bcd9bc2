/** What all steps of one sweeper's run share. */

import type { VaultConfig } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { entryBytes } from '../index/entry.ts';
import { allocateKnownChunks, type KnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { liveSegments, type NamedSegment, type SegmentHead, segmentHeads } from '../index/liveSegments.ts';
import type { PackRow } from '../index/locationTable.ts';
import type { OnChunk, Store, VaultKeys } from '../types.ts';
import type { GcKey } from './gcObjects.ts';
import type { SessionFact } from './planGc.ts';

const idBytes = 32;

export interface GcRun {
  readonly store: Store;
  readonly keys: VaultKeys;
  readonly config: VaultConfig;
  readonly key: GcKey;
  /** Reads map nodes or chunks wherever the vault has them, in the order they are stored. */
  readonly readChunks: (ids: readonly Uint8Array[], onChunk: OnChunk) => Promise<void>;
  /** This run's own session. */
  readonly sessionId: string;
  /** Heads read so far, by name: a run looks through the index several times, and segments never change. */
  readonly heads: Map<string, SegmentHead>;
  readonly options: GcOptions;
}

export interface GcOptions {
  /** Between mark and sweep, by the store's clock; 24 h. */
  readonly delayMs?: number;
  /** Packs younger than this are left alone; 24 h. */
  readonly youngMs?: number;
  /** Sessions not renewed for this long are dead; 1 h. */
  readonly leaseMs?: number;
  /** At most this much is copied out of half-empty packs; 4 GiB. */
  readonly repackBytes?: number;
  readonly signal?: AbortSignal;
}

/** For steps that can wait until there is room. */
export function nullIfFull(cause: unknown): null {
  if (cause instanceof VaultError && cause.code === 'VAULT_FULL') return null;
  throw cause;
}

/** Heads of all segments the store lists now. */
export async function headsOf({ store, heads }: GcRun): Promise<SegmentHead[]> {
  const found = await segmentHeads(store, heads);
  for (const head of found) if (head.entryCount > 0) heads.set(head.name, head);
  return found;
}

/** @throws VaultError `VAULT_DAMAGED` when a segment cannot be read: what it lists would look unused. */
export async function* soundSegments(run: GcRun): AsyncGenerator<NamedSegment> {
  const { store, key } = run;
  const heads = await headsOf(run);
  const damaged = (name: string, problem: string) => {
    throw new VaultError('VAULT_DAMAGED', `nothing is swept while the index is damaged; rebuild it first (${name}: ${problem})`);
  };
  for await (const one of liveSegments({ store, ...key }, heads, damaged)) {
    run.options.signal?.throwIfAborted();
    yield one;
  }
}

/** Calls `visit` for each entry; `pack` is the row of the pack it lies in, the id is good during the call. */
export async function forEachEntry(
  run: GcRun,
  visit: (id: Buffer, pack: PackRow, entry: { at: number; entries: Buffer }) => void,
): Promise<void> {
  const id = Buffer.allocUnsafeSlow(idBytes);
  for await (const { segment } of soundSegments(run)) {
    const { entries, packs } = segment;
    for (let at = 0; at < entries.length; at += entryBytes) {
      const pack = packs[entries.readUInt32LE(at + 32)];
      if (pack === undefined) continue;
      entries.copy(id, 0, at, at + idBytes);
      visit(id, pack, { at, entries });
    }
  }
}

/** A table of its own, with room for every entry of the index. */
export async function tableFor(run: GcRun): Promise<KnownChunks> {
  const slots = knownSlotsFor((await headsOf(run)).reduce((sum, head) => sum + head.entryCount, 0));
  return knownChunks(allocateKnownChunks(slots), slots);
}

/** Sessions of other runs, and the time it is for the store: that of this run's own newest renewal. */
export async function readSessions(
  run: GcRun,
): Promise<{ nowMs: number | null; sessions: (SessionFact & { names: string[] })[] }> {
  const found = new Map<string, { firstAtMs: number | null; lastAtMs: number | null; names: string[] }>();
  let nowMs: number | null = null;
  for await (const { name, storedAtMs } of run.store.list('sessions/')) {
    const id = name.slice('sessions/'.length).replace(/-\d+$/, '');
    const at = storedAtMs ?? null;
    if (id === run.sessionId) {
      nowMs = at === null ? nowMs : Math.max(nowMs ?? 0, at);
      continue;
    }
    const known = found.get(id);
    if (known === undefined) found.set(id, { firstAtMs: at, lastAtMs: at, names: [name] });
    else {
      known.firstAtMs = at === null || known.firstAtMs === null ? null : Math.min(at, known.firstAtMs);
      known.lastAtMs = at === null || known.lastAtMs === null ? null : Math.max(at, known.lastAtMs);
      known.names.push(name);
    }
  }
  return { nowMs, sessions: [...found.values()] };
}
