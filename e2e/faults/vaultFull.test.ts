/** No room where the vault lies: VAULT_FULL, earlier points intact, and when there is room again the run goes on with what it stored. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { canLoop, run, withLoop, withMount } from '../images/tools.ts';
import { cliJson } from '../roundtrip/cli.ts';
import { failing, failureCode, type LabDisk, MIB, makeLabDisk, objectsOf, planHash, usedHash, verify } from './lab.ts';

const backupShape = z.object({ pointId: z.string(), usedBytes: z.number(), storedBytes: z.number() });
const pointsShape = z.array(z.object({ id: z.string() }));

describe.skipIf(!canLoop && !process.env.CI)('a full vault (needs root for mounts)', () => {
  let folder: string;
  let small: LabDisk;
  let big: LabDisk;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'diskfleet-full-'));
    small = await makeLabDisk(join(folder, 'small.img'), { sizeMib: 12, mediaMib: 3, seed: 'small' });
    big = await makeLabDisk(join(folder, 'big.img'), { sizeMib: 60, mediaMib: 40, seed: 'big' });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const backup = (disk: LabDisk, vault: string) => ['backup', 'disk', disk.path, '--vault', vault];
  const points = async (vault: string) => pointsShape.parse(await cliJson(['points', '--vault', vault])).map((point) => point.id);

  async function restoresExactly(vault: string, point: string, disk: LabDisk): Promise<void> {
    const target = join(folder, 'restored.img');
    await cliJson(['restore', point, '--to', target, '--vault', vault, '--confirm', await planHash(vault, point, target)]);
    expect(await usedHash(target)).toBe(await usedHash(disk.path));
    await rm(target);
  }

  /** Backs up what does not fit, twice; `makeRoom` then, and all must be well. */
  async function fillAndRecover(vault: string, makeRoom: () => Promise<unknown>): Promise<void> {
    await cliJson(['vault', 'create', vault]);
    const first = backupShape.parse(await cliJson(backup(small, vault)));
    const packed = () => objectsOf(vault, 'packs/').reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const before = packed();
    for (let attempt = 0; attempt < 2; attempt++) {
      const { code, message } = await failing(backup(big, vault), { exitCode: 1 });
      expect([code, message]).toEqual(['VAULT_FULL', expect.stringContaining('no space is left')]);
    }
    const leftBehind = packed() - before;
    expect(await points(vault)).toEqual([first.pointId]);
    expect((await verify(vault, 'content')).damaged).toEqual([]);
    await restoresExactly(vault, first.pointId, small);
    await makeRoom();
    const second = backupShape.parse(await cliJson(backup(big, vault)));
    expect(await points(vault)).toEqual([second.pointId, first.pointId]);
    expect((await verify(vault, 'content')).damaged).toEqual([]);
    await restoresExactly(vault, second.pointId, big);
    // The guidance says that what was stored is reused: all of it.
    expect(second.storedBytes).toBeLessThan(second.usedBytes - leftBehind + MIB);
  }

  test('on a tmpfs that is enlarged', async () => {
    const mount = join(folder, 'tmpfs');
    mkdirSync(mount);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=30m', 'tmpfs', mount]);
    try {
      await fillAndRecover(join(mount, 'vault'), () => run('mount', ['-o', 'remount,size=96m', mount]));
    } finally {
      await run('umount', [mount]);
    }
  });

  test('on an ext4 that another file filled to the last block', async () => {
    const image = join(folder, 'vault.ext4');
    await run('truncate', ['-s', '96M', image]);
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    await withLoop(image, null, (device) =>
      withMount(device, 'ext4', 'nodiscard', async (mount) => {
        const vault = join(mount, 'vault');
        await cliJson(['vault', 'create', vault]);
        const first = backupShape.parse(await cliJson(backup(small, vault)));
        await run('dd', ['if=/dev/zero', `of=${mount}/filler`, 'bs=64K'], { okCodes: [1] });
        expect(await failureCode(backup(big, vault), 1)).toBe('VAULT_FULL');
        expect((await verify(vault, 'content')).damaged).toEqual([]);
        await restoresExactly(vault, first.pointId, small);
        await rm(join(mount, 'filler'));
        const second = backupShape.parse(await cliJson(backup(big, vault)));
        expect((await verify(vault, 'content')).damaged).toEqual([]);
        expect(await points(vault)).toEqual([second.pointId, first.pointId]);
      }),
    );
  });

  test('no room for the restored file is DISK_FULL, and the vault is not blamed', async () => {
    const vault = join(folder, 'roomy');
    await cliJson(['vault', 'create', vault]);
    const { pointId } = backupShape.parse(await cliJson(backup(small, vault)));
    const mount = join(folder, 'little');
    mkdirSync(mount);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
    try {
      const target = join(mount, 'target.img');
      const confirm = await planHash(vault, pointId, target);
      const restore = ['restore', pointId, '--to', target, '--vault', vault, '--confirm', confirm];
      expect(await failureCode(restore, 1)).toBe('DISK_FULL');
    } finally {
      await run('umount', [mount]);
    }
  });
});
