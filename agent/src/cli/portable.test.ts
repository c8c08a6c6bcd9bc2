import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { bundleDiskfleet, removeBundle, runDiskfleet } from '../testing/runDiskfleet.ts';
import { portableFile, splitBytesOf } from './portable.ts';

const missing = ['sgdisk', 'mke2fs', 'qemu-img'].filter((tool) => {
  try {
    execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin" command -v ${tool}`], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
});
const env = { DISKFLEET_PASSPHRASE: 'correct horse' };
const MIB = 1 << 20;
let folder = '';

async function json<T>(
  args: readonly string[],
  shape: z.ZodType<T>,
  more: { code?: number; env?: Record<string, string> } = {},
): Promise<T> {
  const ran = await runDiskfleet([...args, '--json'], { cwd: folder, env: { ...env, ...more.env } });
  expect(ran.code, ran.stderr).toBe(more.code ?? 0);
  return shape.parse(ran.json());
}
const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string(), guidance: z.string() }) });
const failsWith = async (args: readonly string[], more: { code?: number; env?: Record<string, string> } = {}) =>
  (await json(args, errorShape, { code: 1, ...more })).error.code;
const fileShape = z.object({ bytes: z.int(), files: z.array(z.string()) });
const copyShape = z.object({ pointId: z.string(), newBytes: z.int() });
const sha = async (name: string) =>
  createHash('sha256')
    .update(await readFile(join(folder, name)))
    .digest('hex');

test('sizes and names as people write them', () => {
  expect(['4GiB', '4G', '4gb', '700 MiB', '1048576'].map(splitBytesOf)).toEqual([2 ** 32, 2 ** 32, 2 ** 32, 700 * MIB, MIB]);
  for (const bad of ['', '4 apples', '-1G', '1.5G', '100K', 'G', '99999999999T'])
    expect(() => splitBytesOf(bad), bad).toThrow('--split');
  expect(portableFile('/a/B.ADI')).toEqual({ kind: 'file', path: '/a/B.ADI' });
  for (const other of ['latest', 'pc/disk.adi@2026-11-22', 'x.img']) expect(portableFile(other)).toBeNull();
});

if (missing.length > 0 && process.env.CI) {
  test('portable files of a real disk', () => {
    throw new Error(`this machine lacks ${missing.join(', ')}`);
  });
}

describe.skipIf(missing.length > 0)(`a point carried away (skipped without ${missing.join(', ') || 'nothing'})`, () => {
  const vault = ['--vault', 'vault'];
  let pointId = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-portable-cli-'));
    await bundleDiskfleet();
    await mkdir(join(folder, 'tree'));
    await writeFile(join(folder, 'tree/hello.txt'), 'hello\n');
    await writeFile(join(folder, 'tree/noise.bin'), randomBytes(3 * MIB));
    const disk = join(folder, 'disk.img');
    await writeFile(disk, '');
    await truncate(disk, 16 * MIB);
    const path = { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, stdio: 'ignore' as const };
    execFileSync('sgdisk', ['-n1:1M:+12M', disk], path);
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', join(folder, 'tree'), '-E', `offset=${MIB}`, disk, '12M'], path);
    await json(['vault', 'create', 'vault'], z.object({}));
    pointId = (await json(['backup', 'disk', 'disk.img', ...vault], copyShape)).pointId;
  }, 120_000);
  afterAll(async () => {
    await removeBundle();
    await rm(folder, { recursive: true, force: true });
  });

  test('a file in parts is read, verified and restored by its name alone, under a passphrase of its own', async () => {
    const own = { env: { DISKFLEET_FILE_PASSPHRASE: 'for the road' } };
    const { bytes, files } = await json(['export', 'latest', 'office.adi', ...vault, '--split', '1MiB'], fileShape, own);
    expect(files.length).toBeGreaterThan(2);
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(bytes);
    const road = { env: { DISKFLEET_PASSPHRASE: 'for the road' } };
    const listed = await json(['explore', 'office.adi', 'ls', '/1'], z.array(z.object({ name: z.string() })), road);
    expect(listed.map(({ name }) => name)).toContain('hello.txt');
    expect((await runDiskfleet(['explore', 'office.adi', 'cat', '/1/hello.txt'], { cwd: folder, ...road })).stdout).toBe(
      'hello\n',
    );
    expect(await json(['verify', 'office.adi', '--content'], z.object({ damaged: z.array(z.unknown()) }), road)).toEqual({
      damaged: [],
    });
    expect(await json(['points', '--vault', 'office.adi'], z.array(z.object({ id: z.string() })), road)).toEqual([
      { id: pointId },
    ]);
    const { planHash } = await json(
      ['restore', 'office.adi', '--to', 'back.img', '--plan-only'],
      z.object({ planHash: z.string() }),
      road,
    );
    await json(['restore', 'office.adi', '--to', 'back.img', '--confirm', planHash], z.object({}), road);
    await json(['export', 'latest', 'whole.raw', ...vault], fileShape);
    expect(await sha('back.img')).toBe(await sha('whole.raw'));
    expect(await failsWith(['explore', 'office.adi', 'ls', '/1'])).toBe('VAULT_WRONG_PASSPHRASE');
    expect(
      await failsWith(['restore', 'office.adi', '--to', 'office.adi.001', '--confirm', planHash], { code: 4, ...road }),
    ).toBe('TARGET_IS_SOURCE');
    expect(await failsWith(['export', 'latest', 'office.adi', ...vault])).toBe('PORTABLE_EXISTS');
    await unlink(join(folder, 'office.adi.002'));
    const lost = await json(['verify', 'office.adi'], errorShape, { code: 1, ...road });
    expect(lost.error).toMatchObject({ code: 'PORTABLE_INCOMPLETE', message: expect.stringContaining('office.adi.002') });
  });

  test('import and copy put it into another vault, with its id and without what is there', async () => {
    const { files, bytes } = await json(['export', 'latest', 'carry.adi', ...vault], fileShape);
    expect(files).toEqual([join(folder, 'carry.adi')]);
    const other = { env: { DISKFLEET_PASSPHRASE: 'elsewhere', DISKFLEET_FILE_PASSPHRASE: 'correct horse' } };
    await json(['vault', 'create', 'other'], z.object({}), other);
    const imported = await json(['import', 'carry.adi', '--vault', 'other'], copyShape.and(fileShape), other);
    expect(imported).toMatchObject({ pointId, bytes, files });
    expect(imported.newBytes).toBeGreaterThan(3 * MIB);
    const copied = await json(['copy', 'latest', ...vault, '--to', 'other'], copyShape, {
      env: { DISKFLEET_TO_PASSPHRASE: 'elsewhere' },
    });
    expect(copied.newBytes).toBe(0);
    expect(copied.pointId).not.toBe(pointId);
    expect(await json(['verify', '--vault', 'other', '--content'], z.object({ damaged: z.array(z.unknown()) }), other)).toEqual({
      damaged: [],
    });
    expect(await failsWith(['copy', 'latest', ...vault, '--to', 'vault'])).toBe('INVALID_INPUT');
  });

  test('images for virtual machines hold the same bytes', async () => {
    await json(['export', 'latest', 'plain.raw', ...vault], fileShape);
    for (const [name, format] of [
      ['a.qcow2', 'qcow2'],
      ['a.vhd', 'vpc'],
      ['a.vmdk', 'vmdk'],
    ]) {
      const { bytes, files } = await json(['export', 'latest', name ?? '', ...vault], fileShape);
      expect([files, bytes]).toEqual([[join(folder, name ?? '')], (await stat(join(folder, name ?? ''))).size]);
      const said = execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', format ?? '', 'plain.raw', name ?? ''], {
        cwd: folder,
      });
      expect(said.toString()).toContain('identical');
    }
    expect(
      (await readdir(folder)).filter((name) => /partial|\.raw$/.test(name) && name !== 'plain.raw' && name !== 'whole.raw'),
    ).toEqual([]);
  });

  test('without qemu-img it says what to install', async () => {
    const bare = { env: { PATH: join(folder, 'nowhere') } };
    const { error } = await json(['export', 'latest', 'b.qcow2', ...vault], errorShape, { code: 1, ...bare });
    expect(error).toMatchObject({ code: 'TOOL_MISSING', message: expect.stringContaining('qemu-utils') });
  });

  test.each([
    [['export', 'latest', 'x.zip', ...vault]],
    [['export', 'latest', ...vault]],
    [['export', 'latest', 'x.raw', '--split', '1G', ...vault]],
    [['export', 'latest', 'x.afi', ...vault]],
    [['import', 'x.img', ...vault]],
    [['copy', 'latest', ...vault]],
  ])('wrong usage %j', async (args) => {
    expect(await failsWith(args, { code: 2 })).toBe('USAGE');
  });
});
