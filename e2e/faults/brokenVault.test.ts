/**
 * Bit flips, truncation, lost objects: `verify` names the object, the points and the device ranges; reading hurt data is a coded
 * error and never wrong bytes; what is not hurt restores exactly; a new backup heals what it can. DISKFLEET_FAULT_SEED replays a run.
 */
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDevice, readBytes } from '@diskfleet/disk';
import { openVault } from '@diskfleet/vault';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { seeded } from '../images/content.ts';
import { cli, cliJson } from '../roundtrip/cli.ts';
import {
  catBytes,
  copyVault,
  damageObject,
  failing,
  failureCode,
  flipBit,
  hasNoTable,
  type LabDisk,
  MIB,
  makeLabDisk,
  objectsOf,
  occupiedTarget,
  planHash,
  usedHash,
  type VerifyDocument,
  verify,
} from './lab.ts';

const seed = process.env.DISKFLEET_FAULT_SEED ?? String(Date.now());
const passphrase = 'round trip';
const backupShape = z.object({ pointId: z.string(), newBytes: z.number(), storedBytes: z.number() });
const BIG_MIB = 32;

let folder: string;
let big: LabDisk;
let small: LabDisk;
/** Sound; every test breaks a copy. `big` is the first point, `small` the second, with packs of their own. */
let sound: string;
let bigPoint: string;
let smallPoint: string;
let bigPacks: { name: string; sizeBytes: number }[];
let copies = 0;

const backup = async (disk: LabDisk, vault: string) =>
  backupShape.parse(await cliJson(['backup', 'disk', disk.path, '--vault', vault, '--method', 'full']));
const fresh = () => copyVault(sound, join(folder, `vault-${copies++}`));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-faults-'));
  process.stdout.write(`seed ${seed}\n`);
  big = await makeLabDisk(join(folder, 'big.img'), { sizeMib: BIG_MIB, mediaMib: 17, seed: 'big' });
  small = await makeLabDisk(join(folder, 'small.img'), { sizeMib: 12, mediaMib: 3, seed: 'small' });
  sound = join(folder, 'sound');
  await cliJson(['vault', 'create', sound]);
  bigPoint = (await backup(big, sound)).pointId;
  bigPacks = objectsOf(sound, 'packs/');
  smallPoint = (await backup(small, sound)).pointId;
  expect(bigPacks.length).toBeGreaterThan(2);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function restoresExactly(vault: string, point: string, disk: LabDisk): Promise<void> {
  const target = join(folder, `restored-${copies++}.img`);
  const confirm = await planHash(vault, point, target);
  await cliJson(['restore', point, '--to', target, '--vault', vault, '--confirm', confirm]);
  expect(await usedHash(target)).toBe(await usedHash(disk.path));
  rmSync(target);
}

/** A restore of hurt data over a disk with a table of its own: fails by name and leaves no table. */
async function restoreFails(vault: string, point: string, allowed: RegExp): Promise<void> {
  const target = occupiedTarget(join(folder, `occupied-${copies++}.img`), small, BIG_MIB);
  expect(await hasNoTable(target)).toBe(false);
  const before = readFileSync(target);
  const planned = await cli(['restore', point, '--to', target, '--vault', vault, '--plan-only', '--json']);
  if (planned.exitCode !== 0) {
    // Not even the plan could be made: then nothing may have been written.
    const { error } = z.object({ error: z.object({ code: z.string() }) }).parse(JSON.parse(planned.stdout));
    expect(error.code).toMatch(allowed);
    expect(readFileSync(target).equals(before)).toBe(true);
  } else {
    const confirm = z.object({ planHash: z.string() }).parse(JSON.parse(planned.stdout)).planHash;
    const code = await failureCode(['restore', point, '--to', target, '--vault', vault, '--confirm', confirm], 1);
    expect(code).toMatch(allowed);
    expect(await hasNoTable(target)).toBe(true);
  }
  rmSync(target);
}

/** `get` gives the file or nothing under its name; `cat` gives the beginning of its true content, all of it only with exit code 0. */
async function getIsHonest(vault: string, point: string, [name, content]: readonly [string, Buffer]): Promise<void> {
  const printed = await catBytes(vault, point, name);
  expect(content.subarray(0, printed.bytes.length).equals(printed.bytes)).toBe(true);
  expect(printed.exitCode === 0).toBe(printed.bytes.length === content.length);
  const out = join(folder, `got-${copies++}`);
  const { exitCode, stderr } = await cli(['explore', point, 'get', `/1/${name}`, out, '--vault', vault]);
  expect(exitCode, stderr).toBe(printed.exitCode);
  if (exitCode === 0) {
    expect(readFileSync(out).equals(content)).toBe(true);
    rmSync(out);
    return;
  }
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/CHUNK_DAMAGED|CHUNK_MISSING|POINT_DAMAGED/);
  expect(existsSync(out), 'nothing under the name of the file').toBe(false);
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function rangesOf(report: VerifyDocument, point: string): Range[] {
  return report.damaged
    .filter((damage) => damage.points.includes(point))
    .flatMap((damage) => damage.paths)
    .map((path) => /^disk 0 bytes (\d+)-(\d+)$/.exec(path))
    .map((match) => ({ from: Number(match?.[1] ?? -1), to: Number(match?.[2] ?? -1) }));
}

/** Reads the saved disk piece by piece: exactly the pieces that touch a named range fail, all others equal the source. */
async function namedRangesAreExact(vault: string, report: VerifyDocument): Promise<void> {
  const ranges = rangesOf(report, bigPoint);
  const opened = await openVault({ kind: 'directory', path: vault }, { kind: 'passphrase', passphrase });
  const saved = await (await opened.openPoint(bigPoint)).openDisk(0);
  const source = await openFileDevice(big.path);
  const piece = 64 * 1024;
  let failed = 0;
  for await (const entry of saved.mapEntries()) {
    if (entry.kind !== 'data') continue;
    for (let done = 0; done < entry.lengthBytes; done += piece) {
      const [from, length] = [entry.offsetBytes + done, Math.min(piece, entry.lengthBytes - done)];
      const hurt = ranges.some((range) => range.from < from + length && from < range.to);
      const got = await readBytes(saved, from, length).catch((error: unknown) => error);
      if (hurt) {
        failed++;
        expect(got, `bytes ${from}`).toMatchObject({ code: 'CHUNK_DAMAGED' });
      } else {
        expect(got instanceof Buffer && got.equals(await readBytes(source, from, length)), `bytes ${from}`).toBe(true);
      }
    }
  }
  expect(failed).toBeGreaterThan(0);
  await source.close();
  await saved.close();
  await opened.close();
}

describe.concurrent('one flipped bit in a pack', () => {
  const places: [string, (size: number) => number][] = [
    ['in the pack header', () => 40],
    ['in the first record header', () => 128 + 24],
    ['in the first payload', () => 128 + 80 + 1000],
    ['in the trailer', (size) => size - 64 - 30],
    ...[1, 2].map((index): [string, (size: number) => number] => [
      `at random place ${index} of seed ${seed}`,
      (size) => Math.floor(seeded(`${seed}-${index}`)() * size),
    ]),
  ];

  test.each(places)('%s is named, and nothing wrong comes out', async (_name, place) => {
    const vault = fresh();
    const pack = bigPacks[0] ?? { name: '', sizeBytes: 0 };
    const at = place(pack.sizeBytes);
    damageObject(vault, pack.name, flipBit(at, at % 8));
    const report = await verify(vault, 'data');
    expect(report.damaged.map((damage) => damage.object)).toEqual([pack.name]);
    const hurt = report.damaged[0]?.points ?? [];
    expect(hurt.filter((point) => point !== bigPoint)).toEqual([]);
    if (hurt.length > 0) {
      expect(rangesOf(report, bigPoint).every(({ from, to }) => from >= 0 && to > from && to <= BIG_MIB * MIB)).toBe(true);
      expect(rangesOf(report, bigPoint).length).toBeGreaterThan(0);
      await restoreFails(vault, bigPoint, /^CHUNK_DAMAGED$/);
      await getIsHonest(vault, bigPoint, ['media.bin', big.files.get('media.bin') ?? Buffer.alloc(0)]);
    } else {
      // Only what a rebuild of the index would need is hurt.
      expect(at).toBeGreaterThan(pack.sizeBytes * 0.9);
      await restoresExactly(vault, bigPoint, big);
    }
  });

  test('the named ranges are exactly the bytes that cannot be read', async () => {
    const vault = fresh();
    const pack = bigPacks[0] ?? { name: '', sizeBytes: 0 };
    damageObject(vault, pack.name, flipBit(Math.floor(pack.sizeBytes / 2)));
    const report = await verify(vault, 'content');
    expect(report.damaged.map((damage) => [damage.object, damage.points])).toEqual([[pack.name, [bigPoint]]]);
    await namedRangesAreExact(vault, report);
    await restoresExactly(vault, smallPoint, small);
  });

  test('in a pack of maps hurts the points that need it and no other', async () => {
    const vault = fresh();
    const maps = bigPacks.at(-1) ?? { name: '', sizeBytes: 0 };
    damageObject(vault, maps.name, flipBit(128 + 80 + 5));
    const report = await verify(vault, 'content');
    expect(report.damaged.map((damage) => [damage.object, damage.points])).toEqual([[maps.name, [bigPoint]]]);
    await restoreFails(vault, bigPoint, /^(CHUNK_DAMAGED|POINT_DAMAGED)$/);
    await restoresExactly(vault, smallPoint, small);
  });
});

describe.concurrent('a pack that is short or gone', () => {
  const hurts: [string, (bytes: Buffer) => Buffer | null, RegExp][] = [
    ['truncated', (bytes) => bytes.subarray(0, bytes.length - 100_000), /^(CHUNK_DAMAGED|CHUNK_MISSING)$/],
    ['missing', () => null, /^(CHUNK_DAMAGED|CHUNK_MISSING)$/],
  ];

  test.each(hurts)('%s: found by the quick check, healed by the next backup', async (_name, change, codes) => {
    const vault = fresh();
    const pack = bigPacks[0] ?? { name: '', sizeBytes: 0 };
    damageObject(vault, pack.name, change);
    const report = await verify(vault, 'structure');
    expect(report.damaged.map((damage) => [damage.object, damage.points])).toEqual([[pack.name, [bigPoint]]]);
    expect(rangesOf(report, bigPoint).length).toBeGreaterThan(0);
    await restoreFails(vault, bigPoint, codes);
    const healing = await backup(big, vault);
    expect(healing.newBytes).toBeGreaterThan(1 * MIB);
    await restoresExactly(vault, healing.pointId, big);
    await restoresExactly(vault, bigPoint, big);
    const after = await verify(vault, 'structure');
    expect(after.damaged.filter((damage) => damage.points.length > 0)).toEqual([]);
  });
});

test.concurrent('a pack with a wrong byte is healed by a backup once it is taken away', async () => {
  const vault = fresh();
  const pack = bigPacks[0] ?? { name: '', sizeBytes: 0 };
  damageObject(vault, pack.name, flipBit(200_000));
  expect((await verify(vault, 'data')).damaged.map((damage) => damage.object)).toEqual([pack.name]);
  damageObject(vault, pack.name, () => null);
  const healing = await backup(big, vault);
  await restoresExactly(vault, healing.pointId, big);
  await restoresExactly(vault, bigPoint, big);
});

test.concurrent('an unencrypted vault, where the same data gives the same pack, heals too', async () => {
  const vault = join(folder, 'open');
  await cliJson(['vault', 'create', vault, '--unencrypted']);
  const first = await backup(small, vault);
  const pack = objectsOf(vault, 'packs/')[0]?.name ?? '';
  damageObject(vault, pack, (bytes) => bytes.subarray(0, bytes.length - 1000));
  expect((await verify(vault, 'structure')).damaged.map((damage) => damage.object)).toContain(pack);
  const healing = await backup(small, vault);
  await restoresExactly(vault, healing.pointId, small);
  await restoresExactly(vault, first.pointId, small);
});

describe.concurrent('index, manifest, config, keys', () => {
  test('a missing index segment: its chunks are named with the points, and the next backup brings them back', async () => {
    const vault = fresh();
    const segments = objectsOf(vault, 'index/');
    damageObject(vault, segments[0]?.name ?? '', () => null);
    const report = await verify(vault, 'structure');
    expect([...new Set(report.damaged.flatMap((damage) => damage.points))]).toEqual([bigPoint]);
    expect(report.damaged.every((damage) => /^(chunk [0-9a-f]{64}|index\/)/.test(damage.object))).toBe(true);
    await restoreFails(vault, bigPoint, /^CHUNK_MISSING$/);
    const healing = await backup(big, vault);
    await restoresExactly(vault, healing.pointId, big);
  });

  test('a damaged index segment is named and left out', async () => {
    const vault = fresh();
    const segment = objectsOf(vault, 'index/')[0]?.name ?? '';
    damageObject(vault, segment, flipBit(500));
    const report = await verify(vault, 'structure');
    expect(report.damaged.map((damage) => damage.object)).toContain(segment);
    expect([...new Set(report.damaged.flatMap((damage) => damage.points))]).toEqual([bigPoint]);
    await restoreFails(vault, bigPoint, /^CHUNK_MISSING$/);
  });

  test('a damaged manifest is named with its point; it is never mistaken for an older one', async () => {
    const vault = fresh();
    const name = objectsOf(vault, 'points/').find((object) => object.name.includes(smallPoint))?.name ?? '';
    damageObject(vault, name, flipBit(-100));
    const report = await verify(vault, 'structure');
    expect(report.damaged.map((damage) => [damage.object, damage.points])).toEqual([[name, [smallPoint]]]);
    const listed = await cli(['points', '--vault', vault, '--json']);
    expect(listed.exitCode).toBe(3);
    expect(listed.stdout).not.toContain(smallPoint);
    expect(listed.stdout).toContain(bigPoint);
    const target = join(folder, 'never.img');
    const restore = (point: string) => failing(['restore', point, '--to', target, '--vault', vault], { exitCode: 1 });
    expect(await restore(smallPoint)).toMatchObject({ code: 'POINT_DAMAGED', message: expect.stringContaining(name) });
    // The newest point is the damaged one: taking the next older in silence would restore another state than asked for.
    expect(await restore('latest')).toMatchObject({ code: 'POINT_DAMAGED', message: expect.stringContaining(name) });
    expect(existsSync(target)).toBe(false);
  });

  test('a missing manifest: that point is gone, the others stay', async () => {
    const vault = fresh();
    const name = objectsOf(vault, 'points/').find((object) => object.name.includes(smallPoint))?.name ?? '';
    damageObject(vault, name, () => null);
    expect(await failureCode(['explore', smallPoint, 'ls', '/', '--vault', vault], 1)).toBe('POINT_NOT_FOUND');
    expect((await verify(vault, 'content')).damaged).toEqual([]);
  });

  test('a manifest moved to another name is refused', async () => {
    const vault = fresh();
    const [first, second] = objectsOf(vault, 'points/').map((object) => object.name);
    const bytes = readFileSync(join(vault, first ?? ''));
    damageObject(vault, second ?? '', () => bytes);
    expect((await verify(vault, 'structure')).damaged.map((damage) => damage.object)).toEqual([second]);
  });

  const commands: [string, (vault: string) => string[]][] = [
    ['verify', (vault) => ['verify', '--vault', vault]],
    ['points', (vault) => ['points', '--vault', vault]],
    ['backup', (vault) => ['backup', 'disk', small.path, '--vault', vault]],
    ['restore', (vault) => ['restore', 'latest', '--to', join(folder, 'never.img'), '--vault', vault]],
  ];
  test('a damaged config is named by every command; nothing is opened by guess', async () => {
    const vault = fresh();
    damageObject(vault, 'config', flipBit(60));
    for (const [name, args] of commands) {
      const { code, message } = await failing(args(vault), { exitCode: 1 });
      expect([name, code]).toEqual([name, 'VAULT_DAMAGED']);
      expect(message).toContain('config');
    }
    copyFileSync(join(sound, 'config'), join(vault, 'config'));
  });

  test('a missing config says there is no vault; putting it back is enough', async () => {
    const vault = fresh();
    damageObject(vault, 'config', () => null);
    expect(await failureCode(['points', '--vault', vault], 1)).toBe('VAULT_NOT_FOUND');
    // Making a vault over the remains would cut off what they still hold.
    expect(await failureCode(['vault', 'create', vault], 1)).toBe('VAULT_EXISTS');
    copyFileSync(join(sound, 'config'), join(vault, 'config'));
    expect((await verify(vault, 'data')).damaged).toEqual([]);
  });

  test('a damaged key object is named, and is not called a wrong passphrase', async () => {
    const vault = fresh();
    const name = objectsOf(vault, 'keys/')[0]?.name ?? '';
    damageObject(vault, name, flipBit(-200));
    const { code, message } = await failing(['explore', bigPoint, 'ls', '/', '--vault', vault], { exitCode: 1 });
    expect(code).toBe('VAULT_DAMAGED');
    expect(message).toContain(name);
  });
});
