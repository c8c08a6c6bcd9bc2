import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryStore } from '../testing/memoryStore.ts';
import { createSample, noConfig, noise, readPoint, text, writePoint } from '../testing/sampleVault.ts';
import { openVaultIn } from './openVault.ts';

const none = { kind: 'none' } as const;
const small = { packBytes: 16 << 10, chunkBytes: 1024 };
const content = Buffer.concat([text('a', 40_000), noise('b', 40_000)]);

async function world() {
  const clock = { ms: 1_000_000_000_000 };
  const store = memoryStore(new Map(), () => clock.ms);
  const vault = await createSample(store, { encryption: { kind: 'passphrase', passphrase: 'open sesame' } });
  const point = await writePoint(vault, store, content, small);
  const open = () => openVaultIn(store, noConfig, { kind: 'passphrase', passphrase: 'open sesame' });
  return { clock, store, vault, point, open };
}
const namesOf = (store: MemoryStore, prefix: string) => [...store.objects.keys()].filter((name) => name.startsWith(prefix));
const drop = (store: MemoryStore, names: readonly string[]) => {
  for (const name of names) store.objects.delete(name);
};

describe('rebuilding the index', () => {
  it('[F30] from trailers: after the whole index is lost, every point reads and verifies', async () => {
    const { store, point, open } = await world();
    drop(store, namesOf(store, 'index/'));
    await expect(readPoint(await open(), point.header.id)).rejects.toMatchObject({ code: 'CHUNK_MISSING' });
    const vault = await open();
    const report = await vault.rebuildIndex();
    expect(report).toMatchObject({
      listedPacks: namesOf(store, 'packs/').length,
      scannedPacks: [],
      lostPacks: [],
      removedSegments: [],
    });
    expect((await readPoint(vault, point.header.id)).equals(content)).toBe(true);
    expect((await (await open()).verify({ level: 'content' })).damaged).toEqual([]);
    expect(await vault.rebuildIndex()).toMatchObject({ listedPacks: 0 });
  });

  it('[F10] [F30] by a forward scan where a trailer is damaged too; that pack goes into quarantine', async () => {
    const { store, point, open } = await world();
    drop(store, namesOf(store, 'index/'));
    const hurt = namesOf(store, 'packs/')[0] ?? '';
    const bytes = store.objects.get(hurt) ?? Buffer.alloc(0);
    bytes.fill(0xee, bytes.length - 200);
    const vault = await open();
    const report = await vault.rebuildIndex();
    expect(report.scannedPacks).toEqual([hurt]);
    expect(namesOf(store, 'gc/quarantine-')).toHaveLength(1);
    expect((await readPoint(vault, point.header.id)).equals(content)).toBe(true);
  });

  it('[F10] a damaged length loses one chunk of the scan, not the pack', async () => {
    const { store, open } = await world();
    const whole = await (await open()).info();
    drop(store, namesOf(store, 'index/'));
    for (const name of namesOf(store, 'packs/')) {
      const bytes = store.objects.get(name) ?? Buffer.alloc(0);
      bytes.writeUInt32LE(0xffff, 128 + 12);
      bytes.fill(0xee, bytes.length - 64);
    }
    const report = await (await open()).rebuildIndex();
    expect(report.listedChunks).toBe(whole.chunks - report.scannedPacks.length);
  });

  it('[F30] removes a damaged segment once what it listed is listed again', async () => {
    const { store, open } = await world();
    const hurt = namesOf(store, 'index/')[0] ?? '';
    store.objects.get(hurt)?.writeUInt8(0xaa, 100);
    const vault = await open();
    const damage = await vault.verify({ level: 'structure' });
    expect(damage.damaged.length).toBeGreaterThan(0);
    expect((await vault.repair(damage)).rebuilt.removedSegments).toEqual([hurt]);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
  });

  it('[F22] a lost index gives a report of bounded length', async () => {
    const { store, open } = await world();
    const vault = await open();
    await writePoint(vault, store, noise('many', 5_200_000), { chunkBytes: 512, begin: { source: 'many', compression: 'none' } });
    drop(
      store,
      namesOf(store, 'index/').filter((name) => (store.objects.get(name)?.length ?? 0) > 100_000),
    );
    // The map's own chunks are listed by a rebuild of one pack only.
    const meta = namesOf(store, 'packs/').filter((name) => store.objects.get(name)?.[10] === 2);
    const kept = new Map(store.objects);
    drop(
      store,
      namesOf(store, 'packs/').filter((name) => !meta.includes(name)),
    );
    await vault.rebuildIndex();
    for (const [name, bytes] of kept) store.objects.set(name, bytes);
    const report = await (await open()).verify({ level: 'structure' });
    expect(report.damaged.length).toBeGreaterThan(5000);
    expect(report.damaged.length).toBeLessThanOrEqual(10_001);
    expect(report.damaged.at(-1)?.object).toContain('more objects');
  });
});

describe('repair', () => {
  it('[F20] [F29] puts damaged packs in quarantine: the next backup stores their chunks anew, the sweeper takes them away', async () => {
    const { clock, store, point, open } = await world();
    const hurt = namesOf(store, 'packs/').filter((name) => store.objects.get(name)?.[10] === 1)[1] ?? '';
    store.objects.get(hurt)?.fill(0x11, 1000, 5000);
    const vault = await open();
    // Without repair the damaged chunks count as known for ever.
    const idle = await writePoint(vault, store, content, { ...small, begin: { source: 'idle' } });
    expect(idle.header.storedBytes).toBe(0);
    const report = await vault.verify({ level: 'data' });
    expect(report.damaged.map((one) => one.object)).toContain(hurt);
    const repaired = await vault.repair(report);
    expect(repaired.quarantined).toEqual([hurt]);
    expect((await vault.repair(report)).quarantined).toEqual([]);
    clock.ms += 30 * 3_600_000;
    await expect(vault.collectGarbage()).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    const healing = await writePoint(await open(), store, content, { ...small, begin: { source: 'healing' } });
    expect(healing.header.storedBytes).toBeGreaterThan(0);
    for (const id of [point.header.id, idle.header.id, healing.header.id]) {
      expect((await readPoint(await open(), id)).equals(content)).toBe(true);
    }
    for (let run = 0; run < 2; run += 1) {
      clock.ms += 30 * 3_600_000;
      await (await open()).collectGarbage();
    }
    expect(store.objects.has(hurt)).toBe(false);
    expect(namesOf(store, 'gc/quarantine-')).toEqual([]);
    const clean = await open();
    expect((await clean.verify({ level: 'content' })).damaged).toEqual([]);
    expect((await readPoint(clean, point.header.id)).equals(content)).toBe(true);
  });

  it('[F24] verify names a restore point that is gone and was not removed', async () => {
    const { store, vault, point, open } = await world();
    const begin = (minute: number) => ({ begin: { now: () => new Date(Date.UTC(2026, 10, 23, 1, minute)) } });
    const second = await writePoint(vault, store, content, begin(1));
    const third = await writePoint(vault, store, content, begin(2));
    await vault.removePoint(point.header.id);
    expect((await (await open()).verify({ level: 'structure' })).damaged).toEqual([]);
    drop(
      store,
      namesOf(store, 'points/').filter((name) => name.includes(second.header.id)),
    );
    const report = await (await open()).verify({ level: 'structure' });
    expect(report.damaged).toMatchObject([{ object: `point ${second.header.id}`, points: [second.header.id] }]);
    expect((await readPoint(await open(), third.header.id)).equals(content)).toBe(true);
  });

  it('[F29] needs no read capability: a keyless check of the bytes is enough to repair', async () => {
    const store = memoryStore();
    const vault = await createSample(store, { encryption: none });
    await writePoint(vault, store, content, small);
    const hurt = namesOf(store, 'packs/')[0] ?? '';
    store.objects.get(hurt)?.writeUInt8(0x42, 300);
    const report = await vault.verify({ level: 'data' });
    expect((await vault.repair(report)).quarantined).toEqual([hurt]);
  });
});
