import { mkdtemp, readdir, readFile, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VaultError } from '../errors.ts';
import { PackingWriter } from '../pack/chunkWriter.ts';
import { openStore } from '../stores/openStore.ts';
import { memoryStore, storeContract } from '../testing/index.ts';
import { beginning, cheapCost, createSample, noConfig, noise, readPoint, text, writePoint } from '../testing/sampleVault.ts';
import type { Store, Vault } from '../types.ts';
import { openVault } from '../vault/openVault.ts';
import { copyPointBy } from './copyPoint.ts';
import { type ExportedPoint, exportPoint } from './exportPoint.ts';
import { fileStore } from './fileStore.ts';
import { createPortableFile } from './fileWriter.ts';
import { Directory, decodeFooter, decodePartHeader, encodeDirectory, encodeFooter } from './layout.ts';

let folder = '';
let count = 0;
const fresh = () => join(folder, `file-${count++}.adi`);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-portable-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Data, data twice, zeros, data that does not shrink: more than one region of the map. */
const content = Buffer.concat([
  text('a', 303_104),
  noise('b', 200_704),
  Buffer.alloc(69_632),
  text('a', 303_104),
  text('c', 1001),
]);
const now = () => new Date('2026-11-22T13:00:00.000Z');
const passphrase = 'for the road';

async function sample(): Promise<{ vault: Vault; store: Store; id: string }> {
  const store = memoryStore();
  const vault = await createSample(store);
  await writePoint(vault, store, noise('another', 400_000));
  const { header } = await writePoint(vault, store, content, { packBytes: 100_000 });
  return { vault, store, id: header.id };
}

async function exported(
  more: { partBytes?: number; passphrase?: string | null } = {},
): Promise<ExportedPoint & { path: string; id: string }> {
  const { vault, id } = await sample();
  const path = fresh();
  const options = { pointId: id, path, partBytes: null, passphrase, now, passphraseCost: cheapCost, ...more };
  return { ...(await exportPoint(vault, options)), path, id };
}

const opened = (path: string, word: string | null = passphrase) =>
  openVault({ kind: 'file', path }, word === null ? { kind: 'none' } : { kind: 'passphrase', passphrase: word });

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (cause) {
    if (cause instanceof VaultError) return cause.code;
    throw cause;
  }
}

/** The contract puts and reads in turn: what was put is made a portable file again before each look. */
storeContract('portable file, cut into parts', async () => {
  const objects = new Map<string, Uint8Array>();
  const store: Store = {
    ...(await reopened(objects)),
    async put(name, bytes) {
      await expect((await reopened(objects)).put(name, bytes)).rejects.toBeInstanceOf(VaultError);
      await memoryStore().put(name, bytes);
      if (objects.has(name)) return 'exists';
      objects.set(name, Buffer.from(bytes));
      return 'stored';
    },
    get: async (name, range) => (await reopened(objects)).get(name, range),
    readInto: async (name, offset, target) => (await reopened(objects)).readInto?.(name, offset, target),
    head: async (name) => (await reopened(objects)).head(name),
    async *list(prefix) {
      yield* (await reopened(objects)).list(prefix);
    },
  };
  return { store, removes: false, async cleanUp() {} };
});

let last: { names: string; store: Store } | null = null;
async function reopened(objects: ReadonlyMap<string, Uint8Array>): Promise<Store> {
  const names = [...objects].map(([name, { length }]) => `${name} ${length}`).join();
  if (last?.names === names && objects.size > 1) return last.store;
  const path = fresh();
  const file = await createPortableFile(path, 1_000_003);
  // Sessions are what a portable file leaves out: stored here under another name, so that the rest of the contract holds.
  for (const [name, bytes] of objects) await file.store.put(name.replace(/^sessions/, 'tessions'), bytes);
  await file.finish();
  const inner = await fileStore(path);
  const store = { ...inner, head: (name: string) => inner.head(name.replace(/^sessions/, 'tessions')) };
  last = { names, store };
  return store;
}

describe('a portable file', () => {
  it('[F31] holds the point whole, opened by its passphrase alone, and nothing of another point', async () => {
    const { path, id, header, files, bytes } = await exported();
    expect(files).toEqual([path]);
    expect((await stat(path)).size).toBe(bytes);
    expect(header.id).toBe(id);
    const vault = await opened(path);
    expect((await vault.listPoints()).points.map((point) => point.id)).toEqual([id]);
    expect((await readPoint(vault, id)).equals(content)).toBe(true);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    const names = [];
    for await (const { name } of (await openStore({ kind: 'file', path })).list('')) names.push(name.split('/')[0]);
    expect(new Set(names)).toEqual(new Set(['config', 'keys', 'packs', 'index', 'points']));
    // The third piece is the first once more, and the 400,000 of the other point are not there.
    expect(bytes).toBeLessThan(500_000);
    expect(await codeOf(opened(path, 'open sesame'))).toBe('VAULT_WRONG_PASSPHRASE');
  });

  it('[F31] has keys of its own: those of the vault do not open it, nor the other way round', async () => {
    const { vault, id } = await sample();
    const path = fresh();
    await exportPoint(vault, { pointId: id, path, partBytes: null, passphrase, now, passphraseCost: cheapCost });
    const { keys } = vault.readerSeed();
    expect(await codeOf(openVault({ kind: 'file', path }, { kind: 'keys', keys }))).toBe('VAULT_WRONG_PASSPHRASE');
    expect((await opened(path)).id).not.toBe(vault.id);
  });

  it('without a passphrase is not encrypted', async () => {
    const { path, id } = await exported({ passphrase: null });
    const vault = await opened(path, null);
    expect(vault.encrypted).toBe(false);
    expect((await readPoint(vault, id)).equals(content)).toBe(true);
  });

  it('[F31] is cut into parts of the size asked for, and read over their borders', async () => {
    const { path, id, files, bytes } = await exported({ partBytes: 50_000 });
    expect(files.length).toBeGreaterThan(4);
    expect(files.slice(0, 3)).toEqual([path, `${path}.001`, `${path}.002`]);
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    expect(sizes.slice(0, -1).every((size) => size === 50_000)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(bytes);
    const vault = await opened(path);
    expect((await readPoint(vault, id)).equals(content)).toBe(true);
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
  });

  it('is never changed and says so', async () => {
    const { path, id } = await exported();
    const vault = await opened(path);
    expect(await codeOf(vault.removePoint(id))).toBe('VAULT_REFUSED');
    expect(await codeOf(vault.beginPoint(beginning()))).toBe('VAULT_REFUSED');
  });

  it('refuses to take the place of a file or of a part', async () => {
    const { vault, id } = await sample();
    const path = fresh();
    await writeFile(`${path}.001`, 'old');
    const options = { pointId: id, path, partBytes: null, passphrase, now, passphraseCost: cheapCost };
    expect(await codeOf(exportPoint(vault, options))).toBe('PORTABLE_EXISTS');
    await rename(`${path}.001`, path);
    expect(await codeOf(exportPoint(vault, options))).toBe('PORTABLE_EXISTS');
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('that cannot be finished leaves nothing behind', async () => {
    const { vault, store, id } = await sample();
    for await (const { name } of store.list('packs/')) await store.remove(name);
    const path = fresh();
    const options = { pointId: id, path, partBytes: null, passphrase, now, passphraseCost: cheapCost };
    const place = await openAgain(vault, store);
    expect(['CHUNK_MISSING', 'VAULT_OBJECT_MISSING']).toContain(await codeOf(exportPoint(place, options)));
    expect((await readdir(folder)).filter((name) => join(folder, name).startsWith(path))).toEqual([]);
  });
});

async function openAgain(vault: Vault, store: Store): Promise<Vault> {
  const { openVaultIn } = await import('../vault/openVault.ts');
  return openVaultIn(store, noConfig, { kind: 'keys', keys: vault.readerSeed().keys });
}

describe('[F33] what is missing is named', () => {
  it('a part', async () => {
    const { path, files } = await exported({ partBytes: 50_000 });
    for (const gone of [1, 2, files.length - 1]) {
      const part = files[gone] ?? '';
      await rename(part, `${part}.away`);
      await expect(opened(path), part).rejects.toMatchObject({
        code: 'PORTABLE_INCOMPLETE',
        message: expect.stringContaining(`.${String(gone).padStart(3, '0')}`),
      });
      await rename(`${part}.away`, part);
    }
    await opened(path);
    await expect(opened(files[2] ?? '')).rejects.toMatchObject({
      code: 'PORTABLE_INCOMPLETE',
      message: expect.stringContaining('first part'),
    });
    await unlink(path);
    expect(await codeOf(opened(path))).toBe('VAULT_NOT_FOUND');
  });

  it('the end, at every length', async () => {
    const whole = await exported();
    for (const bytes of [whole.bytes - 1, whole.bytes - 88, 1000, 65, 64, 63, 1, 0]) {
      await truncate(whole.path, bytes);
      expect(await codeOf(opened(whole.path)), String(bytes)).toBe('PORTABLE_INCOMPLETE');
    }
    const split = await exported({ partBytes: 50_000 });
    await truncate(split.files[1] ?? '', 49_999);
    await expect(opened(split.path)).rejects.toMatchObject({
      code: 'PORTABLE_INCOMPLETE',
      message: expect.stringContaining('.001 has 49999'),
    });
  });

  it('a part of another file', async () => {
    const [one, two] = [await exported({ partBytes: 50_000 }), await exported({ partBytes: 50_000 })];
    await rename(`${two.path}.001`, `${one.path}.001`);
    expect(await codeOf(opened(one.path))).toBe('PORTABLE_DAMAGED');
  });
});

describe('hostile bytes', () => {
  const seed = Date.now();
  const known = ['PORTABLE_INCOMPLETE', 'PORTABLE_DAMAGED', 'VAULT_TOO_NEW'];

  it(`any flipped bit of a header, the directory or the footer is found; of the rest by verify (seed ${seed})`, async () => {
    const { path, bytes: size } = await exported({ passphrase: null });
    const good = await readFile(path);
    const directoryBytes = good.readUIntLE(size - 88 + 24, 6);
    const structure = fc.oneof(fc.nat(63), fc.integer({ min: size - 88 - directoryBytes, max: size - 1 }));
    const copy = fresh();
    const flip = (at: number, bit: number) => {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ (1 << bit), at);
      return writeFile(copy, bad);
    };
    await fc.assert(
      fc.asyncProperty(structure, fc.nat(7), async (at, bit) => {
        await flip(at, bit);
        expect(known).toContain(await codeOf(fileStore(copy)));
      }),
      { seed, numRuns: 300 },
    );
    const inside = fc.integer({ min: 64, max: size - 88 - directoryBytes - 1 });
    await fc.assert(
      fc.asyncProperty(inside, fc.nat(7), async (at, bit) => {
        await flip(at, bit);
        const damaged = await opened(copy, null).then(
          async (vault) => (await vault.verify({ level: 'data' })).damaged.length,
          (cause: unknown) => (cause instanceof VaultError ? 1 : Promise.reject(cause)),
        );
        expect(damaged).toBeGreaterThan(0);
      }),
      { seed, numRuns: 60 },
    );
  });

  it(`parsers of foreign bytes end in a coded error or a sound value (seed ${seed})`, () => {
    const total = (work: () => unknown) => {
      try {
        work();
      } catch (cause) {
        expect(cause instanceof VaultError ? known : cause).toContain(cause instanceof VaultError ? cause.code : null);
      }
    };
    const footerLike = fc
      .uint8Array({ minLength: 80, maxLength: 80 })
      .map((rest) => Buffer.concat([Buffer.from('DFFOOT01'), rest]));
    fc.assert(
      fc.property(footerLike, (bytes) => total(() => decodeFooter(bytes, 'x'))),
      { seed },
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => total(() => decodePartHeader(bytes, 'x'))),
      { seed },
    );
  });

  it(`a directory with a right checksum and wrong content is refused (seed ${seed})`, () => {
    const fileId = Buffer.alloc(16, 1);
    const build = (entries: Parameters<typeof encodeDirectory>[0], end: number, objects = entries.length) => {
      const bytes = encodeDirectory(entries);
      const counts = {
        objects,
        directoryOffset: end,
        directoryBytes: bytes.length,
        streamBytes: end + bytes.length + 88,
        fileId,
      };
      const footer = encodeFooter(counts, bytes);
      return () => new Directory(bytes, decodeFooter(footer, 'x') ?? expect.fail(), { footerBytes: footer, what: 'x' });
    };
    const at = (name: string, offsetBytes: number, lengthBytes: number) => ({ name, offsetBytes, lengthBytes });
    expect(build([at('a', 3, 4), at('b', 0, 3), at('c', 7, 0)], 7)().find('b')).toEqual(at('b', 0, 3));
    const bad = [
      build([at('b', 0, 3), at('a', 3, 4)], 7),
      build([at('a', 0, 3), at('a', 3, 4)], 7),
      build([at('a', 0, 3), at('b', 2, 5)], 7),
      build([at('a', 0, 3), at('b', 4, 3)], 7),
      build([at('a', 0, 3)], 7),
      build([at('a', 0, 2 ** 52)], 7),
      build([at('../a', 0, 7)], 7),
      build([at('', 0, 7)], 7),
      build([at('a', 0, 7)], 7, 0),
    ];
    for (const [place, make] of bad.entries())
      expect(make, String(place)).toThrowError(expect.objectContaining({ code: 'PORTABLE_DAMAGED' }));
  });
});

describe('a copy', () => {
  /** Into a vault in memory: chunk writers are opened by the store itself. */
  const copy = (from: Vault, to: { vault: Vault; store: Store }, pointId: string) =>
    copyPointBy(from, to.vault, {
      pointId,
      openWriter: async (seed) => new PackingWriter(seed, { store: to.store, kind: 'data' }),
    });

  async function target(): Promise<{ vault: Vault; store: Store }> {
    const store = memoryStore();
    return { store, vault: await createSample(store, { encryption: { kind: 'passphrase', passphrase: 'elsewhere' } }) };
  }

  it('imports a file: same id, same bytes, stored once; a second import gets an id of its own and adds nothing', async () => {
    const { path, id } = await exported();
    const to = await target();
    const first = await copy(await opened(path), to, id);
    expect(first).toMatchObject({ id, machineName: 'Front desk PC', createdAt: '2026-11-22T12:00:00.000Z' });
    expect(first.newBytes).toBeGreaterThan(400_000);
    expect((await readPoint(to.vault, id)).equals(content)).toBe(true);
    const second = await copy(await opened(path), to, id);
    expect(second.id).not.toBe(id);
    expect(second.newBytes).toBe(0);
    expect((await readPoint(to.vault, second.id)).equals(content)).toBe(true);
    expect((await to.vault.verify({ level: 'content' })).damaged).toEqual([]);
    expect((await to.vault.openPoint(id)).body.warnings).toEqual(['a warning']);
  });

  it('finds what the vault has from its own backups', async () => {
    const to = await target();
    await writePoint(to.vault, to.store, content);
    const { path, id } = await exported();
    expect((await copy(await opened(path), to, id)).newBytes).toBe(0);
  });

  it('gives an id that was removed here on purpose to nobody', async () => {
    const { path, id } = await exported();
    const to = await target();
    await copy(await opened(path), to, id);
    await to.vault.removePoint(id);
    expect((await copy(await opened(path), to, id)).id).not.toBe(id);
  });

  it('of a damaged point makes no point', async () => {
    const { vault, store, id } = await sample();
    for await (const { name } of store.list('packs/')) await store.remove(name);
    const to = await target();
    const from = await openAgain(vault, store);
    expect(['CHUNK_MISSING', 'VAULT_OBJECT_MISSING']).toContain(await codeOf(copy(from, to, id)));
    expect((await to.vault.listPoints()).points).toEqual([]);
  });
});
