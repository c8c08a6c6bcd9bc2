import { describe, expect, it } from 'vitest';
import { memoryStore } from '../testing/memoryStore.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../testing/sampleVault.ts';
import { openVaultIn } from '../vault/openVault.ts';
import { encodeGc, type GcKey, readVerdict, stepName } from './gcObjects.ts';

const hourMs = 3_600_000;
const none = { kind: 'none' } as const;
const at = (source: string, minute: number) => ({
  begin: { source, now: () => new Date(Date.UTC(2026, 10, 22, 12, minute)) },
});

describe('a sweep of many packs', () => {
  it('[F21] a mark with more than a thousand packs is read by the sweeper and by writers, and swept', async () => {
    const clock = { ms: 1_000_000_000_000 };
    const store = memoryStore(new Map(), () => clock.ms);
    const vault = await createSample(store, { encryption: none });
    const content = noise('much', 1100 * 256);
    const first = await writePoint(vault, store, content, { chunkBytes: 256, packBytes: 1, ...at('a', 0) });
    const other = await writePoint(vault, store, noise('kept', 9000), { ...at('b', 0) });
    await vault.removePoint(first.header.id);
    clock.ms += 25 * hourMs;
    const { marked } = await vault.collectGarbage();
    expect(marked?.packs).toBeGreaterThan(1000);
    expect(store.objects.get('gc/0000000000000001-mark')?.length).toBeGreaterThan(64 << 10);
    // A run that begins behind the mark heeds it, so that the fence does not stop it.
    const late = await openVaultIn(store, noConfig, none);
    const run = await late.beginPoint({
      ...{ machineId: 'm', machineName: 'm', source: 's', kind: 'disk', method: 'full', parentId: null },
      ...{ expectedChunks: 10, compression: 'none', now: () => new Date() },
    });
    clock.ms += 25 * hourMs;
    expect((await vault.collectGarbage({ leaseMs: 1 })).swept?.packs).toBe(marked?.packs);
    const header = await run.commit({
      packs: [],
      disks: [],
      warnings: [],
      totals: { sizeBytes: 0, usedBytes: 0, newBytes: 0 },
    });
    expect(header.id).toBe(run.pointId);
    expect([...store.objects.keys()].filter((name) => name.startsWith('packs/')).length).toBeLessThan(10);
    expect((await readPoint(await openVaultIn(store, noConfig, none), other.header.id)).equals(other.content)).toBe(true);
  });

  it('[F21] a doom that names 20,000 points is read; one larger than any can be is not', async () => {
    const store = memoryStore();
    const key: GcKey = { vaultId: 'v', idKey: Buffer.alloc(32, 1) };
    const witness = Array.from({ length: 20_000 }, (_, point) => point.toString(16).padStart(32, '0'));
    const name = stepName(1, 'doom');
    await store.put(name, encodeGc(name, { packs: [], witness }, key));
    expect((await readVerdict(store, name, key))?.witness).toEqual(witness);
    const huge = stepName(2, 'doom');
    await store.put(huge, encodeGc(huge, { packs: ['x'.repeat(64 << 20)], witness: [] }, key));
    expect(await readVerdict(store, huge, key)).toBeNull();
  });
});
