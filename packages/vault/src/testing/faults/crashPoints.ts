/**
 * A vault's life on a modelled disk, with the state of the disk kept before each call that changes it: what a power cut or a kill at
 * that call leaves can be looked at afterwards, as often and in as many ways as wanted.
 */
import { VaultError } from '../../errors.ts';
import { generateVaultKeys } from '../../keys/seal.ts';
import { directoryStore } from '../../stores/directoryStore.ts';
import type { Store, Unlock, Vault } from '../../types.ts';
import { openVaultIn } from '../../vault/openVault.ts';
import { createSample, noConfig, noise, readPoint, text, writePoint } from '../sampleVault.ts';
import { type DiskHooks, ModelDisk } from './modelDisk.ts';

export const folder = '/disk/vault';
export const unlock: Unlock = { kind: 'keys', keys: generateVaultKeys() };
const hourMs = 3_600_000;

/** What somebody was told, at one moment. */
export interface Promises {
  readonly created: boolean;
  readonly safe: ReadonlyMap<string, Buffer>;
}

export interface Moment {
  /** The call that was about to change the disk. */
  readonly call: string;
  /** What the vault's user was doing. */
  readonly step: string;
  readonly disk: ModelDisk;
  readonly promises: Promises;
  readonly nowMs: number;
}

export interface Clock {
  ms: number;
}

export async function openIn(disk: ModelDisk, hooks: DiskHooks = {}): Promise<{ store: Store; vault: Vault }> {
  const store = await directoryStore(folder, { create: false, files: disk.files(hooks) });
  return { store, vault: await openVaultIn(store, noConfig, unlock) };
}

const small = { chunkBytes: 4096, packBytes: 16 << 10 };
const at = (source: string, minute: number) => ({
  source,
  now: () => new Date(Date.UTC(2026, 10, 22, 12, minute)),
  compression: 'none' as const,
  expectedChunks: 200,
});
/** 1.2 MiB in one pack, so that the way around the page cache is taken; then small runs that build on it, and one that goes again. */
export const contents = [
  Buffer.concat([noise('large', 1_200_000), text('first', 30_000)]),
  Buffer.concat([text('first', 30_000), noise('second', 50_000), Buffer.alloc(9000)]),
  Buffer.concat([noise('second', 25_000), text('third', 30_000)]),
];

/** Creates a vault, makes three points, removes one, sweeps, looks at it all, and lists lost packs: the whole vocabulary of changes. */
export async function recordLife(hooks: DiskHooks = {}): Promise<Moment[]> {
  const clock: Clock = { ms: Date.UTC(2026, 10, 22) };
  const disk = new ModelDisk(() => clock.ms);
  const moments: Moment[] = [];
  const safe = new Map<string, Buffer>();
  let [created, step] = [false, 'create'];
  const keep = (call: string) => {
    moments.push({ call, step, disk: disk.copy(), promises: { created, safe: new Map(safe) }, nowMs: clock.ms });
  };
  const files = disk.files({ ...hooks, before: (change, path) => keep(`${change} ${path}`) });
  const store = await directoryStore(folder, { create: true, files });
  const vault = await createSample(store, { encryption: unlock });
  created = true;
  const backup = async (number: number, options: { chunkBytes: number; packBytes: number }) => {
    step = `backup ${number}`;
    const content = contents[number] ?? Buffer.alloc(0);
    const { header } = await writePoint(vault, store, content, { ...options, begin: at(`disk ${number % 2}`, number) });
    safe.set(header.id, content);
    return header.id;
  };
  const first = await backup(1, small);
  await backup(2, small);
  step = 'remove';
  safe.delete(first);
  await vault.removePoint(first);
  for (step of ['mark', 'sweep', 'look again']) {
    clock.ms += 26 * hourMs;
    await vault.collectGarbage();
  }
  // Late, since every look at what comes after it reads it.
  await backup(0, { chunkBytes: 64 << 10, packBytes: 4 << 20 });
  step = 'repair';
  for await (const { name } of store.list('index/')) await store.remove(name);
  await vault.rebuildIndex();
  keep('the end');
  await vault.close();
  return moments;
}

/** @throws Error saying what a person would have lost. */
export async function checkPromises(disk: ModelDisk, { created, safe }: Promises): Promise<Vault | null> {
  const opened = await openIn(disk).catch((cause) => {
    if (!created && cause instanceof VaultError && cause.code === 'VAULT_NOT_FOUND') return null;
    throw new Error('the vault does not open', { cause });
  });
  if (opened === null) return null;
  const { vault } = opened;
  const { points, unreadable } = await vault.listPoints();
  if (unreadable.length > 0) throw new Error(`half a manifest is seen: ${unreadable.join(', ')}`);
  const listed = new Set(points.map((point) => point.id));
  for (const id of safe.keys()) if (!listed.has(id)) throw new Error(`the acknowledged point ${id} is gone`);
  for (const { id } of points) {
    const read = await readPoint(vault, id).catch((cause: unknown) => {
      throw new Error(`point ${id} cannot be read`, { cause });
    });
    const wanted = safe.get(id);
    const whole = wanted === undefined ? contents.some((content) => content.equals(read)) : wanted.equals(read);
    if (!whole) throw new Error(`point ${id} reads as something else`);
  }
  return vault;
}
