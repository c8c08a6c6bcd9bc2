import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sealText } from '../config/checkedText.ts';
import { generateVaultKeys } from '../keys/seal.ts';
import { openChunkReader } from '../pack/chunkReader.ts';
import { openChunkWriter, PackingWriter } from '../pack/chunkWriter.ts';
import { openStore } from '../stores/openStore.ts';
import { fullStore, memoryStore, openVaultIn, serveStore } from '../testing/index.ts';
import {
  beginning,
  cheapCost,
  createSample,
  diskInfo,
  noConfig,
  noise,
  readPoint,
  text,
  writePoint,
} from '../testing/sampleVault.ts';
import type { Store, StoreConfig, Unlock } from '../types.ts';
import { createVault } from './createVault.ts';
import { openVault } from './openVault.ts';

const passphrase: Unlock = { kind: 'passphrase', passphrase: 'open sesame' };
const folders: string[] = [];
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'diskfleet-vault-'));
  folders.push(path);
  return path;
}
afterAll(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

const content = Buffer.concat([text('a', 300_000), Buffer.alloc(100_000), noise('b', 200_123)]);

interface Subject {
  readonly config: StoreConfig;
  readonly store: Store;
  cleanUp(): Promise<void>;
}
const subjects: [string, () => Promise<Subject>][] = [
  ['memory', async () => ({ config: noConfig, store: memoryStore(), async cleanUp() {} })],
  [
    'directory',
    async () => {
      const config: StoreConfig = { kind: 'directory', path: await folder() };
      return { config, store: await openStore(config), async cleanUp() {} };
    },
  ],
  [
    'service',
    async () => {
      const server = await serveStore(memoryStore(), { token: 't' });
      const config: StoreConfig = { kind: 'service', baseUrl: server.baseUrl, token: 't' };
      return { config, store: await openStore(config), cleanUp: () => server.close() };
    },
  ],
];

describe.each(subjects)('a vault in a %s store', (_name, open) => {
  it.each([
    ['encrypted, blake3', passphrase, 'blake3'],
    ['encrypted, hmac-sha256', passphrase, 'hmac-sha256'],
    ['not encrypted', { kind: 'none' }, 'blake3'],
  ] as const)('gives back what was put in: %s', async (_what, unlock, idAlgorithm) => {
    const { store, config, cleanUp } = await open();
    const made = await createSample(store, { encryption: unlock, idAlgorithm, config });
    const { header } = await writePoint(made, store, content, { packBytes: 64 << 10 });
    const vault = await openVaultIn(store, config, unlock);
    expect(vault).toMatchObject({ id: made.id, encrypted: unlock.kind !== 'none', canRead: true, canWrite: true });
    const { points, unreadable } = await vault.listPoints();
    expect(unreadable).toEqual([]);
    expect(points).toEqual([header]);
    expect((await readPoint(vault, header.id)).equals(content)).toBe(true);
    const point = await vault.openPoint(header.id);
    expect(point.body.warnings).toEqual(['a warning']);
    const disk = await point.openDisk(0);
    for (const [at, length] of [
      [0, 1],
      [4095, 2],
      [299_999, 100_002],
      [600_122, 1],
      [600_123, 0],
    ] as const) {
      const part = Buffer.alloc(length, 0xee);
      await disk.read(at, part);
      expect(part.equals(content.subarray(at, at + length))).toBe(true);
    }
    await expect(disk.read(600_123, Buffer.alloc(1))).rejects.toMatchObject({ code: 'DISK_OUT_OF_RANGE' });
    for (const level of ['structure', 'data', 'content'] as const) {
      const report = await vault.verify({ level });
      expect(report.damaged).toEqual([]);
      expect(report.checkedObjects).toBeGreaterThan(2);
    }
    expect(await vault.info()).toMatchObject({ formatVersion: 1, points: 1, chunks: expect.any(Number) });
    await vault.close();
    await cleanUp();
  });
});

describe('dedup', () => {
  it('stores a second backup of the same disk almost for nothing, and shares its map', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    await writePoint(vault, store, content);
    const before = [...store.objects.keys()].filter((name) => name.startsWith('packs/')).length;
    const again = await writePoint(vault, store, content, { begin: { method: 'incremental' } });
    expect([...store.objects.keys()].filter((name) => name.startsWith('packs/')).length).toBe(before);
    expect(again.header.storedBytes).toBe(0);
    expect((await readPoint(vault, again.header.id)).equals(content)).toBe(true);
  });

  it('[F20] stores again what a lost pack held, so that the next backup heals the vault', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const first = await writePoint(vault, store, content);
    for (const name of [...store.objects.keys()]) if (name.startsWith('packs/')) store.objects.delete(name);
    expect((await vault.verify({ level: 'structure' })).damaged.some((one) => one.points.includes(first.header.id))).toBe(true);
    const reopened = await openVaultIn(store, noConfig, passphrase);
    const second = await writePoint(reopened, store, content);
    const healed = await openVaultIn(store, noConfig, passphrase);
    expect((await readPoint(healed, first.header.id)).equals(content)).toBe(true);
    expect((await readPoint(healed, second.header.id)).equals(content)).toBe(true);
  });

  it('finds what a checkpoint of a run that died had stored', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const point = await vault.beginPoint(beginning());
    const writer = new PackingWriter({ ...point.seed, packTargetBytes: 32 << 10 }, { store, kind: 'data' });
    const id = Buffer.alloc(32);
    for (let at = 0; at < 100; at += 1) {
      writer.add(noise(`chunk ${at}`, 4096), id);
      while (writer.drainNeeded) await writer.drain();
    }
    const packs = writer.takeSealed();
    expect(packs.length).toBeGreaterThan(5);
    expect(writer.takeSealed()).toEqual([]);
    await point.checkpoint(packs);
    const next = await openVaultIn(store, noConfig, passphrase);
    const later = await next.beginPoint(beginning());
    const second = new PackingWriter(later.seed, { store, kind: 'data' });
    expect(second.add(noise('chunk 0', 4096), id)).toBe(0);
    expect(second.add(noise('chunk 50', 4096), id)).toBe(0);
    expect(second.add(noise('chunk new', 4096), id)).toBeGreaterThan(4096);
    expect((await next.listPoints()).points).toEqual([]);
  });
});

describe('keys', () => {
  it('[F4] refuses a wrong passphrase, and opens by the right one in any Unicode form', async () => {
    const store = memoryStore();
    await createSample(store, { encryption: { kind: 'passphrase', passphrase: 'Schl\u00fcssel' } });
    await expect(openVaultIn(store, noConfig, { kind: 'passphrase', passphrase: 'no' })).rejects.toMatchObject({
      code: 'VAULT_WRONG_PASSPHRASE',
    });
    const vault = await openVaultIn(store, noConfig, { kind: 'passphrase', passphrase: 'Schlu\u0308ssel' });
    expect(vault.canRead).toBe(true);
  });

  it('write capability writes and lists but cannot read back, not even its own backup', async () => {
    const store = memoryStore();
    const keys = generateVaultKeys();
    await createSample(store, { encryption: { kind: 'keys', keys } });
    expect([...store.objects.keys()].some((name) => name.startsWith('keys/'))).toBe(false);
    const writer = await openVaultIn(store, noConfig, { kind: 'keys', keys: { ...keys, privateKey: null } });
    expect(writer).toMatchObject({ canRead: false, canWrite: true });
    const { header } = await writePoint(writer, store, content);
    expect((await writer.listPoints()).points).toEqual([header]);
    await expect(writer.openPoint(header.id)).rejects.toMatchObject({ code: 'VAULT_KEY_NEEDED' });
    await expect(writer.readChunk(Buffer.alloc(32))).rejects.toMatchObject({ code: 'VAULT_KEY_NEEDED' });
    await expect(writer.verify({ level: 'content' })).rejects.toMatchObject({ code: 'VAULT_KEY_NEEDED' });
    expect((await writer.verify({ level: 'data' })).damaged).toEqual([]);
    const reader = await openVaultIn(store, noConfig, { kind: 'keys', keys });
    expect((await readPoint(reader, header.id)).equals(content)).toBe(true);
  });

  it('without keys an encrypted vault can be listed only', async () => {
    const store = memoryStore();
    const made = await createSample(store);
    const { header } = await writePoint(made, store, content);
    const vault = await openVaultIn(store, noConfig, { kind: 'none' });
    expect(vault).toMatchObject({ canRead: false, canWrite: false, encrypted: true });
    expect((await vault.listPoints()).points).toEqual([header]);
    await expect(vault.beginPoint(beginning())).rejects.toMatchObject({ code: 'VAULT_KEY_NEEDED' });
  });

  it('[F3] refuses keys of another vault and a config whose public key was swapped', async () => {
    const store = memoryStore();
    const keys = generateVaultKeys();
    await createSample(store, { encryption: { kind: 'keys', keys } });
    await expect(openVaultIn(store, noConfig, { kind: 'keys', keys: generateVaultKeys() })).rejects.toMatchObject({
      code: 'VAULT_WRONG_PASSPHRASE',
    });
    const swapped = Buffer.from(generateVaultKeys().publicKey ?? []).toString('hex');
    const line = JSON.parse((store.objects.get('config')?.toString() ?? '').split('\n', 1)[0] ?? '');
    store.objects.set('config', sealText({ ...line, publicKey: swapped }));
    await expect(openVaultIn(store, noConfig, { kind: 'keys', keys })).rejects.toMatchObject({ code: 'VAULT_WRONG_PASSPHRASE' });
  });

  it('nothing in an encrypted vault shows the plain bytes, the id key or the private key', async () => {
    const store = memoryStore();
    const keys = generateVaultKeys();
    const vault = await createSample(store, { encryption: { kind: 'keys', keys } });
    const secret = Buffer.from('the quick brown fox jumps over the lazy dog');
    await writePoint(vault, store, Buffer.concat([secret, noise('x', 4000)]), { begin: { compression: 'none' } });
    for (const [name, bytes] of store.objects) {
      for (const needle of [secret, Buffer.from(keys.idKey), Buffer.from(keys.privateKey ?? secret)]) {
        expect(bytes.includes(needle), name).toBe(false);
        expect(bytes.includes(needle.toString('hex')), name).toBe(false);
      }
    }
  });
});

describe('opening', () => {
  it('says VAULT_NOT_FOUND where no vault is and VAULT_EXISTS where one is', async () => {
    const path = await folder();
    await expect(openVault({ kind: 'directory', path }, passphrase)).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    await expect(openVault({ kind: 'directory', path: join(path, 'none') }, passphrase)).rejects.toMatchObject({
      code: 'VAULT_NOT_FOUND',
    });
    const config: StoreConfig = { kind: 'directory', path: join(path, 'new') };
    await (await createVault(config, { encryption: passphrase, passphraseCost: cheapCost })).close();
    await expect(createVault(config, { encryption: passphrase })).rejects.toMatchObject({ code: 'VAULT_EXISTS' });
  });

  it('[F3] refuses a newer vault and names both versions', async () => {
    const store = memoryStore();
    await createSample(store);
    const line = JSON.parse((store.objects.get('config')?.toString() ?? '').split('\n', 1)[0] ?? '');
    store.objects.set('config', Buffer.from(`${JSON.stringify({ ...line, formatVersion: 7, anything: 'else' })}\n`));
    await expect(openVaultIn(store, noConfig, passphrase)).rejects.toMatchObject({
      code: 'VAULT_TOO_NEW',
      message: expect.stringMatching(/version 7.*version 1/),
    });
  });

  it.each(['read', 'write', 'gc'] as const)('[F3] obeys an unknown %s feature', async (kind) => {
    const store = memoryStore();
    await createSample(store);
    const line = JSON.parse((store.objects.get('config')?.toString() ?? '').split('\n', 1)[0] ?? '');
    store.objects.set('config', sealText({ ...line, features: { read: [], write: [], gc: [], [kind]: ['holograms'] } }));
    const opening = openVaultIn(store, noConfig, passphrase);
    if (kind === 'read') {
      await expect(opening).rejects.toMatchObject({ code: 'VAULT_TOO_NEW', message: expect.stringContaining('holograms') });
      return;
    }
    const vault = await opening;
    expect(vault.canWrite).toBe(kind !== 'write');
    if (kind === 'write') await expect(vault.beginPoint(beginning())).rejects.toMatchObject({ code: 'VAULT_TOO_NEW' });
  });

  it('says POINT_NOT_FOUND for an unknown point and finds one made by another process meanwhile', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    await expect(vault.openPoint('0'.repeat(32))).rejects.toMatchObject({ code: 'POINT_NOT_FOUND' });
    const other = await openVaultIn(store, noConfig, passphrase);
    const { header } = await writePoint(other, store, content);
    expect((await readPoint(vault, header.id)).equals(content)).toBe(true);
  });
});

describe('worker-style writers and readers', () => {
  it('several writers of one run store each chunk once; bulk reading gives each chunk once and right', async () => {
    const config: StoreConfig = { kind: 'directory', path: await folder() };
    const vault = await createVault(config, { encryption: passphrase, passphraseCost: cheapCost });
    const point = await vault.beginPoint(beginning());
    const writers = await Promise.all([openChunkWriter(point.seed), openChunkWriter(point.seed)]);
    const ids: Buffer[] = [];
    let stored = 0;
    for (let at = 0; at < 300; at += 1) {
      const writer = writers[at % 2];
      const id = Buffer.alloc(32);
      if (writer === undefined) throw new Error('no writer');
      stored += writer.add(text(`chunk ${at % 200}`, 30_000), id) > 0 ? 1 : 0;
      ids.push(id);
    }
    expect(stored).toBe(200);
    const packs = (await Promise.all(writers.map((writer) => writer.finish()))).flat();
    const { mapRootId } = await point.writeMap([], 1 << 20);
    await point.commit({
      packs,
      disks: [diskInfo(mapRootId, 1 << 20)],
      warnings: [],
      totals: { sizeBytes: 0, usedBytes: 0, newBytes: 0 },
    });
    await vault.lookUp(ids);
    const reader = await openChunkReader(vault.readerSeed());
    const seen = new Map<string, boolean>();
    await reader.readChunks(ids, (id, plain) => {
      const at = ids.findIndex((one) => one.equals(id));
      expect(seen.has(String(at))).toBe(false);
      seen.set(String(at), Buffer.from(plain).equals(text(`chunk ${at % 200}`, 30_000)));
    });
    expect(seen.size).toBe(200);
    expect([...seen.values()].every(Boolean)).toBe(true);
    const first = ids[0] ?? Buffer.alloc(32);
    expect(reader.locate(first)?.plainBytes).toBe(30_000);
    await expect(reader.readChunk(Buffer.alloc(32, 9))).rejects.toMatchObject({ code: 'CHUNK_MISSING' });
    await expect(reader.readChunks([first, Buffer.alloc(32, 9)], () => {})).rejects.toMatchObject({ code: 'CHUNK_MISSING' });
    await reader.close();
    await vault.close();
  });

  it('an empty disk, and a disk with nothing used, make points too', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const empty = await writePoint(vault, store, Buffer.alloc(0));
    const zeros = await writePoint(vault, store, Buffer.alloc(50_000));
    expect((await readPoint(vault, empty.header.id)).length).toBe(0);
    expect((await readPoint(vault, zeros.header.id)).equals(Buffer.alloc(50_000))).toBe(true);
  });
});

describe('mistakes of the caller', () => {
  it('a map may not name a chunk that was never stored', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const point = await vault.beginPoint(beginning());
    const entry = { kind: 'data' as const, offsetBytes: 0, lengthBytes: 10, chunkId: noise('never', 32), chunkOffsetBytes: 0 };
    await expect(point.writeMap([entry], 100)).rejects.toThrow(/never stored/);
    await point.abandon();
    await expect(point.writeMap([], 100)).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED' });
    expect([...store.objects.keys()].filter((name) => name.startsWith('sessions/'))).toEqual([]);
  });

  it('a commit that failed cannot be tried again half-way', async () => {
    const store = memoryStore();
    const room = { limitBytes: 10_000 };
    await createSample(store);
    const vault = await openVaultIn(fullStore(store, room), noConfig, passphrase);
    const point = await vault.beginPoint(beginning());
    const { mapRootId } = await point.writeMap([], 100);
    const input = {
      packs: [],
      disks: [diskInfo(mapRootId, 100)],
      warnings: ['x'.repeat(20_000)],
      totals: { sizeBytes: 0, usedBytes: 0, newBytes: 0 },
    };
    await expect(point.commit(input)).rejects.toMatchObject({ code: 'VAULT_FULL' });
    room.limitBytes = 1 << 20;
    await expect(point.commit(input)).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED' });
    expect((await vault.listPoints()).points).toEqual([]);
  });

  it('[F18] a running backup holds a lease, and a closed vault says so instead of crashing', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const { header } = await writePoint(vault, store, content);
    const point = await vault.beginPoint(beginning());
    const lease = store.objects.get(`sessions/${point.pointId}-0`)?.toString() ?? '';
    expect(JSON.parse(lease.split('\n', 1)[0] ?? '')).toMatchObject({
      format: 'diskfleet-session',
      pointId: point.pointId,
      renewal: 0,
    });
    await point.abandon();
    const disk = await (await vault.openPoint(header.id)).openDisk(0);
    await vault.close();
    await expect(disk.read(0, Buffer.alloc(10))).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED' });
  });

  it('[F21] objects of a later sweeper are left alone', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const { header } = await writePoint(vault, store, content);
    store.objects.set('gc/00000001-mark', Buffer.from('whatever'));
    const again = await openVaultIn(store, noConfig, passphrase);
    expect((await again.verify({ level: 'content' })).damaged).toEqual([]);
    expect((await readPoint(again, header.id)).equals(content)).toBe(true);
  });
});

describe('a full store', () => {
  it('VAULT_FULL: earlier points intact, nothing of the failed run visible, works again when space is back', async () => {
    const inner = memoryStore();
    const vault = await createSample(inner);
    const first = await writePoint(vault, inner, content);
    const room = { limitBytes: 0 };
    const full = fullStore(inner, room);
    const other = noise('other', 500_000);
    for (let limitBytes = 0; limitBytes < 600_000; limitBytes += 60_000) {
      room.limitBytes = limitBytes;
      const tight = await openVaultIn(fullStore(inner, room), noConfig, passphrase);
      const attempt = writePoint(tight, fullStore(inner, room), noise(`other ${limitBytes}`, 700_000), { packBytes: 64 << 10 });
      await expect(attempt).rejects.toMatchObject({ code: 'VAULT_FULL', retry: 'later' });
      expect((await vault.listPoints()).points).toHaveLength(1);
    }
    expect((await readPoint(vault, first.header.id)).equals(content)).toBe(true);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    room.limitBytes = 10 << 20;
    const second = await writePoint(await openVaultIn(full, noConfig, passphrase), full, other);
    expect((await readPoint(vault, second.header.id)).equals(other)).toBe(true);
  });
});
