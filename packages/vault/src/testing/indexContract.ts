/** What the index asks of a store: segments are listed, peeked at, read whole, merged and left out alike wherever they lie. */
import { expect, it } from 'vitest';
import { knownChunks } from '../index/knownChunks.ts';
import { segmentHeads } from '../index/liveSegments.ts';
import { encodeSegments } from '../index/segment.ts';
import { sha256 } from '../keys/derive.ts';
import type { SealedPack, Store } from '../types.ts';
import { knownForRun } from '../vault/knownForRun.ts';
import { mergeSegments } from '../vault/mergeSegments.ts';
import { VaultIndex } from '../vault/vaultIndex.ts';
import { noise } from './sampleVault.ts';

const key = { vaultId: '1ef98c75-10a3-435a-bc5f-7d0044198a7a', idKey: Buffer.alloc(32, 3) };
const runs = 34;
const chunksPerRun = 6;

export function indexContract(open: () => Promise<Store>): void {
  it('[F13] [F20] [F23] the index is found, known and merged alike', async () => {
    const store = await open();
    const idOf = (at: number) => noise(`chunk ${at}`, 32);
    for (let run = 0; run < runs; run += 1) {
      const object = noise(`pack ${run}`, 100);
      const entries = Buffer.alloc(chunksPerRun * 48);
      for (let at = 0; at < chunksPerRun; at += 1) {
        idOf(run * chunksPerRun + at).copy(entries, at * 48);
        entries.writeUInt32LE(((1 << 28) | 77) >>> 0, at * 48 + 44);
      }
      const pack: SealedPack = { name: sha256(object).toString('hex'), sizeBytes: object.length, kind: 'data', entries };
      await store.put(`packs/${pack.name.slice(0, 2)}/${pack.name}`, object);
      for (const { name, bytes } of encodeSegments([pack], key)) await store.put(name, bytes);
    }
    const source = { store, ...key };
    const all = Array.from({ length: runs * chunksPerRun }, (_, at) => idOf(at));
    const before = new VaultIndex(source);
    expect(await mergeSegments(source)).toBe(runs);
    expect(await mergeSegments(source)).toBe(0);
    expect((await segmentHeads(store))[0]).toMatchObject({ supersededCount: runs, entryCount: all.length, packCount: runs });
    for (const index of [before, new VaultIndex(source)]) {
      await index.lookUp([...all, noise('nowhere', 32)]);
      expect(all.filter((id) => index.places.places(id).length !== 1)).toEqual([]);
      expect(index.places.has(noise('nowhere', 32))).toBe(false);
    }
    const { knownChunks: memory, knownSlots } = await knownForRun(source, 10, new Set());
    const known = knownChunks(memory, knownSlots);
    expect(all.every((id) => known.has(id))).toBe(true);
    expect(known.has(noise('nowhere', 32))).toBe(false);
  });
}
