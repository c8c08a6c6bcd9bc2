/** [F25] 1: what is in use, which packs hold too little of it, and the copies that make half-empty packs superfluous. */

import { VaultError } from '../errors.ts';
import { type ChunkType, maxPlainBytes, typeOfCode } from '../index/entry.ts';
import { allocateKnownChunks, type KnownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { type PackRow, packObjectName } from '../index/locationTable.ts';
import { encodeSegments } from '../index/segment.ts';
import type { LeafEntry } from '../map/mapNodes.ts';
import { PackingWriter } from '../pack/chunkWriter.ts';
import { removePoint } from '../point/removePoint.ts';
import type { SealedPack } from '../types.ts';
import { encodeGc, type GcListing, isVoid, listGc, readVoidRule, removedName, stepName } from './gcObjects.ts';
import { forEachEntry, type GcRun, nullIfFull, tableFor } from './gcRun.ts';
import { type PackFacts, planMark } from './planGc.ts';
import { removeUnlessLocked } from './removeObject.ts';
import {
  lacks,
  lostPoints,
  type NodePlace,
  type OpenedPoint,
  openPresentManifests,
  pointNames,
  walkPoints,
} from './walkPoints.ts';

const metaPackBytes = 4 << 20;
/** A run may name a point that was removed while it ran: records outlive any run. */
const recordKeptMs = 30 * 24 * 3_600_000;
const dataPackBytes = 16 << 20;

export interface Marked {
  readonly number: number;
  readonly packs: number;
  readonly bytes: number;
  readonly copiedBytes: number;
}

/** Null when there is nothing to sweep, or another sweeper was faster. @throws VaultError `VAULT_DAMAGED`, `POINT_DAMAGED`: then nothing is marked. */
export async function markPacks(run: GcRun, listing: GcListing, nowMs: number | null): Promise<Marked | null> {
  const points = await livePoints(run, listing, nowMs);
  const packs = await listPacks(run, listing);
  const known = await tableFor(run);
  await forEachEntry(run, (id, row) => {
    if (isPresent(packs, row)) known.claim(id);
  });
  const { options } = run;
  const use = (id: Buffer, point: OpenedPoint) => known.mark(id) || lacks(point, id);
  const walk = {
    readNodes: run.readChunks,
    enter: ({ id, point }: NodePlace) => !known.isMarked(id) && use(id, point),
    onLeaf: (entries: readonly LeafEntry[], { point }: NodePlace) => {
      for (const { chunk } of entries) if (chunk !== null) use(chunk, point);
    },
    signal: options.signal,
  };
  await walkPoints(walk, points);
  await weighPacks(run, packs, known);
  const limits = { nowMs, youngMs: options.youngMs ?? 24 * 3_600_000, repackBytes: options.repackBytes ?? 4 * 2 ** 30 };
  const { dead, sparse } = planMark(packs.values(), limits);
  if (dead.length + sparse.length + listing.quarantined.size === 0) return null;
  const quarantined = await quarantinedPacks(run, listing);
  const leaving = new Set([...dead, ...sparse].map((pack) => pack.name));
  const copiedBytes = await repack(run, { packs, known, leaving }).catch(nullIfFull);
  const number = (listing.cycles.at(-1)?.number ?? 0) + 1;
  const name = stepName(number, 'mark');
  // [F29] Everything in use was just found in other packs. Where there is no room for copies, what needs none makes room first.
  const marked = [...dead, ...(copiedBytes === null ? [] : sparse), ...quarantined];
  if (marked.length === 0) return null;
  const verdict = { packs: marked.map((pack) => pack.name).sort(), witness: points.map((point) => point.id) };
  if ((await run.store.put(name, encodeGc(name, verdict, run.key))) === 'exists') return null;
  return {
    number,
    packs: marked.length,
    bytes: marked.reduce((sum, pack) => sum + pack.sizeBytes, 0),
    copiedBytes: copiedBytes ?? 0,
  };
}

/** Opens every manifest, removes void points, and stops when one was lost. */
async function livePoints(run: GcRun, listing: GcListing, nowMs: number | null): Promise<OpenedPoint[]> {
  const { store, config, keys } = run;
  const rule = await readVoidRule(store, listing, run.key);
  const points: OpenedPoint[] = [];
  const names = (await pointNames(store)).values();
  for await (const point of openPresentManifests(store, names, { vaultId: config.vaultId, keys })) {
    if (isVoid(rule, point.id, point.gcSeen)) await removePoint(store, point.name, run.key);
    else points.push(point);
  }
  // Points may have been removed while they were read.
  const lost = lostPoints(points, rule, listing);
  if (lost.length > 0 && !(await removedMeanwhile(run, lost))) {
    throw new VaultError(
      'VAULT_DAMAGED',
      `nothing is swept while restore points are lost that nobody removed: ${lost.slice(0, 5).join(', ')}`,
    );
  }
  const named = new Set([...(rule?.witness ?? []), ...points.map((point) => point.previousId)]);
  for (const [id, atMs] of listing.removed) {
    if (named.has(id) || nowMs === null || atMs === null || nowMs - atMs < recordKeptMs) continue;
    await removeUnlessLocked(store, removedName(id));
  }
  return points;
}

async function removedMeanwhile(run: GcRun, ids: readonly string[]): Promise<boolean> {
  const { removed } = await listGc(run.store);
  return ids.every((id) => removed.has(id));
}

async function listPacks(run: GcRun, listing: GcListing): Promise<Map<string, PackFacts>> {
  const packs = new Map<string, PackFacts>();
  for await (const { name, sizeBytes, storedAtMs } of run.store.list('packs/')) {
    const hash = name.slice(name.lastIndexOf('/') + 1);
    if (listing.quarantined.has(hash)) continue;
    packs.set(hash, { name: hash, sizeBytes, storedAtMs: storedAtMs ?? null, usedBytes: 0, liveBytes: 0 });
  }
  return packs;
}

async function quarantinedPacks(run: GcRun, { quarantined }: GcListing): Promise<{ name: string; sizeBytes: number }[]> {
  const found: { name: string; sizeBytes: number }[] = [];
  for (const pack of quarantined) {
    const there = await run.store.head(packObjectName(pack));
    if (there !== null) found.push({ name: pack, sizeBytes: there.sizeBytes });
  }
  return found;
}

function isPresent(packs: ReadonlyMap<string, PackFacts>, row: PackRow): boolean {
  return packs.get(row.name)?.sizeBytes === row.sizeBytes;
}

async function weighPacks(run: GcRun, packs: ReadonlyMap<string, PackFacts>, known: KnownChunks): Promise<void> {
  // A pack that two segments list is weighed twice in both columns alike.
  await forEachEntry(run, (id, row, { at, entries }) => {
    const pack = packs.get(row.name);
    if (pack === undefined || pack.sizeBytes !== row.sizeBytes) return;
    const bytes = entries.readUInt32LE(at + 40);
    pack.usedBytes += bytes;
    if (known.isMarked(id)) pack.liveBytes += bytes;
  });
}

interface Repack {
  readonly packs: ReadonlyMap<string, PackFacts>;
  readonly known: KnownChunks;
  /** Names of packs that are about to go. */
  readonly leaving: ReadonlySet<string>;
}

/** Copies what only leaving packs hold of what is in use; durable and indexed when it resolves. Returns the bytes stored. */
async function repack(run: GcRun, { packs, known, leaving }: Repack): Promise<number> {
  const stays = await tableFor(run);
  await forEachEntry(run, (id, row) => {
    if (isPresent(packs, row) && !leaving.has(row.name) && known.isMarked(id)) stays.claim(id);
  });
  const wanted: { id: Buffer; type: ChunkType; pack: string; at: number }[] = [];
  let room = 0;
  await forEachEntry(run, (id, row, { at, entries }) => {
    if (!isPresent(packs, row) || !leaving.has(row.name) || !known.isMarked(id) || !stays.claim(id)) return;
    const word = entries.readUInt32LE(at + 44);
    room += word & maxPlainBytes;
    wanted.push({
      id: Buffer.from(id),
      type: typeOfCode(word >>> 28) ?? 'data',
      pack: row.name,
      at: entries.readUInt32LE(at + 36),
    });
  });
  if (room === 0) return 0;
  wanted.sort((a, b) => (a.pack === b.pack ? a.at - b.at : a.pack < b.pack ? -1 : 1));
  const data = await copyChunks(
    run,
    wanted.filter((one) => one.type === 'data'),
    'data',
  );
  const meta = await copyChunks(
    run,
    wanted.filter((one) => one.type !== 'data'),
    'meta',
  );
  const copies = [...data, ...meta];
  for (const { name, bytes } of encodeSegments(copies, run.key)) await run.store.put(name, bytes);
  return copies.reduce((sum, pack) => sum + pack.sizeBytes, 0);
}

async function copyChunks(
  run: GcRun,
  wanted: readonly { id: Buffer; type: ChunkType }[],
  kind: 'data' | 'meta',
): Promise<SealedPack[]> {
  if (wanted.length === 0) return [];
  const { config, keys, store } = run;
  const knownSlots = knownSlotsFor(wanted.length);
  const seed = {
    ...{ store: { kind: 'directory' as const, path: '' }, vaultId: config.vaultId, idAlgorithm: config.idAlgorithm },
    keys: { idKey: keys.idKey, publicKey: keys.publicKey },
    compressionLevel: kind === 'data' ? 1 : 3,
    ...{ knownChunks: allocateKnownChunks(knownSlots), knownSlots },
    packTargetBytes: kind === 'data' ? dataPackBytes : metaPackBytes,
  };
  const writer = new PackingWriter(seed, { store, kind });
  try {
    const idOut = Buffer.alloc(32);
    const types = new Map(kind === 'data' ? [] : wanted.map(({ id, type }) => [id.toString('latin1'), type]));
    let copied = 0;
    const copy = async (id: Uint8Array, plain: Uint8Array) => {
      run.options.signal?.throwIfAborted();
      writer.addTyped(plain, idOut, types.get(Buffer.from(id).toString('latin1')) ?? 'data');
      copied += 1;
      if (writer.drainNeeded) await writer.drain();
    };
    // In the order they are stored, the next ones being read meanwhile.
    await run.readChunks(
      wanted.map(({ id }) => id),
      copy,
    );
    // What was not copied would be gone with its pack.
    if (copied !== wanted.length) throw new VaultError('VAULT_DAMAGED', `${wanted.length - copied} chunks were not copied`);
    return await writer.finish();
  } finally {
    await writer.close();
  }
}
