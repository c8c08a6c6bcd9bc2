/**
 * Memory and speed (processor time, since other work may run beside) of a large index: `node src/testing/measureIndex.ts <empty scratch folder> [million chunks = 40]`, each phase in a
 * process of its own. Segments are real (2^17 sorted entries, hash and MAC); packs exist as names in a listing only.
 */
import { spawnSync } from 'node:child_process';
import { hash, randomFillSync } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { entryBytes } from '../index/entry.ts';
import { knownChunks } from '../index/knownChunks.ts';
import { encodeSegment } from '../index/segment.ts';
import { sha256 } from '../keys/derive.ts';
import { openStore } from '../stores/openStore.ts';
import type { SealedPack, Store } from '../types.ts';
import { knownForRun } from '../vault/knownForRun.ts';
import { VaultIndex } from '../vault/vaultIndex.ts';

const key = { vaultId: '1ef98c75-10a3-435a-bc5f-7d0044198a7a', idKey: Buffer.alloc(32, 3) };
const entriesPerPack = 64;
const packsPerSegment = 2048;
const leafChunks = 256;

function packOf(number: number): SealedPack {
  const entries = randomFillSync(Buffer.alloc(entriesPerPack * entryBytes));
  for (let at = 0; at < entries.length; at += entryBytes) {
    entries.writeUInt32LE(0, at + 32);
    entries.writeUInt32LE(128 + (at / entryBytes) * 250_000, at + 36);
    entries.writeUInt32LE(250_000, at + 40);
    entries.writeUInt32LE(((1 << 28) | 262_144) >>> 0, at + 44);
  }
  return { name: sha256(`pack ${number}`).toString('hex'), sizeBytes: 16 << 20, kind: 'data', entries };
}

async function make(store: Store, segments: number): Promise<void> {
  for (let segment = 0; segment < segments; segment += 1) {
    const packs = Array.from({ length: packsPerSegment }, (_, at) => packOf(segment * packsPerSegment + at));
    const { name, bytes } = encodeSegment(packs, key, []);
    await store.put(name, bytes);
  }
}

/** The folder's segments, and a listing of all packs they name. */
function withPacks(store: Store, segments: number): Store {
  return {
    ...store,
    async *list(prefix) {
      if (prefix !== 'packs/') return yield* store.list(prefix);
      for (let at = 0; at < segments * packsPerSegment; at += 1) {
        const name = hash('sha256', `pack ${at}`);
        yield { name: `packs/${name.slice(0, 2)}/${name}`, sizeBytes: 16 << 20 };
      }
    },
  };
}

const mb = (bytes: number) => Math.round(bytes / 2 ** 20);
const memoryNow = () => {
  const now = process.memoryUsage();
  return { rssMb: mb(now.rss), heapMb: mb(now.heapTotal), externalMb: mb(now.external) };
};
const peakMb = () => Math.round(process.resourceUsage().maxRSS / 1024);
const sinceMs = (start: number) => Math.round(performance.now() - start);

async function measureWriter(store: Store, chunks: number): Promise<void> {
  const start = performance.now();
  const { knownChunks: memory, knownSlots } = await knownForRun({ store, ...key }, 1_000_000, new Set());
  const openMs = sinceMs(start);
  const known = knownChunks(memory, knownSlots);
  const ids = randomFillSync(Buffer.alloc(3_200_000));
  const claimAll = () => {
    const from = process.cpuUsage();
    for (let at = 0; at < ids.length; at += 32) known.claim(ids, at);
    return Math.round((process.cpuUsage(from).user * 1e3) / (ids.length / 32));
  };
  const [newNs, knownNs] = [claimAll(), claimAll()];
  const bytesPerChunk = Math.round((memory.byteLength / (chunks + 1_000_000)) * 10) / 10;
  console.log(
    JSON.stringify({ phase: 'writer', chunks, openMs, newNs, knownNs, bytesPerChunk, peakRssMb: peakMb(), ...memoryNow() }),
  );
}

async function measureReader(store: Store, chunks: number): Promise<void> {
  const start = performance.now();
  const index = new VaultIndex({ store, ...key });
  await index.lookUp([Buffer.alloc(32)]);
  const openMs = sinceMs(start);
  const openPeak = { openPeakMb: peakMb(), ...memoryNow() };
  const from = process.cpuUsage();
  let count = 0;
  const entries = Buffer.alloc(packsPerSegment * entriesPerPack * 48);
  // As a disk is walked: chunks of one segment after another, in groups of a leaf.
  for await (const { name } of store.list('index/')) {
    if (count >= 4_000_000) break;
    await store.readInto?.(name, 64 + packsPerSegment * 48, entries);
    for (let at = 0; at < entries.length; at += leafChunks * 48) {
      await index.lookUp(Array.from({ length: leafChunks }, (_, one) => entries.subarray(at + one * 48, at + one * 48 + 32)));
    }
    count += entries.length / 48;
  }
  const nsPerChunk = Math.round((process.cpuUsage(from).user * 1e3) / count);
  console.log(
    JSON.stringify({
      phase: 'reader',
      chunks,
      openMs,
      lookedUp: count,
      nsPerChunk,
      openPeak,
      peakRssMb: peakMb(),
      ...memoryNow(),
    }),
  );
}

const [, script = '', folder, millions = '40', phase] = process.argv;
if (folder === undefined) throw new Error('name an empty scratch folder');
const segments = Math.ceil((Number(millions) * 1e6) / (packsPerSegment * entriesPerPack));
const store = await openStore({ kind: 'directory', path: folder }, { create: true });
const chunks = segments * packsPerSegment * entriesPerPack;
if (phase === 'writer') await measureWriter(withPacks(store, segments), chunks);
else if (phase === 'reader') await measureReader(store, chunks);
else {
  if (!readdirSync(folder).includes('index')) await make(store, segments);
  for (const next of ['writer', 'reader']) spawnSync(process.execPath, [script, folder, millions, next], { stdio: 'inherit' });
}
