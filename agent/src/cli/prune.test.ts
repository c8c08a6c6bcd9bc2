import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVault, openVault, type StoreConfig } from '@diskfleet/vault';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runHere, storeSmallPoint } from '../testing/smallVaults.ts';

const dayMs = 24 * 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const now = () => new Date(startMs + 30 * dayMs);

let path: string;
let config: StoreConfig;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'diskfleet-prune-'));
  config = { kind: 'directory', path };
  await (await createVault(config, { encryption: { kind: 'none' } })).close();
});
afterEach(() => rm(path, { recursive: true, force: true }));

/** Runs one command on this vault in this process, not at a terminal. */
const run = (...argv: string[]) => runHere([...argv, ...(argv[0] === 'scheme' ? [] : ['--vault', path])], { env: {}, now });

/** A point of 64 KiB that nothing else shares, received `day` days after the start. */
async function makePoint(day: number, method: 'full' | 'differential'): Promise<string> {
  const at = new Date(startMs + day * dayMs);
  const id = await storeSmallPoint(config, { fill: day + 1, at, method });
  for (const name of await readdir(path, { recursive: true })) {
    if (name.includes(id)) await utimes(join(path, name), at, at);
  }
  return id;
}

const pointsLeft = async () => {
  const vault = await openVault(config, { kind: 'none' });
  const { points } = await vault.listPoints();
  await vault.close();
  return points.map((point) => point.id);
};

/** All files look as if the vault had received them `days` earlier than it did. */
async function age(days: number, prefix: string): Promise<void> {
  const at = new Date(Date.now() - days * dayMs);
  for (const name of await readdir(join(path, prefix), { recursive: true })) await utimes(join(path, prefix, name), at, at);
}

describe('prune', () => {
  test('deletes by the rule, asks first, and only looks with --dry-run', async () => {
    const made = [await makePoint(0, 'full'), await makePoint(1, 'differential'), await makePoint(2, 'differential')];
    made.push(await makePoint(3, 'full'));
    expect((await run('prune', 'differential:3', '--dry-run')).text).toContain('1 point would be deleted.');
    expect(await pointsLeft()).toEqual(made);
    await expect(run('prune', 'differential:3')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--yes'),
    });
    expect(await pointsLeft()).toEqual(made);
    const { text, json } = await run('prune', 'differential:3', '--yes');
    expect(text).toContain('Deleted 1 point.');
    expect(json).toMatchObject({ dryRun: false, points: [{ action: 'keep' }, { id: made[1], action: 'delete' }, {}, {}] });
    expect(await pointsLeft()).toEqual([made[0], made[2], made[3]]);
  });

  test('goes by when the vault received the points, keeps pins, and never takes the newest', async () => {
    const made = [await makePoint(0, 'full'), await makePoint(1, 'full'), await makePoint(2, 'full')];
    await run('prune', 'time:7d', '--yes', '--pin', made[0]?.slice(0, 8) ?? '');
    expect(await pointsLeft()).toEqual([made[0], made[2]]);
    await expect(run('prune', 'time:7d', '--yes', '--pin', 'ffffffffffff')).rejects.toMatchObject({ code: 'POINT_NOT_FOUND' });
  });

  test('leaves a series alone whose clock has jumped', async () => {
    const made = [await makePoint(0, 'full'), await makePoint(1, 'full'), await makePoint(400, 'full')];
    expect((await run('prune', 'full:1', '--yes')).text).toContain('clock of the store has jumped');
    expect(await pointsLeft()).toEqual(made);
  });

  test.each(['', 'full', 'full:0', 'full:x', 'time:7', 'calendar:7x', 'space:5', 'space:5parsec', 'nonsense:3'])(
    'refuses "%s" as a rule',
    async (rule) => {
      await expect(run('prune', rule, '--dry-run')).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});

test('gc gives back the space of what prune deleted, a day later', async () => {
  await makePoint(0, 'full');
  await makePoint(1, 'full');
  await run('prune', 'full:1', '--yes');
  expect((await run('gc')).text).toBe('Nothing to give back.');
  await age(2, 'packs');
  const before = (await readdir(join(path, 'packs'), { recursive: true })).length;
  expect((await run('gc')).text).toMatch(/Marked \d packs? .*a run tomorrow removes/);
  expect((await run('gc')).text).toContain('less than a day ago');
  await age(2, 'gc');
  expect((await run('gc')).text).toMatch(/Removed \d packs?\./);
  expect((await readdir(join(path, 'packs'), { recursive: true })).length).toBeLessThan(before);
  expect((await run('verify', '--content')).text).toContain('no damage');
});

test('vault rebuild makes a lost index anew; verify --repair puts a damaged pack in quarantine', async () => {
  await makePoint(0, 'full');
  await rm(join(path, 'index'), { recursive: true });
  expect((await run('verify')).text).toContain('DAMAGE FOUND');
  expect((await run('vault', 'rebuild')).text).toContain('Listed 2 packs with 4 chunks anew.');
  expect((await run('verify', '--content')).text).toContain('no damage');
  const packs = (await readdir(join(path, 'packs'), { recursive: true })).filter((name) => name.length > 60);
  const hurt = join(path, 'packs', packs[0] ?? '');
  const bytes = await readFile(hurt);
  bytes[300] = (bytes[300] ?? 0) ^ 1;
  await writeFile(hurt, bytes);
  const result = await run('verify', '--data', '--repair');
  expect(result.failure?.code).toBe('VAULT_DAMAGED');
  expect(result.text).toContain('Put 1 pack in quarantine');
  expect((await readdir(join(path, 'gc'))).filter((name) => name.startsWith('quarantine-'))).toHaveLength(1);
});

test('scheme simulate tells the story of a rule', async () => {
  const argv = ['differential:3', '--full-every', '3', '--between', 'differential', '--runs', '6'];
  const { text, json } = await run('scheme', 'simulate', ...argv);
  expect(text).toMatch(/FULL2 +DIFF1/);
  expect(json).toMatchObject([{ made: 'FULL1' }, {}, {}, {}, {}, { made: 'DIFF4', deleted: [{ id: 'FULL1' }] }]);
  await expect(run('scheme', 'simulate', 'full:3', '--runs', '0')).rejects.toMatchObject({ code: 'USAGE' });
});
