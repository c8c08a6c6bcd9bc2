/**
 * One bit of every byte of a vault. Verifying a vault a million times would take hours, so in CI the whole vault is verified with one
 * bit flipped in each of its data chunks at a time, each of which must be found and named by its own ranges; all other objects are put to their
 * own readers byte by byte, and a part of their bytes to a verify of the whole vault. The long tier verifies the vault for every byte alone.
 */
import { describe, expect, it } from 'vitest';
import { generateVaultKeys } from '../../keys/seal.ts';
import { openVaultIn } from '../../vault/openVault.ts';
import { noConfig } from '../sampleVault.ts';
import { Dice } from './dice.ts';
import { checkNamed, type FlipVault, flip, isRefused, makeFlipVault, readsRight } from './flips.ts';
import { isLong, onlySeed } from './tier.ts';

const alone = 300;
const part = 29;

type Hits = readonly { readonly name: string; readonly at: readonly number[] }[];

/** Flips a bit of all these bytes, verifies the vault, flips back. Returns how many there were. */
async function verifyWith(flipped: FlipVault, hits: Hits): Promise<number> {
  const { store, vault } = flipped;
  const flipAll = () => {
    for (const { name, at } of hits) for (const one of at) flip(store, name, one);
  };
  flipAll();
  const report = await vault.verify({ level: 'data' });
  for (const hit of hits) checkNamed(flipped, report, hit);
  flipAll();
  return hits.reduce((sum, { at }) => sum + at.length, 0);
}

/** The `nth` byte of every record of every data pack; then of what is before the records and behind them. */
async function flipDataPacks(flipped: FlipVault): Promise<number> {
  const packs = [...flipped.dataPacks];
  let flips = 0;
  const longest = Math.max(...packs.flatMap(([, records]) => records.map(({ from, to }) => to - from)));
  for (let nth = 0; nth < longest; nth += 1) {
    const hits = packs.map(([name, records]) => ({
      name,
      at: records.filter(({ from, to }) => from + nth < to).map(({ from }) => from + nth),
    }));
    flips += await verifyWith(
      flipped,
      hits.filter(({ at }) => at.length > 0),
    );
  }
  const around = packs.map(([name, records]) => {
    const size = flipped.store.objects.get(name)?.length ?? 0;
    const [first, end] = [records[0]?.from ?? 0, records.at(-1)?.to ?? 0];
    return { name, bytes: [...Array(first).keys(), ...Array.from({ length: size - end }, (_, at) => end + at)] };
  });
  for (let nth = 0; around.some(({ bytes }) => nth < bytes.length); nth += 1) {
    const hits = around.map(({ name, bytes }) => ({ name, at: bytes.slice(nth, nth + 1) }));
    flips += await verifyWith(
      flipped,
      hits.filter(({ at }) => at.length > 0),
    );
  }
  return flips;
}

describe.skipIf(onlySeed !== null)('a vault of 1 MiB', () => {
  it('[F22] a flipped bit of every byte is found and rightly named', async () => {
    const flipped = await makeFlipVault({ kind: 'none' });
    const { store, vault } = flipped;
    const keys = {
      idKey: Buffer.from(JSON.parse(String(store.objects.get('config')).split('\n')[0] ?? '').idKey, 'hex'),
      publicKey: null,
      privateKey: null,
    };
    expect(flipped.totalBytes).toBeGreaterThan(1_000_000);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    let flips = await flipDataPacks(flipped);
    let verified = 0;
    for (const [name, bytes] of store.objects) {
      if (flipped.dataPacks.has(name)) continue;
      for (let at = 0; at < bytes.length; at += 1) {
        flip(store, name, at);
        if (!isRefused(flipped, name, keys)) throw new Error(`byte ${at} of ${name}: not found`);
        flip(store, name, at);
        flips += 1;
        if (at % part === 0) verified += await verifyWith(flipped, [{ name, at: [at] }]);
      }
    }
    process.stdout.write(`${flips} bytes flipped, all found and named; ${verified} of small objects by a verify of the whole\n`);
    expect(flips).toBe(flipped.totalBytes);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
  }, 36_000_000);

  it(`[F22] encrypted: ${isLong ? 'each byte' : `${alone} bytes by chance`} alone, by a vault that is opened anew, which reads right bytes or none`, async () => {
    const keys = { kind: 'keys', keys: generateVaultKeys() } as const;
    const flipped = await makeFlipVault(keys);
    const { store } = flipped;
    const dice = new Dice(1);
    const names = [...store.objects.keys()].filter((name) => name !== 'config');
    const everywhere = names.flatMap((name) =>
      Array.from({ length: store.objects.get(name)?.length ?? 0 }, (_, at) => ({ name, at })),
    );
    const hits = isLong ? everywhere : Array.from({ length: alone }, () => dice.pick(everywhere) ?? { name: '', at: 0 });
    for (const { name, at } of hits) {
      flip(store, name, at);
      const vault = await openVaultIn(store, noConfig, keys);
      checkNamed(flipped, await vault.verify({ level: 'content' }), { name, at: [at] });
      await readsRight(flipped, vault);
      await vault.close();
      flip(store, name, at);
    }
    expect(hits.length).toBeGreaterThanOrEqual(alone);
  }, 36_000_000);

  it('[F2] encrypted: a config with any byte flipped opens nothing', async () => {
    const keys = { kind: 'keys', keys: generateVaultKeys() } as const;
    const { store } = await makeFlipVault(keys);
    for (let at = 0; at < (store.objects.get('config')?.length ?? 0); at += 1) {
      flip(store, 'config', at);
      await expect(openVaultIn(store, noConfig, keys)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
      flip(store, 'config', at);
    }
  });
});
