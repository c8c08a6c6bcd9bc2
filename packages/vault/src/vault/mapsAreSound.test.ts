import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openManifests } from '../gc/walkPoints.ts';
import { entriesToExpect, everySegment, liveSegments, segmentHeads } from '../index/liveSegments.ts';
import { countNodes } from '../index/segment.ts';
import { StoredChunkReader } from '../pack/chunkReader.ts';
import { type MemoryStore, memoryStore } from '../testing/memoryStore.ts';
import { createSample, noise, writePoint } from '../testing/sampleVault.ts';
import type { Vault, VaultKeys } from '../types.ts';
import { mapsAreSound } from './mapsAreSound.ts';
import { VaultIndex } from './vaultIndex.ts';
import { BadPlaces } from './verifyPacks.ts';

const keys: VaultKeys = { idKey: Buffer.alloc(32, 7), publicKey: null, privateKey: null };

/** What `verify` gives the check, without its answer about packs. */
async function ask(store: MemoryStore, vaultId: string, tableBytes: number, idKey: Uint8Array): Promise<boolean> {
  const used = { ...keys, idKey };
  const source = { store, vaultId, idKey };
  const heads = await segmentHeads(store);
  const bad = new BadPlaces();
  let nodes = 0;
  for await (const { segment } of everySegment(source, heads, () => {})) {
    nodes += countNodes(segment);
    for (const { name } of segment.packs) {
      const object = `packs/${name.slice(0, 2)}/${name}`;
      if (!store.objects.has(object)) bad.addPack(name, object);
    }
  }
  const points = [];
  const names = [...store.objects.keys()].filter((name) => name.startsWith('points/'));
  for await (const { point } of openManifests(store, names, { vaultId, keys: used })) if (point !== null) points.push(point);
  const index = new VaultIndex(source, { nodesOnly: nodes });
  const reader = new StoredChunkReader(store, { keys: used, vaultId, idAlgorithm: 'blake3' }, () => index.places);
  const listed = { live: (await entriesToExpect(store, heads)).live, nodes };
  try {
    return await mapsAreSound({ source, heads, listed, bad, reader, index, points, signal: undefined, tableBytes });
  } finally {
    reader.close();
  }
}

/** A vault of three points that share most of their chunks, in small packs. */
async function sample(): Promise<{ store: MemoryStore; vault: Vault; idKey: Buffer }> {
  const store = memoryStore();
  const vault = await createSample(store, { encryption: { kind: 'none' } });
  const content = noise('first', 90_000);
  for (let point = 0; point < 3; point += 1) {
    await writePoint(vault, store, Buffer.from(content), { chunkBytes: 1000, packBytes: 16_000 });
    noise(`change ${point}`, 9000).copy(content, point * 20_000);
  }
  const config: { idKey: string } = JSON.parse(store.objects.get('config')?.toString('utf8').split('\n')[0] ?? '');
  return { store, vault, idKey: Buffer.from(config.idKey, 'hex') };
}

describe('maps in passes', () => {
  it.each([512, 2048, 1 << 20])('[F22] a sound vault is sound with a table of %d bytes', async (tableBytes) => {
    const { store, vault, idKey } = await sample();
    expect(await ask(store, vault.id, tableBytes, idKey)).toBe(true);
  });

  it('[F22] finds the loss of any pack and any segment, as the exact walk does, in one pass or many', async () => {
    const { store, vault, idKey } = await sample();
    const losable = [...store.objects.keys()].filter((name) => name.startsWith('packs/') || name.startsWith('index/'));
    expect(losable.length).toBeGreaterThan(8);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...losable), fc.constantFrom(512, 1 << 20), async (lost, tableBytes) => {
        const bytes = store.objects.get(lost) ?? Buffer.alloc(0);
        store.objects.delete(lost);
        try {
          const exact = (await vault.verify({ level: 'structure' })).damaged.length === 0;
          expect(await ask(store, vault.id, tableBytes, idKey)).toBe(exact);
          expect(exact).toBe(false);
        } finally {
          store.objects.set(lost, bytes);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('[F22] verify names what is lost, with the points and ranges it hurts', async () => {
    const { store, vault } = await sample();
    const data: string[] = [];
    for await (const { segment } of liveSegments(
      { store, vaultId: vault.id, idKey: null },
      await segmentHeads(store),
      () => {},
    )) {
      for (const pack of segment.packs) if (pack.kind === 'data') data.push(`packs/${pack.name.slice(0, 2)}/${pack.name}`);
    }
    const lost = data[0] ?? '';
    store.objects.delete(lost);
    const { damaged } = await vault.verify({ level: 'structure' });
    expect(damaged.map((one) => one.object)).toEqual([lost]);
    expect(damaged[0]?.points.length).toBeGreaterThan(0);
    expect(damaged[0]?.paths[0]).toMatch(/^disk 0 bytes \d+-\d+$/);
  });
});
