/** A vault of about 1 MiB with every kind of object in it, and what each byte of its packs is needed for. */
import { openText } from '../../config/checkedText.ts';
import { checkKeys, configName, decodeConfig } from '../../config/config.ts';
import { VaultError } from '../../errors.ts';
import { openGc } from '../../gc/gcObjects.ts';
import { decodeSegment } from '../../index/segment.ts';
import { sha256 } from '../../keys/derive.ts';
import { readTrailer } from '../../pack/layout.ts';
import { decodeManifest } from '../../point/manifest.ts';
import type { DamagedObject, Unlock, Vault, VaultKeys, VerifyReport } from '../../types.ts';
import { type MemoryStore, memoryStore } from '../memoryStore.ts';
import { createSample, noise, readPoint, writePoint } from '../sampleVault.ts';

const chunkBytes = 4 << 10;
const hourMs = 3_600_000;

export interface Range {
  readonly pointId: string;
  readonly from: number;
  readonly to: number;
}

interface Record {
  readonly from: number;
  readonly to: number;
  readonly ranges: readonly Range[];
}

export interface FlipVault {
  readonly store: MemoryStore;
  readonly vault: Vault;
  readonly contents: ReadonlyMap<string, Buffer>;
  /** Records of each data pack; between header and trailer there is nothing else. */
  readonly dataPacks: ReadonlyMap<string, readonly Record[]>;
  readonly totalBytes: number;
}

/** Two points, one that was removed, a mark, a session, a key. */
export async function makeFlipVault(encryption: Unlock): Promise<FlipVault> {
  const clock = { ms: 1_000_000_000_000 };
  const store = memoryStore(new Map(), () => clock.ms);
  const vault = await createSample(store, { encryption });
  const begin = (source: string) => ({ source, compression: 'none' as const, expectedChunks: 500 });
  const options = { chunkBytes, packBytes: 4 * chunkBytes };
  const large = noise('flips', 236 * chunkBytes);
  const contents = new Map<string, Buffer>();
  const first = await writePoint(vault, store, large, { ...options, begin: begin('a') });
  const both = Buffer.concat([large.subarray(0, 10 * chunkBytes), noise('more', 4 * chunkBytes)]);
  const second = await writePoint(vault, store, both, { ...options, begin: begin('b') });
  const gone = await writePoint(vault, store, noise('gone', chunkBytes), { ...options, begin: begin('c') });
  for (const { header, content } of [first, second]) contents.set(header.id, content);
  await vault.removePoint(gone.header.id);
  clock.ms += 26 * hourMs;
  await vault.collectGarbage();
  await (await vault.beginPoint({ ...begin('d'), ...startOf() })).checkpoint([]);
  const totalBytes = [...store.objects.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  return { store, vault, contents, totalBytes, dataPacks: await findRecords(store, vault, contents) };
}

function startOf() {
  const who = { machineId: 'machine-1', machineName: 'Front desk PC', kind: 'disk' as const, method: 'full' as const };
  return { ...who, parentId: null, now: () => new Date('2026-11-22T12:00:00.000Z') };
}

async function findRecords(store: MemoryStore, vault: Vault, contents: ReadonlyMap<string, Buffer>) {
  const uses = new Map<string, Range[]>();
  for (const pointId of contents.keys()) {
    const disk = await (await vault.openPoint(pointId)).openDisk(0);
    for await (const entry of disk.mapEntries()) {
      if (entry.kind !== 'data') continue;
      const key = entry.chunkId.toString('hex');
      const range = { pointId, from: entry.offsetBytes, to: entry.offsetBytes + entry.lengthBytes };
      uses.set(key, [...(uses.get(key) ?? []), range]);
    }
  }
  const packs = new Map<string, Record[]>();
  for (const [name, bytes] of store.objects) {
    if (!name.startsWith('packs/')) continue;
    const entries = readTrailer(bytes, name);
    if (!entries.some((entry) => uses.has(entry.id.toString('hex')))) continue;
    const records = entries.map(({ id, offsetBytes, recordBytes }) => ({
      from: offsetBytes,
      to: offsetBytes + recordBytes,
      ranges: uses.get(id.toString('hex')) ?? [],
    }));
    packs.set(name, records);
  }
  return packs;
}

export function flip(store: MemoryStore, name: string, at: number): void {
  const bytes = store.objects.get(name);
  if (bytes !== undefined) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
}

/** @throws Error unless exactly what these bytes of one data pack are needed for is named; of another object, that it is named. */
export function checkNamed(flipped: FlipVault, report: VerifyReport, hit: { name: string; at: readonly number[] }): void {
  const { name, at } = hit;
  const found = report.damaged.find((one) => one.object === name);
  const where = `bytes ${at.join()} of ${name}`;
  if (found === undefined) throw new Error(`${where}: not found`);
  const records = flipped.dataPacks.get(name);
  if (records === undefined) return;
  const header = at.some((one) => one < (records[0]?.from ?? 0));
  const isHit = (record: Record) => header || at.some((one) => one >= record.from && one < record.to);
  const hurt = records.filter(isHit).flatMap((record) => record.ranges);
  const wanted = { points: new Set(hurt.map((range) => range.pointId)), chunks: chunksOf(hurt) };
  const named = { points: new Set(found.points), chunks: chunksOf(rangesOf(found)) };
  if (!sameSet(wanted.points, named.points) || !sameSet(wanted.chunks, named.chunks)) {
    throw new Error(`${where}: named ${found.points.join()} ${found.paths.join()}, hurt ${JSON.stringify(hurt)}`);
  }
}

function rangesOf(found: DamagedObject): { from: number; to: number }[] {
  return found.paths.map((path) => {
    const [, from, to] = /^disk 0 bytes (\d+)-(\d+)$/.exec(path) ?? [];
    return { from: Number(from), to: Number(to) };
  });
}

function chunksOf(ranges: readonly { from: number; to: number }[]): Set<string> {
  const chunks = new Set<string>();
  for (const { from, to } of ranges) for (let at = from; at < to; at += chunkBytes) chunks.add(String(at / chunkBytes));
  return chunks;
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

/** Whether the reader of this one object refuses these bytes: the test verify makes of it, without all the others. */
export function isRefused(flipped: FlipVault, name: string, keys: VaultKeys): boolean {
  const bytes = flipped.store.objects.get(name) ?? Buffer.alloc(0);
  const { id: vaultId } = flipped.vault;
  try {
    if (name.startsWith('packs/')) return !name.endsWith(`/${sha256(bytes).toString('hex')}`);
    if (name === configName) checkKeys(decodeConfig(bytes), keys);
    else if (name.startsWith('index/')) decodeSegment(bytes, name, { vaultId, idKey: keys.idKey });
    else if (name.startsWith('points/')) decodeManifest(bytes, name, { vaultId, keys });
    else if (name.startsWith('gc/')) openGc(bytes, name, { vaultId, idKey: keys.idKey });
    else openText(bytes, name);
    return false;
  } catch (cause) {
    if (cause instanceof VaultError) return true;
    throw cause;
  }
}

/** A read gives the right bytes or a coded error. */
export async function readsRight({ contents }: FlipVault, vault: Vault): Promise<void> {
  for (const [id, content] of contents) {
    const read = await readPoint(vault, id).catch((cause: unknown) => {
      if (cause instanceof VaultError) return null;
      throw cause;
    });
    if (read !== null && !read.equals(content)) throw new Error(`point ${id} reads as something else`);
  }
}
