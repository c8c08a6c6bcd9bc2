import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStore } from './openStore.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'diskfleet-heal-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

const named = (bytes: Buffer) => `packs/00/${createHash('sha256').update(bytes).digest('hex')}`;

it.each([
  ['cut short', (file: string) => truncate(file, 100)],
  ['changed', (file: string) => writeFile(file, randomBytes(5000))],
  ['emptied', (file: string) => truncate(file, 0)],
])('[F19] a pack that was %s is replaced by whoever brings the right bytes', async (_name, damage) => {
  const store = await openStore({ kind: 'directory', path });
  const bytes = randomBytes(5000);
  expect(await store.put(named(bytes), bytes)).toBe('stored');
  await damage(join(path, named(bytes)));
  expect(await store.put(named(bytes), bytes)).toBe('stored');
  expect((await store.get(named(bytes))).equals(bytes)).toBe(true);
  expect(await store.put(named(bytes), bytes)).toBe('exists');
  expect(await readdir(join(path, 'tmp'))).toEqual([]);
});

it('[F19] never replaces an object by bytes that are not those of its name, nor one that is not named by its bytes', async () => {
  const store = await openStore({ kind: 'directory', path });
  const bytes = randomBytes(5000);
  await store.put(named(bytes), bytes);
  expect(await store.put(named(bytes), randomBytes(5000))).toBe('exists');
  expect((await store.get(named(bytes))).equals(bytes)).toBe(true);
  await store.put('points/a/b/c', bytes);
  expect(await store.put('points/a/b/c', randomBytes(10))).toBe('exists');
});
