import { beforeAll, describe, expect, it } from 'vitest';
import { VaultError } from '../errors.ts';
import { memoryStore, openVaultIn } from '../testing/index.ts';
import { createSample, noConfig, noise, readPoint, text, writePoint } from '../testing/sampleVault.ts';
import type { Unlock, VerifyReport } from '../types.ts';

const cases: [string, Unlock][] = [
  ['encrypted', { kind: 'passphrase', passphrase: 'open sesame' }],
  ['not encrypted', { kind: 'none' }],
];
const content = Buffer.concat([text('tiny', 900), Buffer.alloc(300), noise('tiny', 200)]);

/** What a damaged vault says of itself; an error on the way is an answer too. */
async function examine(objects: Map<string, Buffer>, unlock: Unlock, pointId: string) {
  let report: VerifyReport | null = null;
  let read: Buffer | null = null;
  let code: string | null = null;
  try {
    const vault = await openVaultIn(memoryStore(objects), noConfig, unlock);
    report = await vault.verify({ level: 'content' });
    read = await readPoint(vault, pointId);
    await vault.close();
  } catch (cause) {
    if (!(cause instanceof VaultError)) throw cause;
    code = cause.code;
  }
  return { report, read, code };
}

describe.each(cases)('a tiny vault, %s', (_name, unlock) => {
  const objects = new Map<string, Buffer>();
  let pointId = '';

  beforeAll(async () => {
    const store = memoryStore(objects);
    const vault = await createSample(store, { encryption: unlock });
    pointId = (await writePoint(vault, store, content, { chunkBytes: 450 })).header.id;
    expect([...objects.values()].reduce((sum, bytes) => sum + bytes.length, 0)).toBeLessThan(64 << 10);
    expect((await examine(objects, unlock, pointId)).report?.damaged).toEqual([]);
  });

  it('any changed byte is found and named, and no read ever returns other bytes', async () => {
    let flips = 0;
    for (const [name, bytes] of objects) {
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        const { report, read, code } = await examine(new Map(objects).set(name, changed), unlock, pointId);
        flips += 1;
        if (report === null) expect(code, `${name} byte ${at}`).not.toBeNull();
        else
          expect(
            report.damaged.map((one) => one.object),
            `${name} byte ${at}`,
          ).toContain(name);
        if (read !== null && !read.equals(content)) throw new Error(`${name} byte ${at}: wrong bytes were returned`);
      }
    }
    expect(flips).toBeGreaterThan(3000);
  }, 120_000);

  it('any truncation and any missing object is found, and no read returns other bytes', async () => {
    for (const [name, bytes] of objects) {
      for (const length of [0, 1, bytes.length >> 1, bytes.length - 1, null]) {
        const changed = new Map(objects);
        if (length === null) changed.delete(name);
        else changed.set(name, Buffer.from(bytes.subarray(0, length)));
        const { report, read, code } = await examine(changed, unlock, pointId);
        // A point or a key that is gone leaves no trace to miss it by; opening says so instead.
        const traceless = length === null && (name.startsWith('points/') || name.startsWith('keys/'));
        if (traceless) expect(code).not.toBeNull();
        else if (report === null) expect(code, `${name} cut to ${length}`).not.toBeNull();
        else expect(report.damaged.length, `${name} cut to ${length}`).toBeGreaterThan(0);
        if (read !== null) expect(read.equals(content), `${name} cut to ${length}`).toBe(true);
      }
    }
  });

  it('[F17] a manifest under another time, machine or id is refused', async () => {
    const [name, bytes] = [...objects].find(([one]) => one.startsWith('points/')) ?? ['', Buffer.alloc(0)];
    for (const other of [
      name.replace('20261122', '20251122'),
      name.replace('machine-1', 'machine-2'),
      name.replace(/-[0-9a-f]{32}/, `-${'0'.repeat(32)}`),
    ]) {
      const changed = new Map(objects);
      changed.delete(name);
      changed.set(other, bytes);
      const vault = await openVaultIn(memoryStore(changed), noConfig, unlock);
      expect(await vault.listPoints()).toEqual({ points: [], unreadable: [other] });
      expect((await vault.verify({ level: 'structure' })).damaged.map((one) => one.object)).toContain(other);
      const id = /-([0-9a-f]{32})\./.exec(other)?.[1] ?? '';
      await expect(vault.openPoint(id)).rejects.toMatchObject({ code: 'POINT_DAMAGED' });
    }
  });
});

describe('naming the damage', () => {
  it('[F22] names the points and exactly the device ranges a damaged pack hurts, and leaves the others alone', async () => {
    const store = memoryStore();
    const vault = await createSample(store);
    const first = await writePoint(vault, store, text('one', 40_960));
    const names = new Set(store.objects.keys());
    const both = Buffer.concat([text('one', 40_960), noise('two', 8192)]);
    const second = await writePoint(vault, store, both);
    const added = [...store.objects.keys()].filter((name) => name.startsWith('packs/') && !names.has(name));
    // Of the two new packs the larger holds the two new chunks.
    added.sort((a, b) => (store.objects.get(b)?.length ?? 0) - (store.objects.get(a)?.length ?? 0));
    const [dataPack = ''] = added;
    const damaged = store.objects.get(dataPack) ?? Buffer.alloc(0);
    damaged[128 + 64 + 100] = (damaged[128 + 64 + 100] ?? 0) ^ 1;
    const expected = { object: dataPack, points: [second.header.id], paths: ['disk 0 bytes 40960-45056'] };
    expect((await vault.verify({ level: 'content' })).damaged).toMatchObject([expected]);
    expect((await vault.verify({ level: 'content', pointId: second.header.id })).damaged).toMatchObject([expected]);
    expect((await vault.verify({ level: 'content', pointId: first.header.id })).damaged).toEqual([]);
    expect((await vault.verify({ level: 'structure' })).damaged).toEqual([]);
    await expect(readPoint(vault, second.header.id)).rejects.toMatchObject({ code: 'CHUNK_DAMAGED' });
    store.objects.delete(dataPack);
    const lost = (await vault.verify({ level: 'structure' })).damaged;
    expect(lost).toMatchObject([
      { object: dataPack, problem: 'it is missing', points: [second.header.id], paths: ['disk 0 bytes 40960-49152'] },
    ]);
    expect((await readPoint(vault, first.header.id)).equals(first.content)).toBe(true);
  });

  it('a chunk that two runs stored is read from the sound copy', async () => {
    const store = memoryStore();
    const one = await createSample(store);
    const two = await openVaultIn(store, noConfig, { kind: 'passphrase', passphrase: 'open sesame' });
    // Both begin before either commits: neither can know the other's chunks.
    const content = noise('same', 8192);
    const results = await Promise.all([writePoint(one, store, content), writePoint(two, store, content)]);
    const packs = [...store.objects.keys()].filter((name) => name.startsWith('packs/'));
    expect(packs).toHaveLength(4);
    for (const name of packs) {
      const bytes = store.objects.get(name) ?? Buffer.alloc(0);
      bytes[300] = (bytes[300] ?? 0) ^ 1;
      // Opened anew: a chunk read before would come from memory.
      const reopened = await openVaultIn(store, noConfig, { kind: 'passphrase', passphrase: 'open sesame' });
      for (const { header } of results) {
        expect((await readPoint(reopened, header.id)).equals(content)).toBe(true);
      }
      bytes[300] = (bytes[300] ?? 0) ^ 1;
    }
  });
});
