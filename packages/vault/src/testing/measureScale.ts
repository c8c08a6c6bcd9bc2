/**
 * One phase of `npm run bench -- scale`, in a process of its own so that its peak of memory is its own; prints one line of JSON.
 * `node measureScale.ts <folder> <phase> [plan]`. Processor time is given where other work may run beside.
 */
import { randomFillSync } from 'node:crypto';
import { entryBytes } from '../index/entry.ts';
import { knownChunks } from '../index/knownChunks.ts';
import { segmentHeads } from '../index/liveSegments.ts';
import { encodeSegment, headerBytes, packRowBytes } from '../index/segment.ts';
import { sha256 } from '../keys/derive.ts';
import type { SealedPack, Store } from '../types.ts';
import { knownForRun } from '../vault/knownForRun.ts';
import { mergeSegments } from '../vault/mergeSegments.ts';
import { VaultIndex } from '../vault/vaultIndex.ts';
import { memoryStore } from './memoryStore.ts';
import { makeScaleVault, openScaleStore, openScaleVault } from './scaleVault.ts';

const million = 1_000_000;
const lookedUp = 4 * million;
const leafChunks = 256;
const peakMb = () => Math.round(process.resourceUsage().maxRSS / 1024);
const secondsSince = (start: number) => Math.round((performance.now() - start) / 10) / 100;

async function writer(folder: string) {
  const { store, chunks, vaultId, keys } = await openScaleStore(folder);
  const start = performance.now();
  const { knownChunks: memory, knownSlots } = await knownForRun({ store, vaultId, idKey: keys.idKey }, million, new Set());
  const openSeconds = secondsSince(start);
  const openPeakMb = peakMb();
  const known = knownChunks(memory, knownSlots);
  const ids = randomFillSync(Buffer.alloc(3_200_000));
  const claimAll = () => {
    const from = process.cpuUsage();
    for (let at = 0; at < ids.length; at += 32) known.claim(ids, at);
    return Math.round((process.cpuUsage(from).user * 1e3) / (ids.length / 32));
  };
  const [newNs, knownNs] = [claimAll(), claimAll()];
  const merged = await mergeBeside(store, { vaultId, idKey: keys.idKey });
  return {
    chunks,
    openSeconds,
    openPeakMb,
    newNs,
    knownNs,
    bytesPerChunk: round(memory.byteLength / (chunks + million)),
    ...merged,
  };
}

/** What a commit does behind the point when 100 small runs were added since; the table of the run is still in memory. */
async function mergeBeside(store: Store, key: { vaultId: string; idKey: Uint8Array }) {
  const small = memoryStore();
  for (let run = 0; run < 100; run += 1) {
    const entries = randomFillSync(Buffer.alloc(300 * entryBytes));
    for (let at = 0; at < entries.length; at += entryBytes) {
      entries.writeUInt32LE(0, at + 32);
      entries.writeUInt32LE(((1 << 28) | 4096) >>> 0, at + 44);
    }
    const pack: SealedPack = { name: sha256(`small ${run}`).toString('hex'), sizeBytes: 1, kind: 'data', entries };
    const { name, bytes } = encodeSegment([pack], key, []);
    await small.put(name, bytes);
  }
  // New segments go to memory: the vault on disk stays what it is.
  const both: Store = {
    ...store,
    put: (name, bytes) => small.put(name, bytes),
    async get(name, range) {
      return small.objects.has(name) ? small.get(name, range) : store.get(name, range);
    },
    async readInto(name, offsetBytes, target) {
      if (small.objects.has(name)) target.set(await small.get(name, { offsetBytes, lengthBytes: target.length }));
      else await store.readInto?.(name, offsetBytes, target);
    },
    async *list(prefix) {
      yield* store.list(prefix);
      yield* small.list(prefix);
    },
  };
  const start = performance.now();
  const mergedSegments = await mergeSegments({ store: both, ...key });
  return { mergedSegments, mergeSeconds: secondsSince(start) };
}

async function reader(folder: string) {
  const { store, chunks, vaultId, keys } = await openScaleStore(folder);
  const start = performance.now();
  const index = new VaultIndex({ store, vaultId, idKey: keys.idKey });
  await index.lookUp([Buffer.alloc(32)]);
  const openSeconds = secondsSince(start);
  const from = process.cpuUsage();
  let count = 0;
  // As a disk is walked: chunks of one segment after another, in groups of a leaf.
  for (const { name, packCount, entryCount } of await segmentHeads(store)) {
    if (count >= lookedUp) break;
    const offsetBytes = headerBytes + packCount * packRowBytes;
    const entries = await store.get(name, { offsetBytes, lengthBytes: entryCount * entryBytes });
    const idAt = (at: number) => entries.subarray(at * entryBytes, at * entryBytes + 32);
    for (let at = 0; at + leafChunks <= entryCount; at += leafChunks) {
      await index.lookUp(Array.from({ length: leafChunks }, (_, one) => idAt(at + one)));
    }
    count += entryCount;
  }
  const lookUpNs = Math.round((process.cpuUsage(from).user * 1e3) / count);
  return { chunks, openSeconds, lookedUp: count, lookUpNs };
}

async function verify(folder: string) {
  const { vault, chunks } = await openScaleVault(folder);
  const start = performance.now();
  const { damaged, checkedObjects } = await vault.verify({ level: 'structure' });
  if (damaged.length > 0) throw new Error(`found damage in a sound vault: ${JSON.stringify(damaged[0])}`);
  return { chunks, seconds: secondsSince(start), checkedObjects };
}

/** A sweeper's run over a vault in which everything is in use: all it does is read manifests and maps, and mark. */
async function gc(folder: string) {
  const { vault, chunks } = await openScaleVault(folder);
  const start = performance.now();
  await vault.collectGarbage({ youngMs: 0, repackBytes: 0 });
  const { points } = await vault.info();
  const seconds = secondsSince(start);
  return { chunks, points, seconds, msPerPoint: round((seconds * 1000) / points) };
}

async function make(folder: string, plan = '') {
  const [machines = 1, pointsPerMachine = 1, firstLeaves = 1, laterLeaves = 1, chunksPerLeaf = 1] = plan.split(',').map(Number);
  await makeScaleVault(folder, { machines, pointsPerMachine, firstLeaves, laterLeaves, chunksPerLeaf });
  return {};
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const phases: Record<string, (folder: string, plan?: string) => Promise<Record<string, number>>> = {
  ...{ make, writer, reader, verify, gc },
};
const [folder = '', phase = '', plan] = process.argv.slice(2);
const run = Object.hasOwn(phases, phase) ? phases[phase] : undefined;
if (run === undefined) throw new Error(`name a folder and a phase: ${Object.keys(phases).join(', ')}`);
const result = await run(folder, plan);
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ phase, ...result, cpuSeconds: round((user + system) / 1e6), peakRssMb: peakMb() }));
