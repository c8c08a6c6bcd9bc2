/** What every store must do. Run it against each implementation: `storeContract('directory', async () => ({ store, cleanUp }))`. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoredObject } from '../types.ts';

export interface ContractSubject {
  readonly store: Store;
  /** False where clients may not remove. */
  readonly removes: boolean;
  cleanUp(): Promise<void>;
}

async function all(listing: AsyncIterable<StoredObject>): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const one of listing) found.push(one);
  return found;
}

export function storeContract(name: string, open: () => Promise<ContractSubject>): void {
  describe(`store contract: ${name}`, () => {
    let subject: ContractSubject;
    let store: Store;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(async () => {
      await store.close();
      await subject.cleanUp();
    });

    it('returns what was put, whole and by range', async () => {
      const bytes = randomBytes(100_001);
      expect(await store.put('blobs/ab/abcd', bytes)).toBe('stored');
      expect(bytes.equals(await store.get('blobs/ab/abcd'))).toBe(true);
      expect((await store.get('blobs/ab/abcd', { offsetBytes: 99_999, lengthBytes: 2 })).equals(bytes.subarray(99_999))).toBe(
        true,
      );
      expect((await store.get('blobs/ab/abcd', { offsetBytes: 10, lengthBytes: 0 })).length).toBe(0);
      const target = Buffer.alloc(1000, 1);
      if (store.readInto !== undefined) {
        await store.readInto('blobs/ab/abcd', 500, target);
        expect(target.equals(bytes.subarray(500, 1500))).toBe(true);
      }
    });

    it('stores empty, small, large and page-aligned objects alike', async () => {
      const sizes = [0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (8 << 20) + 4096, (9 << 20) + 5];
      const memory = Buffer.alloc(10 << 20);
      const from = 4096 - (memory.byteOffset % 4096);
      for (const [place, size] of sizes.entries()) {
        const bytes = place % 2 === 0 ? randomBytes(size) : memory.subarray(from, from + size).fill(place);
        await store.put(`blobs/00/${place}`, bytes);
        expect((await store.head(`blobs/00/${place}`))?.sizeBytes).toBe(size);
        expect((await store.get(`blobs/00/${place}`)).equals(bytes)).toBe(true);
      }
    });

    it('never overwrites', async () => {
      await store.put('config', Buffer.from('first'));
      expect(await store.put('config', Buffer.from('second'))).toBe('exists');
      expect((await store.get('config')).toString()).toBe('first');
    });

    it('lets exactly one of many writers of one name win', async () => {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, at) => store.put('points/a/b', Buffer.from(`writer ${at}`))),
      );
      expect(results.filter((result) => result === 'stored')).toHaveLength(1);
      expect((await store.get('points/a/b')).toString()).toMatch(/^writer \d$/);
    });

    it('says VAULT_OBJECT_MISSING for what is not there and for ranges beyond the end', async () => {
      await expect(store.get('blobs/ab/none')).rejects.toMatchObject({ code: 'VAULT_OBJECT_MISSING' });
      expect(await store.head('blobs/ab/none')).toBeNull();
      await store.put('blobs/ab/short', Buffer.alloc(10));
      await expect(store.get('blobs/ab/short', { offsetBytes: 5, lengthBytes: 6 })).rejects.toMatchObject({
        code: 'VAULT_OBJECT_MISSING',
      });
    });

    it('lists by prefix in order of names, over page borders, and nothing half-written', async () => {
      const names = ['a-b', 'a/b', 'a/c/d', 'a/c/e', 'ab', 'b/1', 'b/10', 'b/2'];
      for (const one of names) await store.put(one, Buffer.from(one));
      expect((await all(store.list(''))).map((one) => one.name)).toEqual([...names].sort());
      expect(await all(store.list('a/'))).toMatchObject(
        ['a/b', 'a/c/d', 'a/c/e'].map((one) => ({ name: one, sizeBytes: one.length })),
      );
      expect((await all(store.list('b/1'))).map((one) => one.name)).toEqual(['b/1', 'b/10']);
      expect(await all(store.list('none/'))).toEqual([]);
    });

    it('refuses names that are not object names', async () => {
      for (const bad of ['', '/a', 'a//b', '../a', 'a/../b', 'A', 'a b', 'a\\b', `${'x'.repeat(200)}`, 'a/./b']) {
        await expect(store.put(bad, Buffer.alloc(1)), bad).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED' });
        await expect(store.get(bad), bad).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED' });
      }
    });

    it('removes, or refuses to', async () => {
      await store.put('sessions/x', Buffer.from('x'));
      if (subject.removes) {
        await store.remove('sessions/x');
        await store.remove('sessions/x');
        expect(await store.head('sessions/x')).toBeNull();
      } else {
        await expect(store.remove('sessions/x')).rejects.toMatchObject({ code: 'VAULT_REFUSED' });
        expect(await store.head('sessions/x')).not.toBeNull();
      }
    });
  });
}
