import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { liveSegments, segmentHeads } from '../index/liveSegments.ts';
import { decodeSegment, encodeSegment, encodeSegments } from '../index/segment.ts';
import { sha256 } from '../keys/derive.ts';
import { memoryStore } from '../testing/memoryStore.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../testing/sampleVault.ts';
import type { SealedPack } from '../types.ts';
import { knownForRun } from './knownForRun.ts';
import { mergeSegments, planMerge } from './mergeSegments.ts';
import { openVaultIn } from './openVault.ts';
import { VaultIndex } from './vaultIndex.ts';

const key = { vaultId: '1ef98c75-10a3-435a-bc5f-7d0044198a7a', idKey: Buffer.alloc(32, 3) };
const idOf = (id: number) => noise(`id ${id}`, 32);

/** A pack that lists the given chunks, one every 1000 bytes. */
function packOf(name: string, ids: readonly number[]): SealedPack {
  const entries = Buffer.alloc(ids.length * 48);
  for (const [place, id] of ids.entries()) {
    idOf(id).copy(entries, place * 48);
    entries.writeUInt32LE(128 + place * 1000, place * 48 + 36);
    entries.writeUInt32LE(1000, place * 48 + 40);
    entries.writeUInt32LE(((1 << 28) | 4096) >>> 0, place * 48 + 44);
  }
  return { name: sha256(name).toString('hex'), sizeBytes: 1_000_000, kind: 'data', entries };
}

/** A store whose segments list `packs`, each pack in a segment of its own. */
async function storeWith(packs: readonly SealedPack[]) {
  const store = memoryStore();
  const add = async (pack: SealedPack) => {
    for (const { name, bytes } of encodeSegments([pack], key)) await store.put(name, bytes);
    store.objects.set(`packs/${pack.name.slice(0, 2)}/${pack.name}`, Buffer.alloc(pack.sizeBytes));
  };
  for (const pack of packs) await add(pack);
  return { store, source: { store, ...key }, add };
}

function placesOf(index: VaultIndex, id: number): string[] {
  const { places } = index;
  return places
    .places(idOf(id))
    .map((place) => `${places.pack(place.pack).name} ${place.offsetBytes}`)
    .sort();
}

describe('an index read on demand', () => {
  it('[F13] finds every copy of every chunk and nothing else, whatever the segments', async () => {
    const model = fc.array(fc.uniqueArray(fc.nat(300), { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(model, async (idsOfPacks) => {
        const packs = idsOfPacks.map((ids, at) => packOf(`pack ${at}`, ids));
        const { source } = await storeWith(packs);
        const index = new VaultIndex(source);
        await index.lookUp(Array.from({ length: 320 }, (_, id) => idOf(id)));
        for (let id = 0; id < 320; id += 1) {
          const expected = idsOfPacks.flatMap((ids, at) =>
            ids.includes(id) ? `${packs[at]?.name} ${128 + ids.indexOf(id) * 1000}` : [],
          );
          expect(placesOf(index, id)).toEqual(expected.sort());
        }
      }),
      { numRuns: 50 },
    );
  });

  it('[F23] finds what was stored or merged after it was read, through any number of refreshes', async () => {
    const { store, source, add } = await storeWith([packOf('first', [0])]);
    const index = new VaultIndex(source);
    await index.lookUp([idOf(0)]);
    for (let at = 1; at < 40; at += 1) {
      await add(packOf(`later ${at}`, [at]));
      await index.lookUp([idOf(at)]);
      expect(placesOf(index, at)).toHaveLength(1);
    }
    const before = (await segmentHeads(store)).map((head) => head.name);
    expect(await mergeSegments(source)).toBe(40);
    for (const name of before) await store.remove(name);
    const late = new VaultIndex(source);
    await late.lookUp(Array.from({ length: 40 }, (_, id) => idOf(id)));
    for (let id = 0; id < 40; id += 1) expect(placesOf(late, id)).toHaveLength(1);
    await index.lookUp([idOf(1000)]);
    expect(placesOf(index, 1000)).toEqual([]);
  });

  it('keeps the chunks met lately when it makes room', async () => {
    const { source } = await storeWith([
      packOf(
        'all',
        Array.from({ length: 50 }, (_, id) => id),
      ),
    ]);
    const index = new VaultIndex(source);
    const old = index.places;
    await index.lookUp([idOf(1), idOf(2)]);
    const many = packOf('many', []);
    const filler = Buffer.alloc(48);
    const ordinal = old.addPack(many);
    for (let at = 0; at < 1 << 18; at += 1) {
      filler.writeUInt32LE(at, 0);
      filler.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0, 4);
      old.insert(filler, 0, ordinal);
    }
    await index.lookUp([idOf(3)]);
    expect(index.places).not.toBe(old);
    expect(index.places.chunkCount).toBe(3);
    for (const id of [1, 2, 3]) expect(placesOf(index, id)).toHaveLength(1);
  });

  it('reads no segment to open a vault and list its points', async () => {
    const store = memoryStore();
    const vault = await createSample(store, { encryption: { kind: 'none' } });
    const { header, content } = await writePoint(vault, store, noise('content', 50_000));
    const read: string[] = [];
    const watched = {
      ...store,
      get: (name: string, range?: { offsetBytes: number; lengthBytes: number }) => {
        read.push(name);
        return store.get(name, range);
      },
    };
    const again = await openVaultIn(watched, noConfig, { kind: 'none' });
    expect((await again.listPoints()).points).toEqual([header]);
    expect(read.filter((name) => name.startsWith('index/'))).toEqual([]);
    expect((await readPoint(again, header.id)).equals(content)).toBe(true);
    expect(read.filter((name) => name.startsWith('index/')).length).toBeGreaterThan(0);
  });
});

describe('segments of a hostile storage', () => {
  const forge = (bytes: Buffer) => ({ name: `index/00000000/${sha256(bytes).toString('hex')}`, bytes });
  const sound = () => encodeSegments([packOf('sound', [1, 2])], key)[0] ?? { name: '', bytes: Buffer.alloc(0) };

  it('[F13] counts that do not fit the size ask for no memory; the segment is damaged, the others are read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(12, 16, 20), fc.nat(0xffff_ffff), async (field, count) => {
        const { store, source } = await storeWith([packOf('here', [7])]);
        const bytes = Buffer.from(sound().bytes);
        fc.pre(bytes.readUInt32LE(field) !== count);
        bytes.writeUInt32LE(count, field);
        const forged = forge(bytes);
        await store.put(forged.name, forged.bytes);
        const heads = await segmentHeads(store);
        expect(heads.find((head) => head.name === forged.name)).toMatchObject({
          entryCount: 0,
          packCount: 0,
          supersededCount: 0,
        });
        const problems: string[] = [];
        for await (const _ of liveSegments(source, heads, (name) => problems.push(name)));
        expect(problems).toEqual([forged.name]);
        expect(() => decodeSegment(forged.bytes, forged.name, key)).toThrow(expect.objectContaining({ code: 'VAULT_DAMAGED' }));
        const { knownSlots } = await knownForRun(source, 0, new Set());
        expect(knownSlots).toBe(1024);
        const index = new VaultIndex(source);
        await index.lookUp([idOf(7), idOf(1)]);
        expect([placesOf(index, 7).length, placesOf(index, 1).length]).toEqual([1, 0]);
      }),
      { numRuns: 40 },
    );
  });

  it('[F13] any changed byte makes a segment damaged, with a code', () => {
    const { name, bytes } = sound();
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      for (const as of [name, forge(changed).name]) {
        expect(() => decodeSegment(changed, as, key), `byte ${at}`).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^VAULT_(DAMAGED|TOO_NEW)$/) }),
        );
      }
    }
  });

  it('[F13] a segment larger than any writer makes is not read', async () => {
    const { store, source } = await storeWith([packOf('here', [7])]);
    const huge = `index/00000000/${'ab'.repeat(32)}`;
    const lying = {
      ...store,
      async *list(prefix: string) {
        yield* store.list(prefix);
        if (prefix === 'index/') yield { name: huge, sizeBytes: 2 ** 40 };
      },
      async readInto(name: string, offsetBytes: number, target: Uint8Array) {
        if (name === huge) throw new Error('it was read');
        target.set(await store.get(name, { offsetBytes, lengthBytes: target.length }));
      },
    };
    const problems: string[] = [];
    for await (const _ of liveSegments({ ...source, store: lying }, await segmentHeads(lying), (name) => problems.push(name)));
    expect(problems).toEqual([huge]);
  });

  it('[F23] a forged claim to replace a segment hides nothing', async () => {
    const { store, source } = await storeWith([packOf('here', [7])]);
    const victim = (await segmentHeads(store))[0]?.name ?? '';
    const { name, bytes } = encodeSegment([packOf('forged', [9])], { ...key, idKey: Buffer.alloc(32, 9) }, [victim.slice(-64)]);
    await store.put(name, bytes);
    const index = new VaultIndex(source);
    await index.lookUp([idOf(7)]);
    expect(placesOf(index, 7)).toHaveLength(1);
    const { knownChunks: memory, knownSlots } = await knownForRun(source, 0, new Set());
    expect(knownChunks(memory, knownSlots).has(idOf(7))).toBe(true);
  });
});

describe('merging segments', () => {
  it('[F23] what is merged and not yet swept is not counted twice, unless the merged segment is damaged', async () => {
    const packs = Array.from({ length: 40 }, (_, at) =>
      packOf(
        `pack ${at}`,
        Array.from({ length: 50 }, (_, id) => at * 50 + id),
      ),
    );
    const { store, source } = await storeWith(packs);
    await mergeSegments(source);
    const slotsOf = async () => (await knownForRun(source, 0, new Set())).knownSlots;
    expect(await slotsOf()).toBe(knownSlotsFor(2000));
    const merged = (await segmentHeads(store))[0]?.name ?? '';
    store.objects.get(merged)?.writeUInt8(0xff, 5000);
    const { knownChunks: memory, knownSlots } = await knownForRun(source, 0, new Set());
    const known = knownChunks(memory, knownSlots);
    for (let id = 0; id < 2000; id += 1) expect(known.has(idOf(id))).toBe(true);
    const index = new VaultIndex(source);
    await index.lookUp(Array.from({ length: 2000 }, (_, id) => idOf(id)));
    for (let id = 0; id < 2000; id += 1) expect(placesOf(index, id)).toHaveLength(1);
  });

  it('[F23] merges nothing up to 32 small ones; replaces whole segments; says the same as before', async () => {
    const packs = Array.from({ length: 33 }, (_, at) => packOf(`pack ${at}`, [at, at + 1, at + 2]));
    const few = await storeWith(packs.slice(0, 32));
    expect(await mergeSegments(few.source)).toBe(0);
    const { store, source } = await storeWith(packs);
    const before = (await segmentHeads(store)).map((head) => head.name);
    expect(await mergeSegments(source)).toBe(33);
    const heads = await segmentHeads(store);
    expect(heads).toHaveLength(34);
    expect(heads[0]).toMatchObject({ supersededCount: 33, entryCount: 99 });
    const live: string[] = [];
    for await (const { name, segment } of liveSegments(source, heads, () => {})) {
      live.push(name);
      expect(segment.superseded.map((hash) => `index/00000000/${hash}`).sort()).toEqual(before.sort());
    }
    expect(live).toEqual([heads[0]?.name]);
    // What is merged is not merged again.
    expect(await mergeSegments(source)).toBe(0);
    const { knownChunks: memory, knownSlots } = await knownForRun(source, 0, new Set());
    const known = knownChunks(memory, knownSlots);
    for (let id = 0; id < 35; id += 1) expect(known.has(idOf(id))).toBe(true);
    expect(known.has(idOf(35))).toBe(false);
  });

  it('[F13] [F23] a damaged merged segment supersedes nothing', async () => {
    const { store, source } = await storeWith(Array.from({ length: 33 }, (_, at) => packOf(`pack ${at}`, [at])));
    await mergeSegments(source);
    const merged = (await segmentHeads(store))[0]?.name ?? '';
    store.objects.get(merged)?.writeUInt8(0xff, 2000);
    const damaged: string[] = [];
    let entries = 0;
    for await (const { segment } of liveSegments(source, await segmentHeads(store), (name) => damaged.push(name))) {
      entries += segment.entryCount;
    }
    expect(damaged).toEqual([merged]);
    expect(entries).toBe(33);
  });

  it('[F23] plans groups of whole segments that stay below 2^17 entries', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1 << 18), { maxLength: 120 }), (counts) => {
        const heads = counts.map((entryCount, at) => ({
          ...{ name: `index/${at}`, sizeBytes: 1, entryCount, packCount: Math.min(1, entryCount), supersededCount: 0 },
        }));
        const groups = planMerge(heads);
        const names = groups.flatMap((group) => group.map((head) => head.name));
        expect(new Set(names).size).toBe(names.length);
        for (const group of groups) {
          expect(group.length).toBeGreaterThan(1);
          expect(group.reduce((sum, head) => sum + head.entryCount, 0)).toBeLessThanOrEqual(1 << 17);
        }
        if (counts.filter((count) => count > 0 && count < 1 << 16).length <= 32) expect(groups).toEqual([]);
      }),
    );
  });

  it('[F20] a pack that is gone or has another size, or is about to be swept, makes its chunks unknown', async () => {
    const packs = [packOf('here', [1]), packOf('gone', [2]), packOf('short', [3]), packOf('doomed', [4])];
    const { store, source } = await storeWith(packs);
    const objectOf = (at: number) => `packs/${packs[at]?.name.slice(0, 2)}/${packs[at]?.name}`;
    store.objects.delete(objectOf(1));
    store.objects.set(objectOf(2), Buffer.alloc(999));
    const { knownChunks: memory, knownSlots } = await knownForRun(source, 10, new Set([packs[3]?.name ?? '']));
    const known = knownChunks(memory, knownSlots);
    expect([1, 2, 3, 4].map((id) => known.has(idOf(id)))).toEqual([true, false, false, false]);
  });

  it('after many runs a vault still reads, and its segments are few', async () => {
    const store = memoryStore();
    const vault = await createSample(store, { encryption: { kind: 'none' } });
    const points = [];
    for (let at = 0; at < 36; at += 1) points.push(await writePoint(vault, store, noise(`run ${at}`, 9000), { packBytes: 4096 }));
    const again = await openVaultIn(store, noConfig, { kind: 'none' });
    for (const { header, content } of points) expect((await readPoint(again, header.id)).equals(content)).toBe(true);
    const live = [];
    const source = { store, vaultId: vault.id, idKey: null };
    for await (const { name } of liveSegments(source, await segmentHeads(store), () => {})) live.push(name);
    expect(live.length).toBeLessThan(10);
    expect((await again.verify({ level: 'content' })).damaged).toEqual([]);
  });
});
