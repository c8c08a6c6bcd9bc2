import { execFileSync } from 'node:child_process';
import { accessSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { bundleDiskfleet, removeBundle, runDiskfleet } from '../testing/runDiskfleet.ts';

const MIB = 1 << 20;
const tools = ['sgdisk', 'mke2fs', 'mkfs.fat', 'mkswap', 'e2fsck'];
const places = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];
const toolPath = (name: string) => places.map((place) => join(place, name)).find(exists);
const missing = tools.filter((name) => toolPath(name) === undefined);
const title = `kinds of backup${missing.length === 0 ? '' : ` (skipped: this machine lacks ${missing.join(', ')})`}`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

const partShape = z.object({ disk: z.string(), number: z.int(), why: z.string() });
const planShape = z.object({
  included: z.array(partShape),
  leftOut: z.array(partShape),
  includedBytes: z.int(),
  leftOutBytes: z.int(),
});
const madeShape = z.object({ pointId: z.string(), kind: z.string(), usedBytes: z.int() });
const restoreShape = z.object({
  planHash: z.string(),
  partitions: z.array(z.object({ number: z.int(), action: z.string() })),
  losses: z.array(z.object({ number: z.int().nullable() })),
});
const errorShape = z.object({ error: z.object({ code: z.string() }) });

/** ESP, root with a swap file and an fstab, /home on a partition of its own; all of them 1 MiB aligned. */
const esp = { startMib: 1, sizeMib: 34 };
const root = { startMib: 35, sizeMib: 24 };
const home = { startMib: 59, sizeMib: 12 };
const SWAP_BYTES = 4 * MIB;

describe.skipIf(missing.length > 0)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-kinds-'));
  const at = (name: string) => join(folder, name);
  const tool = (name: string, args: readonly string[]) => execFileSync(toolPath(name) ?? name, [...args], { stdio: 'pipe' });

  function put(name: string, content: string | Buffer): void {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), content);
  }

  async function run(...args: string[]) {
    return runDiskfleet([...args, '--json'], {
      cwd: folder,
      env: { DISKFLEET_AGENT_DATA: at('agent'), DISKFLEET_VAULT: at('vault') },
    });
  }

  async function made<T>(shape: z.ZodType<T>, ...args: string[]): Promise<T> {
    const ran = await run(...args);
    expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(0);
    return shape.parse(ran.json());
  }

  async function refused(...args: string[]): Promise<string> {
    const ran = await run(...args);
    expect(ran.code).not.toBe(0);
    return errorShape.parse(ran.json()).error.code;
  }

  function bytesOf(name: string, { startMib, sizeMib }: { startMib: number; sizeMib: number }): Buffer {
    return readFileSync(at(name)).subarray(startMib * MIB, (startMib + sizeMib) * MIB);
  }

  beforeAll(async () => {
    await bundleDiskfleet();
    put('rootTree/etc/os-release', 'NAME=Test');
    put('rootTree/etc/fstab', 'PARTLABEL=root / ext4 defaults 0 1\nPARTLABEL=home /home ext4 defaults 0 2\n');
    put('rootTree/swapfile', Buffer.alloc(SWAP_BYTES));
    tool('mkswap', [at('rootTree/swapfile')]);
    const swap = readFileSync(at('rootTree/swapfile'));
    for (let byte = 4096; byte < swap.length; byte++) swap[byte] = (byte * 2654435761) >>> 13;
    writeFileSync(at('rootTree/swapfile'), swap);
    put('homeTree/ada/letter.txt', 'dear');
    put('pc.img', '');
    truncateSync(at('pc.img'), 76 * MIB);
    const parts = [
      [esp, 'ef00', 'esp'],
      [root, '8300', 'root'],
      [home, '8300', 'home'],
    ] as const;
    const options = parts.flatMap(([{ startMib, sizeMib }, type, name], index) => {
      const number = index + 1;
      const place = `${number}:${startMib * 2048}:${(startMib + sizeMib) * 2048 - 1}`;
      return ['-n', place, '-t', `${number}:${type}`, '-c', `${number}:${name}`];
    });
    tool('sgdisk', ['-a', '1', ...options, at('pc.img')]);
    const disk = readFileSync(at('pc.img'));
    for (const [{ startMib, sizeMib }, , name] of parts) {
      put('volume', '');
      truncateSync(at('volume'), sizeMib * MIB);
      if (name === 'esp') tool('mkfs.fat', ['-F', '32', '-s', '1', at('volume')]);
      else tool('mke2fs', ['-q', '-t', 'ext4', '-d', at(`${name}Tree`), at('volume')]);
      readFileSync(at('volume')).copy(disk, startMib * MIB);
    }
    writeFileSync(at('pc.img'), disk);
    expect((await runDiskfleet(['vault', 'create', at('vault'), '--unencrypted'])).code).toBe(0);
  }, 120_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await removeBundle();
  });

  test('a system at rest: the plan says what is taken and left out and stores nothing', async () => {
    const plan = await made(planShape, 'backup', 'system', '--disk', 'pc.img', '--plan-only');
    expect(plan.included.map(({ number }) => number)).toEqual([1, 2]);
    expect(plan.leftOut).toMatchObject([{ disk: 'pc.img', number: 3, why: 'data: its system mounts it at /home' }]);
    expect(plan.includedBytes).toBeGreaterThan(plan.leftOutBytes);
    expect(await made(z.array(z.unknown()), 'points')).toEqual([]);
  });

  test('a system goes back over a disk whose /home has changed, and /home stays', async () => {
    const { pointId, kind } = await made(madeShape.and(planShape), 'backup', 'system', '--disk', 'pc.img');
    expect(kind).toBe('system');
    const point = z.array(z.object({ id: z.string(), source: z.string(), kind: z.string() }));
    expect(await made(point, 'points')).toMatchObject([{ id: pointId, source: 'system:pc.img', kind: 'system' }]);
    copyFileSync(at('pc.img'), at('target.img'));
    const bytes = readFileSync(at('target.img'));
    // The system is broken, and people have gone on working.
    bytes.fill(0xee, root.startMib * MIB, root.startMib * MIB + 4 * MIB);
    bytes.fill(0xaa, (home.startMib + 6) * MIB, (home.startMib + home.sizeMib) * MIB);
    writeFileSync(at('target.img'), bytes);
    const plan = await made(restoreShape, 'restore', pointId, '--to', 'target.img', '--plan-only');
    expect(plan.partitions.map(({ action }) => action)).toEqual(['overwrite', 'overwrite', 'keep']);
    expect(plan.losses.map(({ number }) => number)).toEqual([1, 2]);
    const ran = await run('restore', pointId, '--to', 'target.img', '--confirm', plan.planHash, '--compare-all');
    expect(ran.code, ran.stderr).toBe(3);
    expect(bytesOf('target.img', home).equals(bytes.subarray(home.startMib * MIB, (home.startMib + home.sizeMib) * MIB))).toBe(
      true,
    );
    writeFileSync(at('root.vol'), bytesOf('target.img', root));
    tool('e2fsck', ['-fn', at('root.vol')]);
    expect(bytesOf('target.img', esp).equals(bytesOf('pc.img', esp))).toBe(true);
    const entries = z.array(z.object({ name: z.string() }));
    expect((await made(entries, 'explore', pointId, 'ls', '/2/etc')).map(({ name }) => name).sort()).toEqual([
      'fstab',
      'os-release',
    ]);
    expect(await refused('explore', pointId, 'ls', '/3/ada')).toBe('PARTITION_LEFT_OUT');
  });

  test('a swap file is left out unless it is asked for', async () => {
    const usual = await made(madeShape, 'backup', 'disk', 'pc.img', '--method', 'full');
    const all = await made(madeShape, 'backup', 'disk', 'pc.img', '--method', 'full', '--leave-out', 'none');
    expect(all.usedBytes - usual.usedBytes).toBeGreaterThan(SWAP_BYTES * 0.9);
    const other = await made(madeShape, 'backup', 'disk', 'pc.img', '--method', 'full', '--leave-out', 'pagefile,hibernation');
    expect(other.usedBytes).toBe(all.usedBytes);
    const sectors = await made(madeShape, 'backup', 'disk', 'pc.img', '--method', 'full', '--sector-by-sector');
    expect(sectors.usedBytes).toBeGreaterThanOrEqual(all.usedBytes);
  });

  test('single partitions make a series of their own', async () => {
    const { pointId, kind } = await made(
      madeShape.and(planShape),
      'backup',
      'partition',
      'pc.img',
      '--partition',
      '3',
      '--partition',
      '1',
    );
    expect(kind).toBe('partition');
    const points = await made(z.array(z.object({ id: z.string(), source: z.string() })), 'points');
    expect(points.find(({ id }) => id === pointId)?.source).toBe('pc.img#1,3');
    const entries = z.array(z.object({ name: z.string() }));
    expect((await made(entries, 'explore', pointId, 'ls', '/3/ada')).map(({ name }) => name)).toEqual(['letter.txt']);
  });

  test('one partition of a point goes into a file of its own; one that is not in it does not', async () => {
    const { pointId } = await made(madeShape, 'backup', 'partition', 'pc.img', '--partition', '2', '--method', 'full');
    const one = ['restore', pointId, '--to', 'root.img', '--partition', '2'];
    const { planHash } = await made(restoreShape, ...one, '--plan-only');
    expect((await run(...one, '--confirm', planHash)).code).toBe(0);
    tool('e2fsck', ['-fn', at('root.img')]);
    expect(readFileSync(at('root.img')).length).toBe(root.sizeMib * MIB);
    expect(await refused('restore', pointId, '--to', 'home.img', '--partition', '3', '--plan-only')).toBe('PARTITION_LEFT_OUT');
    expect(await refused('restore', pointId, '--to', 'home.img', '--partition', '8', '--plan-only')).toBe('PARTITION_NOT_FOUND');
  });

  test('what makes no sense is refused by name', async () => {
    expect(await refused('backup', 'partition', 'pc.img')).toBe('USAGE');
    expect(await refused('backup', 'partition', 'pc.img', '--partition', 'two')).toBe('USAGE');
    expect(await refused('backup', 'partition', 'pc.img', '--partition', '9')).toBe('PARTITION_NOT_FOUND');
    expect(await refused('backup', 'system', 'pc.img')).toBe('USAGE');
    expect(await refused('backup', 'disk', 'pc.img', '--leave-out', 'everything')).toBe('USAGE');
    expect(await refused('backup', 'disk', 'pc.img', '--leave-out', 'swap', '--sector-by-sector')).toBe('USAGE');
    put('empty.img', Buffer.alloc(8 * MIB));
    expect(await refused('backup', 'system', '--disk', 'empty.img', '--plan-only')).toBe('SYSTEM_NOT_FOUND');
  });
});
