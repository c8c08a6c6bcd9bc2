/**
 * A disk of 1 TB with little on it costs what is on it: memory stays bounded, what is read is what is used, and restore and explore see
 * the same. The disk is a sparse file; its ext4 has 8,192 block groups.
 */
import { execFile } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { noise } from '../images/content.ts';
import { hasTool, run } from '../images/tools.ts';
import { cliJson, launcher, passphrase } from './cli.ts';

const GIB = 1024 ** 3;
const DISK_BYTES = 1024 * GIB;
const START_BYTES = 1024 ** 2;
const MOST_RSS_BYTES = 400e6;

const tools = ['sgdisk', 'mkfs.ext4', 'debugfs', '/usr/bin/time'];
const missing = tools.filter((tool) => !hasTool(tool));
if (process.env.CI !== undefined && missing.length > 0) throw new Error(`this test needs ${missing.join(', ')}`);
const title = `a disk of 1 TB${missing.length > 0 ? ` (skipped: needs ${missing.join(', ')})` : ''}`;

const backupShape = z.object({ usedBytes: z.number(), readBytes: z.number(), newBytes: z.number(), sourceBytes: z.number() });

describe.skipIf(missing.length > 0)(title, () => {
  let folder: string;
  const at = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-large-'));
    writeFileSync(at('disk'), '');
    truncateSync(at('disk'), DISK_BYTES);
    await run('sgdisk', ['-n', '1:2048:0', '-t', '1:8300', at('disk')]);
    const blocks = Math.floor((DISK_BYTES - 2 * START_BYTES) / 4096);
    await run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', `offset=${START_BYTES},nodiscard`, at('disk'), String(blocks)]);
    writeFileSync(at('data'), noise(256 * 1024 ** 2, 'large'));
    await run('debugfs', ['-w', '-R', `write ${at('data')} data`, `${at('disk')}?offset=${START_BYTES}`]);
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('is backed up in bounded memory, reading what is used', async () => {
    await cliJson(['vault', 'create', at('vault')]);
    const { result, peakRssBytes } = await measured(['backup', 'disk', at('disk'), '--vault', at('vault'), '--json']);
    const backup = backupShape.parse(result);
    expect(backup.sourceBytes).toBe(DISK_BYTES);
    expect(backup.newBytes).toBeGreaterThan(256 * 1024 ** 2);
    expect(backup.newBytes).toBeLessThan(2 * GIB);
    expect(backup.readBytes).toBeLessThan(4 * GIB);
    expect(peakRssBytes).toBeLessThan(MOST_RSS_BYTES);
    const again = await measured(['backup', 'disk', at('disk'), '--vault', at('vault'), '--json']);
    expect(backupShape.parse(again.result).newBytes).toBe(0);
    expect(again.peakRssBytes).toBeLessThan(MOST_RSS_BYTES);
  }, 300_000);

  test('is listed, and restored in bounded memory to a sparse file of the same size', async () => {
    const listed = z
      .array(z.object({ name: z.string() }))
      .parse(await cliJson(['explore', 'latest', 'ls', '/1', '--vault', at('vault')]));
    expect(listed.map(({ name }) => name)).toContain('data');
    const restore = ['restore', 'latest', '--to', at('target'), '--vault', at('vault')];
    const { planHash } = z.object({ planHash: z.string() }).parse(await cliJson([...restore, '--plan-only']));
    const { peakRssBytes } = await measured([...restore, '--confirm', planHash, '--json']);
    expect(peakRssBytes).toBeLessThan(MOST_RSS_BYTES);
    await run('debugfs', ['-R', `dump data ${at('back')}`, `${at('target')}?offset=${START_BYTES}`]);
    expect((await readFile(at('back'))).equals(await readFile(at('data')))).toBe(true);
  }, 300_000);

  async function measured(args: readonly string[]): Promise<{ result: unknown; peakRssBytes: number }> {
    const script = ['-f', '%M', '-o', at('rss'), process.execPath, launcher, ...args];
    const { stdout } = await promisify(execFile)('/usr/bin/time', script, {
      env: { ...process.env, ...passphrase },
      maxBuffer: 16 << 20,
    });
    return { result: JSON.parse(stdout), peakRssBytes: Number(await readFile(at('rss'), 'utf8')) * 1024 };
  }
});
