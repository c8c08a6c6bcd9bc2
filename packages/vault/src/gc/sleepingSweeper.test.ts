import { describe, expect, it } from 'vitest';
import { memoryStore } from '../testing/memoryStore.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../testing/sampleVault.ts';
import type { Store } from '../types.ts';
import { openVaultIn } from '../vault/openVault.ts';

const hourMs = 3_600_000;
const none = { kind: 'none' } as const;
const small = { packBytes: 8 << 10, chunkBytes: 1024 };
const at = (source: string, minute: number) => ({
  begin: { source, now: () => new Date(Date.UTC(2026, 10, 22, 12, minute)) },
});

describe('a sweeper that sleeps while others sweep twice', () => {
  /** One that wakes up right before it puts `step`, when the number it has in mind is done and forgotten. */
  async function world(step: RegExp) {
    const clock = { ms: 1_000_000_000_000 };
    const store = memoryStore(new Map(), () => clock.ms);
    const vault = await createSample(store, { encryption: none });
    const content = noise('content', 6000);
    const sweepAll = async () => {
      for (let run = 0; run < 2; run += 1) {
        clock.ms += 25 * hourMs;
        await vault.collectGarbage({ youngMs: 0 });
      }
    };
    /** Makes garbage of its own and sweeps it. */
    const cycle = async (minute: number) => {
      const { header } = await writePoint(vault, store, noise(`garbage ${minute}`, 3000), { ...small, ...at('other', minute) });
      await vault.removePoint(header.id);
      await sweepAll();
    };
    const asleep = { done: false };
    const slow = (whileAsleep: () => Promise<void>): Store => ({
      ...store,
      async put(name, bytes) {
        if (!asleep.done && step.test(name)) {
          asleep.done = true;
          await whileAsleep();
        }
        return store.put(name, bytes);
      },
    });
    return { clock, store, vault, content, cycle, slow };
  }

  it('[F25] cannot make a mark that writers of today do not heed', async () => {
    const { clock, store, vault, content, cycle, slow } = await world(/^gc\/0+1-mark$/);
    const first = await writePoint(vault, store, content, { ...small, ...at('a', 0) });
    await vault.removePoint(first.header.id);
    clock.ms += 25 * hourMs;
    let acknowledged = '';
    // Its mark dooms the packs of `content`; while it sleeps, other garbage is swept twice, and `content` is backed up and used again.
    const sweeper = await openVaultIn(
      slow(async () => {
        const second = await writePoint(vault, store, content, { ...small, ...at('a', 1) });
        for (const minute of [2, 3, 4]) await cycle(minute);
        await vault.removePoint(second.header.id);
      }),
      noConfig,
      none,
    );
    await sweeper.collectGarbage({ youngMs: 0 }).catch(() => {});
    // A writer that began before the late mark came, and whose manifest comes after the sweep was decided.
    const late: Store = {
      ...store,
      async put(name, bytes) {
        if (name.startsWith('points/')) {
          clock.ms += 25 * hourMs;
          await vault.collectGarbage({ delayMs: 0, leaseMs: 1 });
        }
        return store.put(name, bytes);
      },
    };
    const writer = await openVaultIn(late, noConfig, none);
    const third = await writePoint(writer, late, content, { ...small, ...at('a', 9) }).then(
      ({ header }) => header.id,
      () => null,
    );
    acknowledged = third ?? '';
    if (third !== null)
      expect((await readPoint(await openVaultIn(store, noConfig, none), acknowledged)).equals(content)).toBe(true);
    const open = [...store.objects.keys()].filter((name) => /^gc\/\d+-(doom|sweep)$/.test(name));
    expect(open.some((name) => name.includes('0000000000000001-'))).toBe(false);
  });

  it('[F25] obeys no doom of its own under a number that is done and forgotten', async () => {
    const { clock, store, vault, content, cycle, slow } = await world(/^gc\/0+1-doom$/);
    const first = await writePoint(vault, store, content, { ...small, ...at('a', 0) });
    await vault.removePoint(first.header.id);
    clock.ms += 25 * hourMs;
    await vault.collectGarbage({ youngMs: 0 });
    clock.ms += 25 * hourMs;
    const sweeper = await openVaultIn(
      slow(async () => {
        for (const minute of [2, 3]) await cycle(minute);
      }),
      noConfig,
      none,
    );
    await expect(sweeper.collectGarbage({ youngMs: 0 })).rejects.toMatchObject({ code: 'VAULT_SWEPT', retry: 'later' });
  });
});
