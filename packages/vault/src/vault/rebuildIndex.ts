/** [F29] [F30] Makes the index anew from the packs, and keeps damaged packs from counting as stored. Both only add or drop caches. */

import { ByteReader } from '../bytes.ts';
import { VaultError } from '../errors.ts';
import { encodeGc, listGc, quarantineName } from '../gc/gcObjects.ts';
import { entryBytes, readEntry } from '../index/entry.ts';
import { liveSegments, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { encodeSegments } from '../index/segment.ts';
import { sha256 } from '../keys/derive.ts';
import { packHeaderBytes, readPackHeader, readTail, scanRecords, tailBytes } from '../pack/layout.ts';
import type { RebuildReport, RepairReport, SealedPack, VerifyReport } from '../types.ts';

type Source = SegmentSource & { readonly idKey: Uint8Array };
/** Segments are written when this much is gathered. */
const gatheredBytes = 8 << 20;

interface LostPack {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
}

export async function rebuildIndex(source: Source, signal?: AbortSignal): Promise<RebuildReport> {
  const { store } = source;
  const heads = await segmentHeads(store);
  const damaged: string[] = [];
  const sizes = new Map<string, number>();
  for await (const { segment } of liveSegments(source, heads, (name) => damaged.push(name))) {
    for (const pack of segment.packs) sizes.set(pack.name, pack.sizeBytes);
  }
  let gathered: SealedPack[] = [];
  const written = new Set<string>();
  const scanned: string[] = [];
  const lost: string[] = [];
  let [packs, chunks] = [0, 0];
  const flush = async () => {
    for (const { name, bytes } of encodeSegments(gathered, source)) {
      // The very segment that was damaged may come out again.
      if (damaged.includes(name)) await store.remove(name);
      await store.put(name, bytes);
      written.add(name);
    }
    gathered = [];
  };
  for (const pack of await unlisted(source, sizes)) {
    signal?.throwIfAborted();
    const found = (await fromTrailer(source, pack)) ?? (await fromScan(source, pack, scanned));
    if (found === null || found.entries.length === 0) {
      lost.push(pack.name);
      continue;
    }
    gathered.push(found);
    packs += 1;
    chunks += found.entries.length / entryBytes;
    if (gathered.reduce((sum, one) => sum + one.entries.length, 0) > gatheredBytes) await flush();
  }
  await flush();
  for (const name of damaged) if (!written.has(name)) await store.remove(name);
  return { listedPacks: packs, listedChunks: chunks, scannedPacks: scanned, lostPacks: lost, removedSegments: damaged };
}

async function unlisted({ store }: Source, sizes: ReadonlyMap<string, number>): Promise<LostPack[]> {
  const found: LostPack[] = [];
  for await (const { name, sizeBytes } of store.list('packs/')) {
    const hash = name.slice(name.lastIndexOf('/') + 1);
    if (/^[0-9a-f]{64}$/.test(hash) && sizes.get(hash) !== sizeBytes) found.push({ name, hash, sizeBytes });
  }
  return found;
}

/** Two small reads; null when the pack's own table cannot be trusted. */
async function fromTrailer({ store, vaultId }: Source, pack: LostPack): Promise<SealedPack | null> {
  const { name, hash, sizeBytes } = pack;
  if (sizeBytes < packHeaderBytes + tailBytes) return null;
  try {
    const header = readPackHeader(await store.get(name, { offsetBytes: 0, lengthBytes: packHeaderBytes }), name);
    if (header.vaultId !== vaultId) return null;
    const tailAt = sizeBytes - tailBytes;
    const tail = readTail(await store.get(name, { offsetBytes: tailAt, lengthBytes: tailBytes }), sizeBytes, name);
    const entries = await store.get(name, { offsetBytes: tail.tableAt, lengthBytes: tail.tableBytes });
    tail.checkTable(entries);
    const reader = new ByteReader(entries, `the trailer of ${name}`, 'CHUNK_DAMAGED');
    while (reader.remaining > 0) readEntry(reader);
    return { name: hash, sizeBytes, kind: header.kind, entries };
  } catch (cause) {
    return isDamage(cause) ? null : fail(cause);
  }
}

async function fromScan(source: Source, pack: LostPack, scanned: string[]): Promise<SealedPack | null> {
  try {
    const bytes = await source.store.get(pack.name);
    const entries = scanRecords(bytes);
    // Chunks that may be damaged must not count as stored: the quarantine stands before the index lists them.
    await quarantine(source, pack.hash);
    scanned.push(pack.name);
    // The kind steers nothing but where a reader looks first.
    const isData = entries.length === 0 || entries.readUInt32LE(44) >>> 28 === 1;
    return { name: pack.hash, sizeBytes: pack.sizeBytes, kind: isData ? 'data' : 'meta', entries };
  } catch (cause) {
    return isDamage(cause) ? null : fail(cause);
  }
}

function isDamage(cause: unknown): boolean {
  return cause instanceof VaultError && cause.retry !== 'later' && cause.code !== 'VAULT_REFUSED';
}

function fail(cause: unknown): never {
  throw cause;
}

async function quarantine(source: Source, pack: string): Promise<void> {
  const name = quarantineName(pack);
  await source.store.put(name, encodeGc(name, { pack }, source));
}

/** Looks again at each pack `report` names before it is put in quarantine: it may have been healed since. */
export async function repairVault(source: Source, report: VerifyReport, signal?: AbortSignal): Promise<RepairReport> {
  const quarantined: string[] = [];
  const { quarantined: before } = await listGc(source.store);
  for (const { object } of report.damaged) {
    const hash = /^packs\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(object)?.[1];
    if (hash === undefined || before.has(hash)) continue;
    signal?.throwIfAborted();
    const bytes = await source.store.get(object).catch((cause) => (isDamage(cause) ? null : fail(cause)));
    if (bytes === null || sha256(bytes).toString('hex') === hash) continue;
    await quarantine(source, hash);
    quarantined.push(object);
  }
  return { quarantined, rebuilt: await rebuildIndex(source, signal) };
}
