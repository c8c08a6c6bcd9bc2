/** Wrong inputs of the command: each is a coded error with guidance and the right exit code, and nothing is lost. */

import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { canLoop, run, withLoop, withMount } from '../images/tools.ts';
import { cli, cliJson } from '../roundtrip/cli.ts';
import {
  copyVault,
  damageObject,
  failing,
  failureCode,
  fileHash,
  type LabDisk,
  MIB,
  makeLabDisk,
  objectsOf,
  planHash,
  usedHash,
} from './lab.ts';

let folder: string;
let disk: LabDisk;
let other: LabDisk;
let vault: string;
let point: string;
/** Every object of the vault with its hash: nothing in this file may change it. */
let vaultBefore: string[];

const snapshot = (path: string) =>
  objectsOf(path, '')
    .map(({ name }) => `${name} ${fileHash(join(path, name))}`)
    .sort();
const restoreTo = (target: string, ...more: string[]) => ['restore', point, '--to', target, '--vault', vault, ...more];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-wrong-'));
  disk = await makeLabDisk(join(folder, 'disk.img'), { sizeMib: 16, mediaMib: 2, seed: 'disk' });
  other = await makeLabDisk(join(folder, 'other.img'), { sizeMib: 16, mediaMib: 1, seed: 'other' });
  vault = join(folder, 'vault');
  await cliJson(['vault', 'create', vault]);
  point = z.object({ pointId: z.string() }).parse(await cliJson(['backup', 'disk', disk.path, '--vault', vault])).pointId;
  vaultBefore = snapshot(vault);
});
afterAll(async () => {
  expect(snapshot(vault)).toEqual(vaultBefore);
  await rm(folder, { recursive: true, force: true });
});

describe('sources and places that are not there', () => {
  const missing: [string, () => string[], string][] = [
    ['no such disk to back up', () => ['backup', 'disk', join(folder, 'none.img'), '--vault', vault], 'DISK_NOT_FOUND'],
    ['no such block device', () => ['backup', 'disk', '/dev/diskfleet-none', '--vault', vault], 'DISK_NOT_FOUND'],
    ['a folder where a disk is wanted', () => ['backup', 'disk', folder, '--vault', vault], 'DISK_WRONG_KIND'],
    ['no such disk to inspect', () => ['inspect', join(folder, 'none.img')], 'DISK_NOT_FOUND'],
    ['no such device to restore to', () => restoreTo('/dev/diskfleet-none', '--plan-only'), 'DISK_NOT_FOUND'],
    ['no folder for the target file', () => restoreTo(join(folder, 'none', 'new.img'), '--plan-only'), 'DISK_NOT_FOUND'],
    ['no vault folder', () => ['points', '--vault', join(folder, 'none')], 'VAULT_NOT_FOUND'],
    ['a folder that is no vault', () => ['points', '--vault', folder], 'VAULT_NOT_FOUND'],
    ['a file that is no vault', () => ['points', '--vault', disk.path], 'VAULT_NOT_FOUND'],
    ['an unknown point', () => ['explore', 'f'.repeat(32), 'ls', '/', '--vault', vault], 'POINT_NOT_FOUND'],
    [
      'an unknown beginning of a point',
      () => ['restore', 'ffffff', '--to', join(folder, 'new.img'), '--vault', vault],
      'POINT_NOT_FOUND',
    ],
    ['a disk the point has not', () => restoreTo(join(folder, 'new.img'), '--disk', '3', '--plan-only'), 'DISK_NOT_IN_POINT'],
    ['a partition the image has not', () => ['explore', point, 'ls', '/9', '--vault', vault], 'PARTITION_NOT_FOUND'],
    ['a path the image has not', () => ['explore', point, 'ls', '/1/none', '--vault', vault], 'PATH_NOT_FOUND'],
    ['a file to get that is not there', () => ['explore', point, 'get', '/1/none', folder, '--vault', vault], 'PATH_NOT_FOUND'],
    ['a path that climbs out', () => ['explore', point, 'stat', '/1/../../etc/passwd', '--vault', vault], 'PATH_NOT_FOUND'],
    ['a path below a file', () => ['explore', point, 'ls', '/1/media.bin/x', '--vault', vault], 'FS_NOT_A_DIRECTORY'],
    [
      'a passphrase file that is not there',
      () => ['points', '--vault', vault, '--passphrase-file', join(folder, 'none')],
      'INVALID_INPUT',
    ],
  ];
  test.concurrent.each(missing)('%s', async (_name, args, code) => {
    expect(await failureCode(args(), 1)).toBe(code);
  });
  test('none of them made anything', () => {
    expect(readdirSync(folder).sort()).toEqual(['disk.img', 'other.img', 'vault']);
  });
});

describe.concurrent('usage', () => {
  const wrong: [string, string[]][] = [
    ['an unknown command', ['dance']],
    ['an unknown option', ['points', '--vault', 'v', '--loud']],
    ['a method that is none', ['backup', 'disk', 'a', '--vault', 'v', '--method', 'sideways']],
    ['a disk number that is none', ['restore', 'latest', '--to', 'x', '--disk', '-1', '--vault', 'v']],
  ];
  test.each(wrong)('%s exits 2 and says what was not understood', async (_name, args) => {
    expect(await failureCode(args, 2)).toBe('USAGE');
  });
});

describe.concurrent('vaults that must not be opened or made', () => {
  test('a wrong passphrase, and none where nobody can be asked', async () => {
    const list = ['explore', point, 'ls', '/', '--vault', vault];
    expect(await failureCode(list, 1, { DISKFLEET_PASSPHRASE: 'Round Trip' })).toBe('VAULT_WRONG_PASSPHRASE');
    const target = join(folder, 'new.img');
    expect(await failureCode(restoreTo(target), 1, { DISKFLEET_PASSPHRASE: 'wrong' })).toBe('VAULT_WRONG_PASSPHRASE');
    expect(await failureCode(['backup', 'disk', disk.path, '--vault', vault], 1, { DISKFLEET_PASSPHRASE: 'wrong' })).toBe(
      'VAULT_WRONG_PASSPHRASE',
    );
    expect(await failureCode(list, 1, { DISKFLEET_PASSPHRASE: '' })).toBe('INVALID_INPUT');
  });

  test('a vault from the future names both versions and is left alone', async () => {
    const future = copyVault(vault, join(folder, 'future'));
    damageObject(future, 'config', (bytes) => {
      const [line = ''] = bytes.toString('utf8').split('\n');
      const newer = `${line.replace('"formatVersion":1', '"formatVersion":7')}\n`;
      expect(newer).toContain('"formatVersion":7');
      return Buffer.from(`${newer}${createHash('sha256').update(newer).digest('hex')}\n`);
    });
    const before = snapshot(future);
    for (const args of [
      ['points'],
      ['verify'],
      ['backup', 'disk', disk.path],
      ['restore', point, '--to', join(folder, 'new.img')],
    ]) {
      const { code, message } = await failing([...args, '--vault', future], { exitCode: 1 });
      expect([args[0], code]).toEqual([args[0], 'VAULT_TOO_NEW']);
      expect(message).toMatch(/version 7.*version 1/);
    }
    expect(snapshot(future)).toEqual(before);
  });

  test('making a vault where one is, among other files, or on a file', async () => {
    expect(await failureCode(['vault', 'create', vault], 1)).toBe('VAULT_EXISTS');
    const home = join(folder, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'letter.txt'), 'dear');
    const { code, message } = await failing(['vault', 'create', home], { exitCode: 1 });
    expect([code, message]).toEqual(['INVALID_INPUT', expect.stringContaining('letter.txt')]);
    expect(readdirSync(home)).toEqual(['letter.txt']);
    const before = fileHash(disk.path);
    expect(await failureCode(['vault', 'create', disk.path], 1)).toBe('INVALID_INPUT');
    expect(fileHash(disk.path)).toBe(before);
  });
});

describe.concurrent('targets', () => {
  /** A target with data of its own that must be the same afterwards. */
  async function untouched(target: string, act: () => Promise<void>): Promise<void> {
    const before = fileHash(target);
    await act();
    expect(fileHash(target)).toBe(before);
  }

  test('no confirmation: exit 4, the plan beside the error, nothing written', async () => {
    const target = join(folder, 'unconfirmed.img');
    copyFileSync(other.path, target);
    await untouched(target, async () => {
      const { code, document } = await failing(restoreTo(target), { exitCode: 4 });
      expect(code).toBe('PLAN_NOT_CONFIRMED');
      const plan = z.object({ planHash: z.string(), losses: z.array(z.object({ label: z.string() })) }).parse(document.plan);
      expect(plan.losses.map((loss) => loss.label)).toEqual(['other']);
      expect(plan.planHash).toBe(await planHash(vault, point, target));
    });
  });

  test('smaller than needed: says how much is missing', async () => {
    const target = join(folder, 'tiny.img');
    closeSync(openSync(target, 'w'));
    truncateSync(target, 8 * MIB);
    await untouched(target, async () => {
      const plan = z
        .object({ fits: z.boolean(), planHash: z.string(), reasons: z.array(z.object({ code: z.string(), text: z.string() })) })
        .parse(await cliJson(restoreTo(target, '--plan-only')));
      expect([plan.fits, plan.reasons.map((reason) => reason.code)]).toEqual([false, ['TARGET_TOO_SMALL']]);
      const { code, message } = await failing(restoreTo(target, '--confirm', plan.planHash), { exitCode: 1 });
      expect(code).toBe('PLAN_DOES_NOT_FIT');
      expect(message).toMatch(/8 MiB; [\d.]+ [KMG]iB are needed \(\d+ bytes more\)/);
    });
  });

  test('changed since the plan: refused, whatever the change was', async () => {
    const target = join(folder, 'changed.img');
    copyFileSync(other.path, target);
    const confirm = await planHash(vault, point, target);
    await run('sgdisk', ['-c', '1:payroll', target]);
    await untouched(target, async () => {
      expect(await failureCode(restoreTo(target, '--confirm', confirm), 4)).toMatch(/^(PLAN_CHANGED|TARGET_CHANGED)$/);
    });
    truncateSync(target, 20 * MIB);
    await untouched(target, async () => {
      expect(await failureCode(restoreTo(target, '--confirm', confirm), 4)).toMatch(/^(PLAN_CHANGED|TARGET_CHANGED)$/);
    });
    // A plan for a file that was not there is not one for the file somebody made since.
    const made = join(folder, 'made.img');
    const forNew = await planHash(vault, point, made);
    copyFileSync(other.path, made);
    await untouched(made, async () => {
      expect(await failureCode(restoreTo(made, '--confirm', forNew), 4)).toMatch(/^(PLAN_CHANGED|TARGET_CHANGED)$/);
    });
  });

  test('a hash of another plan, and one that is none', async () => {
    const target = join(folder, 'hash.img');
    copyFileSync(other.path, target);
    await untouched(target, async () => {
      const elsewhere = await planHash(vault, point, join(folder, 'elsewhere.img'));
      for (const hash of [elsewhere, 'yes', ''])
        expect(await failureCode(restoreTo(target, '--confirm', hash), 4)).toBe('PLAN_CHANGED');
    });
  });

  test('the vault itself is no target, neither a pack of it nor a new file in it', async () => {
    const pack = join(vault, objectsOf(vault, 'packs/')[0]?.name ?? '');
    for (const target of [pack, join(vault, 'new.img'), join(vault, '..', 'vault', 'points', 'new.img')]) {
      expect(await failureCode(restoreTo(target), 4)).toBe('TARGET_IS_SOURCE');
    }
  });

  test('a target that cannot be a disk', async () => {
    expect(await failureCode(restoreTo('/dev/null'), 1)).toBe('DISK_WRONG_KIND');
    expect(await failureCode(restoreTo(folder), 1)).toBe('DISK_WRONG_KIND');
  });

  test.skipIf(!canLoop && !process.env.CI)(
    'mounted, or held by a loop device (needs root): refused with its mount point',
    async () => {
      const target = join(folder, 'mounted.img');
      copyFileSync(other.path, target);
      const window = { offsetBytes: MIB, sizeBytes: 14 * MIB };
      const confirm = await planHash(vault, point, target);
      await withLoop(target, window, async (device) => {
        expect(await failureCode(restoreTo(target, '--confirm', confirm), 4)).toBe('TARGET_IN_USE');
        await withMount(device, 'ext4', 'nodiscard', async (mount) => {
          for (const path of [target, device]) {
            const { code, message } = await failing(restoreTo(path), { exitCode: 4 });
            expect(code).toBe('TARGET_IN_USE');
            expect(message).toContain(mount);
          }
          // The mounted file system is alive and whole.
          expect(readFileSync(join(mount, 'small/f3.bin')).equals(other.files.get('small/f3.bin') ?? Buffer.alloc(0))).toBe(true);
        });
      });
      await run('e2fsck', ['-fn', `${target}?offset=${MIB}`]);
    },
  );

  test('after all of this the point restores as it was', async () => {
    const target = join(folder, 'last.img');
    const confirm = await planHash(vault, point, target);
    await cliJson(restoreTo(target, '--confirm', confirm));
    expect(await usedHash(target)).toBe(await usedHash(disk.path));
    rmSync(target);
  });
});

test('files are kept: existing ones by default, links in the way never followed', async () => {
  const to = join(folder, 'got');
  mkdirSync(to);
  writeFileSync(join(to, 'media.bin'), 'mine');
  const { exitCode, stdout } = await cli(['explore', point, 'get', '/1/media.bin', to, '--vault', vault, '--json']);
  expect(exitCode).toBe(3);
  expect(z.object({ skipped: z.number() }).parse(JSON.parse(stdout)).skipped).toBe(1);
  expect(readFileSync(join(to, 'media.bin'), 'utf8')).toBe('mine');
});
