import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VaultError } from '../errors.ts';
import type { ChunkType } from '../index/entry.ts';
import { allocateKnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { LocationTable } from '../index/locationTable.ts';
import { generateVaultKeys } from '../keys/seal.ts';
import { faultyStore, memoryStore } from '../testing/index.ts';
import { noConfig, noise, text } from '../testing/sampleVault.ts';
import type { ChunkWriterSeed, SealedPack } from '../types.ts';
import { StoredChunkReader } from './chunkReader.ts';
import { PackingWriter } from './chunkWriter.ts';
import { readTrailer } from './layout.ts';

const vaultId = '1ef98c75-10a3-435a-bc5f-7d0044198a7a';
const keys = generateVaultKeys();

function seed(more: Partial<ChunkWriterSeed> = {}): ChunkWriterSeed {
  const knownSlots = knownSlotsFor(5000);
  return {
    store: noConfig,
    keys,
    vaultId,
    idAlgorithm: 'blake3',
    compressionLevel: 1,
    knownChunks: allocateKnownChunks(knownSlots),
    knownSlots,
    packTargetBytes: 64 << 10,
    ...more,
  };
}

function readerOf(store: ReturnType<typeof memoryStore>, packs: readonly SealedPack[]) {
  const table = new LocationTable();
  for (const pack of packs) {
    const ordinal = table.addPack(pack);
    const entries = Buffer.from(pack.entries);
    for (let at = 0; at < entries.length; at += 48) table.insert(entries, at, ordinal);
  }
  return new StoredChunkReader(store, { keys, vaultId, idAlgorithm: 'blake3' }, () => table);
}

const chunkArb = fc.record({
  name: fc.nat(30),
  length: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 60_000 })),
  kind: fc.constantFrom('noise', 'text', 'zeros'),
  type: fc.constantFrom<ChunkType>('data', 'leaf', 'page', 'root'),
});

describe('packs', () => {
  it('[F8] [F9] [F11] [F12] whatever is put in comes out, singly and in bulk, in any mix of sizes and kinds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunkArb, { maxLength: 60 }),
        fc.constantFrom(null, -5, 1, 9),
        async (chunks, compressionLevel) => {
          const store = memoryStore();
          const writers = {
            data: new PackingWriter(seed({ compressionLevel }), { store, kind: 'data' }),
            meta: new PackingWriter(seed({ compressionLevel }), { store, kind: 'meta' }),
          };
          const content = new Map<string, Buffer>();
          for (const { name, length, kind, type } of chunks) {
            const plain =
              kind === 'noise' ? noise(`${name}`, length) : kind === 'text' ? text(`${name}`, length) : Buffer.alloc(length);
            const id = Buffer.alloc(32);
            const writer = type === 'data' ? writers.data : writers.meta;
            const known = content.has(id.toString('hex'));
            const stored = writer.addTyped(plain, id, type);
            expect(stored === 0).toBe(content.has(id.toString('hex')) || known);
            content.set(id.toString('hex'), plain);
            if (writer.drainNeeded) await writer.drain();
          }
          const packs = [...(await writers.data.finish()), ...(await writers.meta.finish())];
          for (const pack of packs) {
            const bytes = store.objects.get(`packs/${pack.name.slice(0, 2)}/${pack.name}`) ?? Buffer.alloc(0);
            expect(bytes.length).toBe(pack.sizeBytes);
            expect(readTrailer(bytes, 'pack').length * 48).toBe(pack.entries.length);
          }
          const reader = readerOf(store, packs);
          const ids = [...content.keys()].map((hex) => Buffer.from(hex, 'hex'));
          for (const id of ids)
            expect((await reader.readChunk(id)).equals(content.get(id.toString('hex')) ?? Buffer.alloc(0))).toBe(true);
          const seen = new Set<string>();
          await reader.readChunks([...ids, ...ids], (id, plain) => {
            const hex = Buffer.from(id).toString('hex');
            expect(Buffer.from(plain).equals(content.get(hex) ?? Buffer.alloc(0))).toBe(true);
            seen.add(hex);
          });
          expect(seen.size).toBe(ids.length);
          reader.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes chunks of 4 MiB beside small ones, and refuses one no pack can hold', async () => {
    const store = memoryStore();
    const writer = new PackingWriter(seed({ packTargetBytes: 1 << 20 }), { store, kind: 'data' });
    const plains = [noise('big', 4 << 20), noise('small', 10), noise('big 2', 4 << 20)];
    const ids: Buffer[] = [];
    for (const plain of plains) {
      const id = Buffer.alloc(32);
      writer.add(plain, id);
      while (writer.drainNeeded) await writer.drain();
      ids.push(id);
    }
    expect(() => writer.add(noise('huge', 16 << 20), Buffer.alloc(32))).toThrow(RangeError);
    const reader = readerOf(store, await writer.finish());
    for (const [at, id] of ids.entries()) expect((await reader.readChunk(id)).equals(plains[at] ?? Buffer.alloc(0))).toBe(true);
  });

  it('stores incompressible data as it is, and goes back to compressing', async () => {
    const store = memoryStore();
    const writer = new PackingWriter(seed({ packTargetBytes: 8 << 20 }), { store, kind: 'data' });
    const id = Buffer.alloc(32);
    const stored = [noise('a', 262_144), noise('b', 262_144), text('c', 262_144), text('d', 262_144)].map((plain) =>
      writer.add(plain, id),
    );
    expect(stored.slice(0, 2)).toEqual([262_144 + 80, 262_144 + 80]);
    expect(Math.max(...stored.slice(2))).toBeLessThan(200_000);
    await writer.close();
  });

  it('holds back: with both packs on their way it wants a drain, and memory stays bounded', async () => {
    const store = memoryStore();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = { ...store, put: async (name: string, bytes: Uint8Array) => gate.then(() => store.put(name, bytes)) };
    const writer = new PackingWriter(seed({ compressionLevel: null }), { store: slow, kind: 'data' });
    let added = 0;
    expect(() => {
      for (; added < 100; added += 1) writer.add(noise(`${added}`, 10_000), Buffer.alloc(32));
    }).toThrow(/drain/);
    expect(added).toBe(14);
    expect(writer.drainNeeded).toBe(true);
    release();
    await writer.drain();
    writer.add(noise('after', 10_000), Buffer.alloc(32));
    expect(await writer.finish()).toHaveLength(3);
  });

  it('a store that fails fails the writer for good, with its own error', async () => {
    const full = faultyStore(memoryStore(), { before: () => new VaultError('VAULT_FULL', 'full', { retry: 'later' }) });
    const writer = new PackingWriter(seed(), { store: full, kind: 'data' });
    const fill = async () => {
      for (let at = 0; at < 100; at += 1) {
        writer.add(noise(`${at}`, 10_000), Buffer.alloc(32));
        if (writer.drainNeeded) await writer.drain();
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'VAULT_FULL' });
    await expect(writer.finish()).rejects.toMatchObject({ code: 'VAULT_FULL' });
    expect(() => writer.add(noise('late', 10), Buffer.alloc(32))).toThrow(VaultError);
    await writer.close();
  });
});

describe('finishing', () => {
  it('a pack that fails only at the very end still fails the writer', async () => {
    const failing = faultyStore(memoryStore(), { before: () => new VaultError('VAULT_UNREACHABLE', 'gone', { retry: 'later' }) });
    const writer = new PackingWriter(seed(), { store: failing, kind: 'data' });
    writer.add(noise('only', 100), Buffer.alloc(32));
    await expect(writer.finish()).rejects.toMatchObject({ code: 'VAULT_UNREACHABLE' });
  });
});

describe('known chunks', () => {
  it('lets exactly one of several threads claim each id', async () => {
    const ids = 50_000;
    const slots = knownSlotsFor(ids);
    const memory = allocateKnownChunks(slots);
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then(({ knownChunks }) => {
        const { createHash } = require('node:crypto');
        const known = knownChunks(workerData.memory, workerData.slots);
        const ids = Array.from({ length: workerData.ids }, (_, at) => createHash('sha256').update(String(at)).digest());
        // All start at once, each id is claimed by all within microseconds.
        const ready = new Int32Array(workerData.gate);
        if (Atomics.add(ready, 0, 1) === 2) Atomics.notify(ready, 0);
        for (let seen; (seen = Atomics.load(ready, 0)) < 3; ) Atomics.wait(ready, 0, seen, 50);
        let won = 0;
        for (const id of ids) if (known.claim(id)) won += 1;
        parentPort.postMessage(won);
      });`;
    const gate = new SharedArrayBuffer(4);
    const module = new URL('../index/knownChunks.ts', import.meta.url).href;
    const wins = await Promise.all(
      Array.from(
        { length: 3 },
        () =>
          new Promise<number>((resolve, reject) => {
            const worker = new Worker(code, { eval: true, workerData: { memory, slots, ids, module, gate } });
            worker.on('message', resolve);
            worker.on('error', reject);
          }),
      ),
    );
    expect(wins.reduce((sum, won) => sum + won, 0)).toBe(ids);
  });

  it('takes ids with zero words, and says so when it is full', () => {
    const known = knownChunks(allocateKnownChunks(1024), 1024);
    expect(known.claim(Buffer.alloc(32))).toBe(true);
    expect(known.claim(Buffer.alloc(32))).toBe(false);
    expect(() => {
      for (let at = 0; at < 2000; at += 1) known.claim(noise(`${at}`, 32));
    }).toThrow(/expectedChunks/);
  });
});

describe('location table', () => {
  it('finds what was added, every copy of it, through growth and through a seed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(3), fc.nat(1 << 30)), { maxLength: 1500 }), (rows) => {
        const table = new LocationTable();
        const expected = new Map<string, Set<string>>();
        for (const [chunk, pack, offset] of rows) {
          const entry = Buffer.alloc(48);
          noise(`id ${chunk}`, 32).copy(entry);
          entry.writeUInt32LE(offset, 36);
          entry.writeUInt32LE(100, 40);
          entry.writeUInt32LE(((1 << 28) | 77) >>> 0, 44);
          const ordinal = table.addPack({ name: String(pack).repeat(64), sizeBytes: 5, kind: 'data' });
          table.insert(entry, 0, ordinal);
          const key = entry.toString('hex', 0, 32);
          expected.set(key, (expected.get(key) ?? new Set()).add(`${pack} ${offset}`));
        }
        for (const view of [table, new LocationTable(table.seed())]) {
          for (const [key, places] of expected) {
            const found = view
              .places(Buffer.from(key, 'hex'))
              .map((place) => `${view.pack(place.pack).name[0]} ${place.offsetBytes}`);
            expect(new Set(found)).toEqual(places);
            expect(found.length).toBe(places.size);
          }
          expect(view.places(noise('absent', 32))).toEqual([]);
        }
        const { chunkCount } = table;
        table.clear(chunkCount);
        expect(table.chunkCount).toBe(0);
        for (const key of expected.keys()) expect(table.has(Buffer.from(key, 'hex'))).toBe(false);
      }),
      { numRuns: 25 },
    );
  });
});

describe('without FFI', () => {
  it('opens and verifies the golden vault by node:zlib and node:crypto alone', () => {
    const index = new URL('../index.ts', import.meta.url).href;
    const path = fileURLToPath(new URL('../testing/golden/v1/encrypted', import.meta.url));
    const script = `
      import { openVault } from ${JSON.stringify(index)};
      const vault = await openVault({ kind: 'directory', path: ${JSON.stringify(path)} }, { kind: 'passphrase', passphrase: 'golden vault of format 1' });
      const report = await vault.verify({ level: 'content' });
      console.log(report.damaged.length, report.checkedObjects);`;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, DISKFLEET_NO_FFI: '1' },
      encoding: 'utf8',
    });
    expect(out).toMatch(/^0 1\d\n$/);
  });
});
