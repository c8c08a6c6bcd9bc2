import { describe, expect, it } from 'vitest';
import { memoryStore } from '../testing/memoryStore.ts';
import { createSample, noise, writePoint } from '../testing/sampleVault.ts';
import { PointNames } from './pointNames.ts';

const at = (minute: number) => ({ begin: { now: () => new Date(Date.UTC(2026, 10, 22, 12, minute)) } });

describe('finding points by id', () => {
  it('lists once for many at once, sees new ones and misses removed ones, and outlives a listing that failed', async () => {
    const store = memoryStore();
    const vault = await createSample(store, { encryption: { kind: 'none' } });
    const made: string[] = [];
    for (let minute = 0; minute < 5; minute += 1)
      made.push((await writePoint(vault, store, noise(`${minute}`, 500), at(minute))).header.id);
    let listings = 0;
    let broken = true;
    const names = new PointNames({
      ...store,
      async *list(prefix) {
        listings += 1;
        if (broken) throw new Error('the network is gone');
        yield* store.list(prefix);
      },
    });
    await expect(names.find(made[0] ?? '')).rejects.toThrow('the network is gone');
    broken = false;
    const found = await Promise.all(made.map((id) => names.find(id)));
    expect(found.every((name, place) => name?.includes(made[place] ?? '-'))).toBe(true);
    expect(listings).toBe(2);
    const late = (await writePoint(vault, store, noise('late', 500), at(9))).header.id;
    expect(await names.find(late)).toContain(late);
    await vault.removePoint(made[0] ?? '');
    expect(await names.find(made[0] ?? '')).toBeNull();
    expect(await names.find(made[1] ?? '')).toContain(made[1]);
    expect(await names.find('f'.repeat(32))).toBeNull();
  });
});
