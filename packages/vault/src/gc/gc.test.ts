import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openText, sealText } from '../config/checkedText.ts';
import { configName } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { generateVaultKeys } from '../keys/seal.ts';
import { type MemoryStore, memoryStore } from '../testing/memoryStore.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../testing/sampleVault.ts';
import type { Store, Unlock, Vault } from '../types.ts';
import { openVaultIn } from '../vault/openVault.ts';
import { planMark, planSweep } from './planGc.ts';

const hourMs = 3_600_000;
const none: Unlock = { kind: 'none' };
const at = (series: string, minute: number) => ({
  begin: { source: series, now: () => new Date(Date.UTC(2026, 10, 22, 12, minute)) },
});

/** A vault with a clock that is moved by hand. */
async function world(encryption: Unlock = none) {
  const clock = { ms: 1_000_000_000_000 };
  const store = memoryStore(new Map(), () => clock.ms);
  const vault = await createSample(store, { encryption });
  const unlock = encryption;
  return { clock, store, vault, open: (other: Store = store) => openVaultIn(other, noConfig, unlock) };
}

const packsOf = (store: MemoryStore) => [...store.objects.keys()].filter((name) => name.startsWith('packs/'));
const small = { packBytes: 8 << 10, chunkBytes: 1024 };

/** A mark and, a day later, its sweep. */
async function sweepAll(vault: Vault, clock: { ms: number }) {
  clock.ms += 25 * hourMs;
  const { marked } = await vault.collectGarbage();
  clock.ms += 25 * hourMs;
  const { swept } = await vault.collectGarbage();
  return { marked, swept };
}

describe('removing and sweeping', () => {
  it.each([
    ['not encrypted', none],
    ['encrypted', { kind: 'keys', keys: generateVaultKeys() } satisfies Unlock],
  ])('[F24] [F25] [F28] gives back what a removed point alone needed, and keeps the rest whole: %s', async (_what, unlock) => {
    const { clock, store, vault, open } = await world(unlock);
    const shared = noise('shared', 20_000);
    const first = await writePoint(vault, store, Buffer.concat([shared, noise('first', 60_000)]), { ...small, ...at('a', 0) });
    const second = await writePoint(vault, store, Buffer.concat([shared, noise('second', 9_000)]), { ...small, ...at('b', 0) });
    const before = packsOf(store);
    await vault.removePoint(first.header.id);
    await expect(vault.openPoint(first.header.id)).rejects.toMatchObject({ code: 'POINT_NOT_FOUND' });
    const { marked, swept } = await sweepAll(vault, clock);
    expect(marked?.packs).toBeGreaterThan(6);
    expect(swept?.packs).toBe(marked?.packs);
    expect(packsOf(store).length).toBeLessThan(before.length - 4);
    for (const one of [vault, await open()]) {
      expect((await readPoint(one, second.header.id)).equals(second.content)).toBe(true);
      expect((await one.verify({ level: 'content' })).damaged).toEqual([]);
    }
    // Nothing is left to do.
    clock.ms += 50 * hourMs;
    expect(await vault.collectGarbage()).toEqual({ swept: null, marked: null, waiting: null });
    const third = await writePoint(await open(), store, first.content, { ...small, ...at('a', 9) });
    expect((await readPoint(await open(), third.header.id)).equals(first.content)).toBe(true);
  });

  it('[F24] forgets that a point was removed when nothing speaks of it any more', async () => {
    const { clock, store, vault } = await world();
    const made = [];
    for (let minute = 0; minute < 3; minute += 1)
      made.push(await writePoint(vault, store, noise('same', 9000), { ...small, ...at('a', minute) }));
    const records = () => [...store.objects.keys()].filter((name) => name.startsWith('gc/removed-'));
    for (const { header } of made.slice(0, 2)) await vault.removePoint(header.id);
    clock.ms += 29 * 24 * hourMs;
    await vault.collectGarbage();
    expect(records()).toHaveLength(2);
    clock.ms += 2 * 24 * hourMs;
    await vault.collectGarbage();
    // The third point still names the second.
    expect(records()).toEqual([`gc/removed-${made[1]?.header.id}`]);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
  });

  it('[F25] copies what is in use out of packs that are mostly garbage, and dedups against the copies', async () => {
    const { clock, store, vault, open } = await world();
    const kept = noise('kept', 2048);
    const first = await writePoint(vault, store, Buffer.concat([noise('gone', 5 * 1024), kept]), { ...small, ...at('a', 0) });
    const second = await writePoint(vault, store, kept, { ...small, ...at('b', 0) });
    await vault.removePoint(first.header.id);
    const { marked } = await sweepAll(vault, clock);
    expect(marked?.copiedBytes).toBeGreaterThan(2048);
    expect((await readPoint(vault, second.header.id)).equals(kept)).toBe(true);
    const again = await writePoint(await open(), store, kept, { ...small, ...at('b', 5) });
    expect(again.header.storedBytes).toBe(0);
    expect((await readPoint(await open(), again.header.id)).equals(kept)).toBe(true);
  });

  it('[F25] leaves young packs alone, waits a day, and waits for runs that began before the mark', async () => {
    const { clock, store, vault, open } = await world();
    const first = await writePoint(vault, store, noise('first', 9000), { ...small, ...at('a', 0) });
    await vault.removePoint(first.header.id);
    expect(await vault.collectGarbage()).toMatchObject({ marked: null, waiting: null });
    clock.ms += 25 * hourMs;
    const run = await (await open()).beginPoint({ ...begin(), now: () => new Date() });
    expect((await vault.collectGarbage()).marked?.packs).toBeGreaterThan(0);
    clock.ms += 23 * hourMs;
    expect(await vault.collectGarbage()).toMatchObject({ swept: null, waiting: 'delay' });
    clock.ms += 2 * hourMs;
    await store.put(`sessions/${run.pointId}-1`, sealText({}));
    expect(await vault.collectGarbage()).toMatchObject({ swept: null, waiting: 'session' });
    await run.abandon();
    store.objects.delete(`sessions/${run.pointId}-1`);
    expect((await vault.collectGarbage()).swept?.packs).toBeGreaterThan(0);
    expect(packsOf(store)).toEqual([]);
  });

  it('[F25] a store that tells no times is never swept', async () => {
    const store = memoryStore();
    const vault = await createSample(store, { encryption: none });
    const { header } = await writePoint(vault, store, noise('x', 9000), small);
    await vault.removePoint(header.id);
    expect(await vault.collectGarbage()).toEqual({ swept: null, marked: null, waiting: null });
    expect(packsOf(store).length).toBeGreaterThan(0);
  });

  it('[F21] refuses vaults made before there was a sweeper, and unknown gc features', async () => {
    for (const [gc, code] of [
      [[], 'VAULT_TOO_OLD'],
      [['gc', 'holograms'], 'VAULT_TOO_NEW'],
    ] as const) {
      const { store, open } = await world();
      const line = openText(await store.get(configName), configName);
      store.objects.set(configName, sealText({ ...Object(line), features: { read: [], write: [], gc } }));
      await expect((await open()).collectGarbage()).rejects.toMatchObject({ code });
    }
  });
});

function begin() {
  return {
    ...{ machineId: 'm', machineName: 'm', source: 's', kind: 'disk' as const, method: 'full' as const },
    ...{ parentId: null, expectedChunks: 1000, compression: 'none' as const },
  };
}

describe('what stops the sweeper', () => {
  const damages: [string, (store: MemoryStore, newest: string) => void][] = [
    ['[F24] a manifest that is gone and was not removed', (store) => drop(store, firstOf(store, 'points/'))],
    ['[F17] a damaged manifest', (store) => flip(store, firstOf(store, 'points/'))],
    ['[F13] a damaged segment', (store) => flip(store, firstOf(store, 'index/'))],
    ['a lost segment', (store) => drop(store, firstOf(store, 'index/'))],
    ['a lost pack', (store) => drop(store, firstOf(store, 'packs/'))],
  ];
  const firstOf = (store: MemoryStore, prefix: string) => [...store.objects.keys()].find((name) => name.startsWith(prefix)) ?? '';
  const drop = (store: MemoryStore, name: string) => store.objects.delete(name);
  const flip = (store: MemoryStore, name: string) => store.objects.get(name)?.writeUInt8(0xa5, 150);

  it.each(damages)('%s: nothing is marked', async (_what, damage) => {
    const { clock, store, vault, open } = await world();
    for (let run = 0; run < 3; run += 1) await writePoint(vault, store, noise(`run ${run}`, 9000), { ...small, ...at('a', run) });
    const other = await writePoint(vault, store, noise('other', 9000), { ...small, ...at('b', 0) });
    await vault.removePoint(other.header.id);
    damage(store, other.header.id);
    clock.ms += 25 * hourMs;
    const before = packsOf(store);
    const failure = await (await open()).collectGarbage().then(
      () => null,
      (cause) => cause,
    );
    expect(failure).toBeInstanceOf(VaultError);
    expect(['VAULT_DAMAGED', 'POINT_DAMAGED']).toContain(failure.code);
    expect(packsOf(store)).toEqual(before);
    expect([...store.objects.keys()].filter((name) => name.endsWith('-mark'))).toEqual([]);
  });
});

describe('a run that sleeps through a sweep', () => {
  /** A run that sleeps right before its manifest is stored, after its last look at `gc/`, while everything it builds on is swept. */
  async function sleeper(mayRemove: boolean) {
    const base = await world();
    const { clock, store, vault, open } = base;
    const content = noise('content', 9000);
    const first = await writePoint(vault, store, content, { ...small, ...at('a', 0) });
    await vault.removePoint(first.header.id);
    clock.ms += 25 * hourMs;
    const slow: Store = {
      ...store,
      async put(name, bytes) {
        if (name.startsWith('points/')) {
          expect((await vault.collectGarbage()).marked?.packs).toBeGreaterThan(0);
          clock.ms += 48 * hourMs;
          // The sleeper's manifest comes after the doom was decided.
          expect((await vault.collectGarbage()).swept?.packs).toBeGreaterThan(0);
        }
        return store.put(name, bytes);
      },
      async remove(name) {
        if (!mayRemove && !name.startsWith('sessions/')) throw new VaultError('VAULT_REFUSED', 'no');
        return store.remove(name);
      },
    };
    const attempt = writePoint(await open(slow), slow, content, { ...small, ...at('a', 5) });
    return { ...base, content, attempt };
  }

  it('[F26] is told that it failed; its point is gone, and the next run stores anew', async () => {
    const { attempt, vault, store, content, open, clock } = await sleeper(true);
    await expect(attempt).rejects.toMatchObject({ code: 'VAULT_SWEPT', retry: 'later' });
    expect((await vault.listPoints()).points).toEqual([]);
    const again = await writePoint(await open(), store, content, { ...small, ...at('a', 7) });
    expect((await readPoint(await open(), again.header.id)).equals(content)).toBe(true);
    clock.ms += 25 * hourMs;
    await (await open()).collectGarbage();
  });

  it('[F27] where it may not remove its point, readers refuse it and the sweeper removes it', async () => {
    const { attempt, open, clock } = await sleeper(false);
    await expect(attempt).rejects.toMatchObject({ code: 'VAULT_SWEPT' });
    const vault = await open();
    const [point] = (await vault.listPoints()).points;
    await expect(vault.openPoint(point?.id ?? '')).rejects.toMatchObject({ code: 'POINT_DAMAGED' });
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    clock.ms += 25 * hourMs;
    await vault.collectGarbage();
    expect((await vault.listPoints()).points).toEqual([]);
  });
});

describe('a sweeper that dies', () => {
  it('[F25] at any of its calls: the next one goes on, nothing in use is lost, all garbage goes', {
    timeout: 300_000,
  }, async () => {
    let lived = false;
    let dieAt = 0;
    for (; !lived; dieAt += 1) {
      const { clock, store, vault, open } = await world();
      const shared = noise('shared', 3000);
      const first = await writePoint(vault, store, Buffer.concat([noise('gone', 9000), shared]), { ...small, ...at('a', 0) });
      const second = await writePoint(vault, store, shared, { ...small, ...at('b', 0) });
      await vault.removePoint(first.header.id);
      let made = 0;
      const mortal = dying(store, () => {
        made += 1;
        return made > dieAt;
      });
      const sweeper = await open(mortal).catch(() => null);
      for (let run = 0; run < 2 && sweeper !== null; run += 1) {
        clock.ms += 25 * hourMs;
        await sweeper.collectGarbage().catch(() => {});
      }
      lived = made <= dieAt;
      for (let run = 0; run < 3; run += 1) {
        clock.ms += 25 * hourMs;
        await (await open()).collectGarbage();
        expect((await readPoint(await open(), second.header.id)).equals(shared)).toBe(true);
      }
      const clean = await open();
      expect((await clean.verify({ level: 'content' })).damaged).toEqual([]);
      await clean.removePoint(second.header.id);
      await sweepAll(clean, clock);
      expect(packsOf(store)).toEqual([]);
    }
    expect(dieAt).toBeGreaterThan(60);
  });
});

/** Fails for good from the call on for which `dead` is true. */
function dying(store: MemoryStore, dead: () => boolean): Store {
  const check = () => {
    if (dead()) throw new VaultError('VAULT_UNREACHABLE', 'dead');
  };
  return {
    ...store,
    async put(name, bytes) {
      check();
      return store.put(name, bytes);
    },
    async get(name, range) {
      check();
      return store.get(name, range);
    },
    async head(name) {
      check();
      return store.head(name);
    },
    async remove(name) {
      check();
      await store.remove(name);
    },
    async *list(prefix) {
      check();
      yield* store.list(prefix);
    },
  };
}

describe('decisions', () => {
  const ms = fc.nat(1000);
  it('[F25] planSweep never sweeps early or beside an old run that is alive, and always goes on behind a fence', () => {
    const session = fc.record({ firstAtMs: fc.option(ms), lastAtMs: fc.option(ms) });
    const facts = fc.record({
      nowMs: fc.option(ms),
      markedAtMs: fc.option(ms),
      fenced: fc.boolean(),
      sessions: fc.array(session),
      delayMs: ms,
      leaseMs: ms,
    });
    fc.assert(
      fc.property(facts, (given) => {
        const decision = planSweep(given);
        if (given.fenced) {
          expect(decision.kind).toBe('sweep');
          return;
        }
        if (decision.kind === 'wait') return;
        const { nowMs, markedAtMs, sessions, delayMs, leaseMs } = given;
        if (nowMs === null || markedAtMs === null) return expect.fail('swept without a clock');
        expect(nowMs - markedAtMs).toBeGreaterThanOrEqual(delayMs);
        for (const { firstAtMs, lastAtMs } of sessions) {
          if (firstAtMs !== null && firstAtMs > markedAtMs) continue;
          expect(lastAtMs === null ? 0 : nowMs - lastAtMs).toBeGreaterThanOrEqual(lastAtMs === null ? 1 : leaseMs);
        }
      }),
    );
  });

  it('[F25] planMark takes old packs without a byte in use, and sparse ones up to the bound, emptiest first', () => {
    const pack = fc
      .record({ storedAtMs: fc.option(ms), usedBytes: fc.integer({ min: 1, max: 100 }), part: fc.nat(100) })
      .map(({ part, ...one }) => ({ ...one, name: '', sizeBytes: 100, liveBytes: Math.floor((one.usedBytes * part) / 100) }));
    fc.assert(
      fc.property(fc.array(pack), ms, ms, fc.nat(500), (packs, nowMs, youngMs, repackBytes) => {
        const { dead, sparse } = planMark(packs, { nowMs, youngMs, repackBytes });
        for (const one of [...dead, ...sparse]) expect(nowMs - (one.storedAtMs ?? Infinity)).toBeGreaterThanOrEqual(youngMs);
        expect(dead.every((one) => one.liveBytes === 0)).toBe(true);
        expect(sparse.every((one) => one.liveBytes > 0 && one.liveBytes * 2 < one.usedBytes)).toBe(true);
        expect(sparse.reduce((sum, one) => sum + one.liveBytes, 0)).toBeLessThanOrEqual(repackBytes);
        const oldDead = packs.filter(
          (one) => one.liveBytes === 0 && one.storedAtMs !== null && nowMs - one.storedAtMs >= youngMs,
        );
        expect(dead).toHaveLength(oldDead.length);
        const few = planMark(packs, { nowMs, youngMs, repackBytes, mostPacks: 3 });
        expect([...few.dead, ...few.sparse]).toEqual([...dead, ...sparse].slice(0, 3));
      }),
    );
  });
});

describe('a storage that locks objects', () => {
  it('[F25] passes over packs it may not remove yet, ends its cycle, and finds them again when it may', async () => {
    const { clock, store, open, vault } = await world();
    const locked = new Set<string>();
    const locking: Store = {
      ...store,
      async remove(name) {
        if (locked.has(name)) throw new VaultError('VAULT_OBJECT_LOCKED', `${name} is locked`, { retry: 'later' });
        await store.remove(name);
      },
    };
    const gone = await writePoint(vault, store, noise('gone', 60_000), { ...small, ...at('a', 0) });
    const stays = await writePoint(vault, store, noise('stays', 20_000), { ...small, ...at('b', 0) });
    await vault.removePoint(gone.header.id);
    for (const name of packsOf(store).slice(0, 3)) locked.add(name);
    const sweeper = await open(locking);
    const { marked, swept } = await sweepAll(sweeper, clock);
    const held = [...locked].filter((name) => store.objects.has(name)).length;
    expect(swept?.locked).toBeLessThanOrEqual(held);
    expect((swept?.packs ?? 0) + (swept?.locked ?? 0)).toBe(marked?.packs);
    expect((await readPoint(await open(), stays.header.id)).equals(stays.content)).toBe(true);
    const before = swept?.locked ?? 0;
    expect(before).toBeGreaterThan(0);
    locked.clear();
    clock.ms += 25 * hourMs;
    expect((await sweeper.collectGarbage()).swept).toMatchObject({ packs: before, locked: 0 });
    expect((await (await open()).verify({ level: 'content' })).damaged).toEqual([]);
  });

  it('[F24] leaves no record of a removal that the storage refused', async () => {
    const { store, vault, open } = await world();
    const { header } = await writePoint(vault, store, noise('x', 9000), { ...small, ...at('a', 0) });
    const refusing: Store = {
      ...store,
      async remove(name) {
        if (name.startsWith('points/')) throw new VaultError('VAULT_RETAINED', 'too young');
        await store.remove(name);
      },
    };
    await expect((await open(refusing)).removePoint(header.id)).rejects.toMatchObject({ code: 'VAULT_RETAINED' });
    expect([...store.objects.keys()].filter((name) => name.startsWith('gc/'))).toEqual([]);
  });
});
