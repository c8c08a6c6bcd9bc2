import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VaultPolicy as Policy } from '@diskfleet/protocol';
import { VaultError } from '@diskfleet/vault';
import { memoryStore, storeContract } from '@diskfleet/vault/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Keeper, openKeeper } from './keeper.ts';
import { changePolicy, firstPolicy, type PolicySteps } from './policy.ts';

const dayMs = 24 * 3_600_000;
const packOf = (bytes: Uint8Array) => {
  const name = createHash('sha256').update(bytes).digest('hex');
  return `packs/${name.slice(0, 2)}/${name}`;
};
const pointName = (id: string) => `points/m/disk/20261122t000000000z-${id.repeat(32)}.adi`;

async function names(keeper: Keeper, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of keeper.list(prefix)) found.push(name);
  return found;
}

/** As the vault package's stores see it: an admin who waits for no delay. */
storeContract('the keeper of a vault, without a delay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-keeper-'));
  const keeper = await openKeeper({
    store: memoryStore(),
    removalsPath: join(folder, 'removed.log'),
    policySteps: () => [{ ...firstPolicy, deletionDelayMs: 0, atMs: 0 }],
    now: () => new Date(),
  });
  return {
    store: {
      location: 'keeper',
      put: (name, bytes) => keeper.put(name, bytes, null),
      get: (name, range) => keeper.get(name, range),
      head: (name) => keeper.head(name),
      list: (prefix) => keeper.list(prefix),
      remove: (name) => keeper.remove(name),
      close: () => keeper.close(),
    },
    removes: true,
    cleanUp: () => rm(folder, { recursive: true, force: true }),
  };
});

describe('the keeper of a vault', () => {
  let folder: string;
  let nowMs: number;
  let steps: PolicySteps;
  let memory: ReturnType<typeof memoryStore>;
  let keeper: Keeper;
  const open = async (store = memory) => {
    const removalsPath = join(folder, 'removed.log');
    return openKeeper({ store, removalsPath, policySteps: () => steps, now: () => new Date(nowMs) });
  };
  const want = (policy: Partial<Policy>) => {
    steps = changePolicy(steps, { ...firstPolicy, ...policy }, nowMs);
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-keeper-'));
    nowMs = Date.now();
    steps = [{ ...firstPolicy, atMs: nowMs }];
    memory = memoryStore();
    keeper = await open();
  });
  afterEach(async () => {
    await keeper.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('[P17] a removed point stays usable and says when it goes; then it is gone', async () => {
    const name = pointName('a');
    await keeper.put(name, Buffer.from('manifest'), 'm');
    await keeper.remove(name);
    nowMs += 14 * dayMs - 1;
    expect(await keeper.purge()).toEqual({ gone: 0, waiting: 1, locked: 0 });
    expect((await keeper.get(name)).toString()).toBe('manifest');
    for await (const object of keeper.list('points/')) expect(object.goesAtMs).toBe(nowMs + 1);
    nowMs += 1;
    expect(await keeper.purge()).toEqual({ gone: 1, waiting: 0, locked: 0 });
    expect(await names(keeper)).toEqual([]);
    expect(await memory.head(name)).toBeNull();
  });

  test('[P17] a removed pack is hidden at once, kept for the delay, and there again when it is stored again', async () => {
    const bytes = randomBytes(1000);
    const name = packOf(bytes);
    await keeper.put(name, bytes, 'm');
    await keeper.remove(name);
    expect(await keeper.head(name)).toBeNull();
    expect(await names(keeper)).toEqual([]);
    await expect(keeper.get(name)).rejects.toMatchObject({ code: 'VAULT_OBJECT_MISSING' });
    expect(await memory.head(name)).not.toBeNull();
    expect(await keeper.put(name, bytes, 'm')).toBe('stored');
    nowMs += 20 * dayMs;
    expect(await keeper.purge()).toMatchObject({ gone: 0 });
    expect((await keeper.get(name)).equals(bytes)).toBe(true);
  });

  test('[P17] what was removed is never replaced by other bytes before its time', async () => {
    await keeper.put('gc/removed-x', Buffer.from('old'), null);
    await keeper.remove('gc/removed-x');
    expect(await keeper.put('gc/removed-x', Buffer.from('new'), null)).toBe('exists');
    await keeper.undelete('gc/removed-x');
    expect((await keeper.get('gc/removed-x')).toString()).toBe('old');
  });

  test('[P17] what opens the vault is never removed', async () => {
    await keeper.put('config', Buffer.from('c'), null);
    await keeper.put('keys/aa', Buffer.from('k'), null);
    for (const name of ['config', 'keys/aa', 'anything'])
      await expect(keeper.remove(name)).rejects.toMatchObject({ code: 'VAULT_REFUSED', status: 403 });
  });

  test('[P16] asking for no delay frees nothing before the old delay is over, and a longer one holds what was removed before', async () => {
    const name = pointName('b');
    await keeper.put(name, Buffer.from('x'), 'm');
    want({ deletionDelayMs: 0 });
    await keeper.remove(name);
    await keeper.purge();
    nowMs += 14 * dayMs - 1;
    expect(await keeper.purge()).toMatchObject({ gone: 0 });
    want({ deletionDelayMs: 30 * dayMs });
    nowMs += 10 * dayMs;
    expect(await keeper.purge()).toMatchObject({ gone: 0 });
    nowMs += 10 * dayMs;
    expect(await keeper.purge()).toMatchObject({ gone: 1 });
  });

  test('[P18] a point younger than the minimum retention is not removed', async () => {
    await keeper.close();
    const receivedAtMs = nowMs;
    const store = {
      ...memory,
      async *list(prefix: string) {
        for await (const object of memory.list(prefix)) yield { ...object, storedAtMs: receivedAtMs };
      },
    };
    keeper = await open(store);
    want({ minRetentionMs: 7 * dayMs });
    const name = pointName('c');
    await keeper.put(name, Buffer.from('x'), 'm');
    await expect(keeper.remove(name)).rejects.toMatchObject({ code: 'VAULT_RETAINED', status: 409 });
    nowMs += 8 * dayMs;
    await keeper.remove(name);
    expect([...keeper.removed()].map((one) => one.name)).toEqual([name]);
  });

  test('[P17] undelete takes a removal back, with the record that it was meant', async () => {
    const name = pointName('d');
    const record = `gc/removed-${'d'.repeat(32)}`;
    await keeper.put(name, Buffer.from('x'), 'm');
    await keeper.put(record, Buffer.from('r'), null);
    await keeper.remove(name);
    await keeper.undelete(name);
    nowMs += 20 * dayMs;
    await keeper.purge();
    expect(await names(keeper)).toEqual([name]);
    await expect(keeper.undelete(name)).rejects.toMatchObject({ status: 404 });
  });

  test('removals survive a restart; a line a crash cut off was never promised', async () => {
    const bytes = [randomBytes(10), randomBytes(10), randomBytes(10)];
    for (const one of bytes) await keeper.put(packOf(one), one, null);
    await Promise.all(bytes.slice(0, 2).map((one) => keeper.remove(packOf(one))));
    await keeper.close();
    await appendFile(join(folder, 'removed.log'), `+ ${nowMs} packs/00/cut-of`);
    keeper = await open();
    expect(await names(keeper)).toEqual([packOf(bytes[2] ?? Buffer.alloc(0))]);
    expect([...keeper.removed()]).toHaveLength(2);
    nowMs += 15 * dayMs;
    await keeper.purge();
    await keeper.close();
    keeper = await open();
    expect([...keeper.removed()]).toEqual([]);
  });

  test('[P19] the quota refuses packs at the quota, lets a run end, and counts what removal has not freed yet', async () => {
    want({ quotaBytes: 1000 });
    const bytes = randomBytes(600);
    await keeper.put(packOf(bytes), bytes, 'm');
    const more = randomBytes(600);
    await expect(keeper.put(packOf(more), more, 'm')).rejects.toMatchObject({ code: 'VAULT_QUOTA', status: 507 });
    await keeper.put(pointName('e'), Buffer.alloc(600), 'm');
    await keeper.remove(packOf(bytes));
    await expect(keeper.put(packOf(more), more, 'm')).rejects.toMatchObject({ code: 'VAULT_QUOTA' });
    expect(await keeper.put(packOf(more), more, null)).toBe('stored');
    nowMs += 14 * dayMs;
    await keeper.purge();
    expect(await keeper.usage()).toEqual({ storedBytes: 1200, objects: 2 });
    await expect(keeper.put(pointName('f'), Buffer.alloc(65 << 20), 'm')).rejects.toMatchObject({ code: 'VAULT_QUOTA' });
  });

  test('[P19] of many that come at once no more are let in than there is room for', async () => {
    want({ quotaBytes: 5000 });
    const packs = Array.from({ length: 20 }, () => randomBytes(1000));
    const results = await Promise.allSettled(packs.map((bytes) => keeper.put(packOf(bytes), bytes, 'm')));
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(5);
    expect(await keeper.usage()).toEqual({ storedBytes: 5000, objects: 5 });
  });

  test('[P19] one machine fills its own day only, and what the vault had already costs it nothing', async () => {
    want({ machineBytesPerDay: 1000 });
    const bytes = randomBytes(900);
    await keeper.put(packOf(bytes), bytes, 'm');
    expect(await keeper.put(packOf(bytes), bytes, 'other')).toBe('exists');
    const more = randomBytes(900);
    await expect(keeper.put(packOf(more), more, 'm')).rejects.toMatchObject({ code: 'VAULT_QUOTA' });
    expect(await keeper.put(packOf(more), more, 'other')).toBe('stored');
    const later = randomBytes(900);
    nowMs += dayMs;
    expect(await keeper.put(packOf(later), later, 'm')).toBe('stored');
  });

  test('what the storage itself locks is passed over and tried again', async () => {
    await keeper.close();
    const locked = new Set<string>();
    const store = {
      ...memory,
      async remove(name: string) {
        if (locked.has(name)) throw new VaultError('VAULT_OBJECT_LOCKED', 'object lock', { retry: 'later' });
        return memory.remove(name);
      },
    };
    keeper = await open(store);
    const packs = [randomBytes(10), randomBytes(10)];
    for (const bytes of packs) {
      await keeper.put(packOf(bytes), bytes, null);
      await keeper.remove(packOf(bytes));
    }
    locked.add(packOf(packs[0] ?? Buffer.alloc(0)));
    nowMs += 14 * dayMs;
    expect(await keeper.purge()).toEqual({ gone: 1, waiting: 0, locked: 1 });
    locked.clear();
    expect(await keeper.purge()).toEqual({ gone: 1, waiting: 0, locked: 0 });
  });
});
