/** A disk that is full at any byte of a backup, and sweeping one that has no byte left. */
import { beforeAll, describe, expect, it } from 'vitest';
import { VaultError } from '../../errors.ts';
import { generateVaultKeys } from '../../keys/seal.ts';
import { directoryStore } from '../../stores/directoryStore.ts';
import type { Store, Unlock, Vault } from '../../types.ts';
import { openVaultIn } from '../../vault/openVault.ts';
import { createSample, noConfig, noise, readPoint, text, writePoint } from '../sampleVault.ts';
import { ModelDisk } from './modelDisk.ts';
import { onlySeed } from './tier.ts';

const folder = '/disk/vault';
const unlock: Unlock = { kind: 'keys', keys: generateVaultKeys() };
const offsets = Number(process.env.DISKFLEET_FAULT_OFFSETS ?? 500);
const hourMs = 3_600_000;
const small = { chunkBytes: 4096, packBytes: 16 << 10 };
const begin = (source: string) => ({ source, compression: 'none' as const, expectedChunks: 100 });
const first = Buffer.concat([noise('first', 60_000), text('shared', 20_000)]);
const second = Buffer.concat([text('shared', 20_000), noise('second', 120_000), Buffer.alloc(5000), text('end', 9000)]);

async function open(disk: ModelDisk): Promise<{ store: Store; vault: Vault }> {
  const store = await directoryStore(folder, { create: false, files: disk.files() });
  return { store, vault: await openVaultIn(store, noConfig, unlock) };
}

const clock = { ms: Date.UTC(2026, 10, 22) };
let base = new ModelDisk();
let firstId = '';

beforeAll(async () => {
  base = new ModelDisk(() => clock.ms);
  const store = await directoryStore(folder, { create: true, files: base.files() });
  const vault = await createSample(store, { encryption: unlock });
  firstId = (await writePoint(vault, store, first, { ...small, begin: begin('a') })).header.id;
  await vault.close();
});

/** What one backup of `second` takes of the disk, names included. */
async function bytesOfBackup(): Promise<number> {
  const disk = base.copy();
  disk.roomBytes = 1e9;
  let least = disk.roomBytes;
  const files = disk.files({
    before: () => {
      least = Math.min(least, disk.roomBytes);
    },
  });
  const store = await directoryStore(folder, { create: false, files });
  const vault = await openVaultIn(store, noConfig, unlock);
  await writePoint(vault, store, second, { ...small, begin: begin('b') });
  await vault.close();
  return 1e9 - least;
}

async function failing(run: Promise<unknown>): Promise<unknown> {
  return run.then(
    () => null,
    (cause: unknown) => cause,
  );
}

describe.skipIf(onlySeed !== null)('a disk that is full', () => {
  it(`[F19] at any of ${offsets} offsets of a backup: said so, nothing half visible, and the next backup works`, async () => {
    const whole = await bytesOfBackup();
    let refused = 0;
    for (let nth = 0; nth < offsets; nth += 1) {
      const disk = base.copy();
      disk.roomBytes = Math.floor((whole * nth) / offsets);
      const { store, vault } = await open(disk);
      const failure = await failing(writePoint(vault, store, second, { ...small, begin: begin('b') }));
      await vault.close();
      const where = `offset ${Math.floor((whole * nth) / offsets)} of ${whole}`;
      if (!(failure instanceof VaultError)) throw new Error(`${where}: ${String(failure)}`);
      expect([failure.code, failure.retry], where).toEqual(['VAULT_FULL', 'later']);
      refused += 1;
      // Nothing of it is seen, and a power cut now changes nothing.
      disk.cutPower('all');
      const after = await open(disk);
      expect(await after.vault.listPoints(), where).toMatchObject({ points: [{ id: firstId }], unreadable: [] });
      expect((await readPoint(after.vault, firstId)).equals(first), where).toBe(true);
      expect((await after.vault.verify({ level: 'content' })).damaged, where).toEqual([]);
      disk.roomBytes = 1e9;
      const { header } = await writePoint(after.vault, after.store, second, { ...small, begin: begin('b') });
      expect((await readPoint(after.vault, header.id)).equals(second), where).toBe(true);
      await after.vault.close();
    }
    expect(refused).toBe(offsets);
  });

  it('[F19] is swept all the same, from the reserve, which is filled again', async () => {
    const disk = base.copy();
    disk.roomBytes = 1e9;
    const reserve = `${folder}/tmp/reserve`;
    const reserved = disk.read(reserve).length;
    expect(reserved).toBeGreaterThan(100_000);
    const { store, vault } = await open(disk);
    const kept = (await writePoint(vault, store, second, { ...small, begin: begin('b') })).header.id;
    disk.roomBytes = 0;
    const failure = await failing(writePoint(vault, store, noise('more', 30_000), { ...small, begin: begin('c') }));
    expect(failure).toMatchObject({ code: 'VAULT_FULL' });
    // Whatever else is on the disk takes what the failed run gave back.
    disk.roomBytes = 0;
    await vault.removePoint(firstId);
    const before = disk.paths().filter((path) => path.includes('/packs/')).length;
    for (let run = 0; run < 3; run += 1) {
      clock.ms += 26 * hourMs;
      await vault.collectGarbage();
    }
    expect(disk.paths().filter((path) => path.includes('/packs/')).length).toBeLessThan(before - 2);
    expect(disk.read(reserve).length).toBeGreaterThan(reserved / 10);
    expect((await readPoint(vault, kept)).equals(second)).toBe(true);
    await vault.close();
    const again = await open(disk);
    expect((await again.vault.verify({ level: 'content' })).damaged).toEqual([]);
    const third = await writePoint(again.vault, again.store, noise('third', 9000), { ...small, begin: begin('c') });
    expect((await readPoint(again.vault, third.header.id)).equals(third.content)).toBe(true);
    await again.vault.close();
  });

  it('[F19] whose vault has points with little left in common is swept too: what needs copying waits, what is garbage goes', async () => {
    const disk = new ModelDisk(() => clock.ms);
    const made = await directoryStore(folder, { create: true, files: disk.files() });
    const vault = await createSample(made, { encryption: unlock });
    // Packs half in use, and packs not in use.
    const part = noise('part', 64 << 10);
    const large = { chunkBytes: 4096, packBytes: 64 << 10 };
    const one = await writePoint(vault, made, Buffer.concat([part, noise('alone', 300_000)]), { ...large, begin: begin('a') });
    const two = await writePoint(vault, made, part.subarray(0, 12_288), { ...large, begin: begin('b') });
    disk.roomBytes = 0;
    await vault.removePoint(one.header.id);
    const packs = () => disk.paths().filter((path) => path.includes('/packs/')).length;
    const before = packs();
    for (let run = 0; run < 4; run += 1) {
      clock.ms += 26 * hourMs;
      await vault.collectGarbage();
    }
    expect(packs()).toBeLessThan(before - 3);
    expect((await readPoint(vault, two.header.id)).equals(two.content)).toBe(true);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    await vault.close();
  });
});
