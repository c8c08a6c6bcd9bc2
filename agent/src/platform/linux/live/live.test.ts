/** Real filesystems on loop devices: needs root, tracing and mkfs.ext4. The long runs against random writers are in e2e/live. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { alignedBuffer, type Extent } from '@diskfleet/disk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LiveOpened, LiveOptions, PlatformDisk } from '../../types.ts';
import { linuxPlatform } from '../linuxPlatform.ts';
import { realRoots } from '../roots.ts';
import { liveLibc } from './libc.ts';
import { removeLeftovers, TRACEFS, whyNoTracing } from './traceInstance.ts';

const exec = promisify(execFile);
const run = async (command: string, ...args: string[]) => (await exec(command, args)).stdout.trim();
const libc = process.getuid?.() === 0 ? await liveLibc() : null;
const possible = libc !== null && whyNoTracing(libc) === null;

const MIB = 1 << 20;
const DISK_BYTES = 48 * MIB;
const inherit: LiveOptions = { writesTo: [], keepFollowing: false };

describe.skipIf(!possible && !process.env.CI)('a disk in use (needs root, tracing and loop devices)', () => {
  let folder: string;
  let device: string;
  let mount: string;
  let platform: ReturnType<typeof linuxPlatform>;
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-live-')));
    mount = join(folder, 'mnt');
    await mkdir(mount);
    await writeFile(join(folder, 'disk.raw'), '');
    await truncate(join(folder, 'disk.raw'), DISK_BYTES);
    device = await run('losetup', '--find', '--show', join(folder, 'disk.raw'));
    // With nothing left to do in the background after mounting.
    await run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', device);
    await run('mount', device, mount);
    platform = linuxPlatform();
  });
  afterEach(async () => {
    platform.live?.close();
    await exec('umount', [mount]).catch(() => {});
    await exec('losetup', ['-d', device]).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  });

  const disk = async (): Promise<PlatformDisk> => {
    const found = (await platform.look()).disks.find(({ path }) => path === device);
    if (found === undefined) throw new Error(`${device} is not listed`);
    return found;
  };
  const open = async (options: Partial<LiveOptions> = {}): Promise<Extract<LiveOpened, { kind: 'live' }>> => {
    const opened = await platform.live?.open(await disk(), { ...inherit, ...options });
    if (opened?.kind !== 'live') throw new Error(`not live: ${JSON.stringify(opened)}`);
    return opened;
  };
  const readAll = () => readDevice(device, [{ offsetBytes: 0, lengthBytes: DISK_BYTES }], Buffer.alloc(DISK_BYTES));
  const instances = () => readdirSync(join(TRACEFS, 'instances')).filter((name) => name.startsWith(`diskfleet-${process.pid}-`));

  test('copied while it is written, and what changed meanwhile while it is held: the copy is the disk at that moment', async () => {
    const writer = startWriter(mount);
    const { source, close } = await open();
    const copy = readAll();
    for (let pass = 0; pass < 3; pass += 1) {
      await writer.written(20);
      readDevice(device, known(await source.takeChanges()), copy);
    }
    const frozen = await source.freeze();
    readDevice(device, known(await source.takeChanges()), copy);
    const truth = readAll();
    const countWhileHeld = await writer.count();
    expect(await frozen.thaw()).toBe(true);
    await writer.stop();
    close();
    expect(copy.equals(truth)).toBe(true);
    expect(countWhileHeld).toBeGreaterThan(40);
    expect(instances()).toEqual([]);
  });

  test('writers wait while it is held and go on after', async () => {
    const { source, close } = await open();
    const frozen = await source.freeze();
    let written = false;
    const writing = appendFile(join(mount, 'file'), 'text').then(() => {
      written = true;
    });
    expect(platform.live?.isHolding()).toBe(true);
    const letGo = platform.live?.whenLetGo();
    await expect(exec('fsfreeze', ['-f', mount])).rejects.toThrow(/busy/i);
    expect(written).toBe(false);
    expect(await frozen.thaw()).toBe(true);
    await letGo;
    await writing;
    expect(platform.live?.isHolding()).toBe(false);
    close();
  });

  test('what is written between two backups is told, what was drained at the freeze is not', async () => {
    const first = await open({ keepFollowing: true });
    await writeFile(join(mount, 'before'), Buffer.alloc(MIB, 1), { flush: true });
    const held = await first.source.freeze();
    const image = readAll();
    await held.thaw();
    await first.source.keep('point-1');
    first.close();
    const quiet = await open({ keepFollowing: true });
    // A thawed ext4 marks its superblock again; that is all.
    expect(sum(known(await quiet.source.changesSince('point-1')))).toBeLessThan(MIB / 2);
    expect(await quiet.source.changesSince('another')).toBeNull();
    quiet.close();
    await writeFile(join(mount, 'after'), Buffer.alloc(MIB, 2), { flush: true });
    const second = await open({ keepFollowing: true });
    const frozen = await second.source.freeze();
    const changes = known(await second.source.changesSince('point-1'));
    readDevice(device, changes, image);
    const truth = readAll();
    expect(await frozen.thaw()).toBe(true);
    expect(image.equals(truth)).toBe(true);
    expect(sum(changes)).toBeLessThan(6 * MIB);
    await second.source.keep('point-2');
    expect(await second.source.changesSince('point-1')).toBeNull();
    expect(await second.source.changesSince('point-2')).not.toBeNull();
  });

  test('another disk under the same name does not inherit the record', async () => {
    const first = await open({ keepFollowing: true });
    await (await first.source.freeze()).thaw();
    await first.source.keep('point-1');
    await run('umount', mount);
    await run('losetup', '-d', device);
    await run('losetup', device, join(folder, 'disk.raw'));
    await run('mount', device, mount);
    const second = await open({ keepFollowing: true });
    expect(await second.source.changesSince('point-1')).toBeNull();
    expect(instances()).toHaveLength(1);
  });

  test('writes the kernel had no room to tell of: nothing is known once, then counting begins anew', async () => {
    const { source, close } = await open({ bufferKib: 4, keepFollowing: true });
    await (await source.freeze()).thaw();
    await source.keep('point-1');
    const fd = openSync(device, constants.O_RDWR | constants.O_DIRECT);
    const block = alignedBuffer(4096);
    readSync(fd, block, 0, 4096, 0);
    for (let n = 0; n < 2000; n += 1) writeSync(fd, block, 0, 4096, 0);
    closeSync(fd);
    expect(await source.changesSince('point-1')).toBeNull();
    expect(await source.takeChanges()).toBeNull();
    await writeFile(join(mount, 'more'), 'text', { flush: true });
    expect(sum(known(await source.takeChanges()))).toBeGreaterThan(0);
    expect(await source.changesSince('point-1')).toBeNull();
    close();
  });

  test.each([
    ['switched off', 'events/block/block_rq_complete/enable', '0'],
    ['stopped', 'tracing_on', '0'],
    ['cleared', 'trace', ''],
    ['filtered by somebody else', 'events/block/block_rq_complete/filter', 'dev == 1'],
  ])('tracing %s behind our back counts as loss', async (_, file, text) => {
    const { source, close } = await open();
    await writeFile(join(mount, 'file'), 'text', { flush: true });
    const [name = ''] = instances();
    await writeFile(join(TRACEFS, 'instances', name, file), text);
    expect(await source.takeChanges()).toBeNull();
    await writeFile(join(mount, 'file'), 'more', { flush: true });
    expect(sum(known(await source.takeChanges()))).toBeGreaterThan(0);
    close();
  });

  test('the PC slept: somebody else may have written meanwhile, so nothing is known', async () => {
    const proc = join(folder, 'proc');
    await mkdir(proc);
    await symlink('/proc/self', join(proc, 'self'));
    await writeFile(join(proc, 'uptime'), '1000.00 1.00');
    platform = linuxPlatform({ roots: { ...realRoots, proc } });
    const { source, close } = await open({ keepFollowing: true });
    await (await source.freeze()).thaw();
    await source.keep('point-1');
    expect(await source.changesSince('point-1')).not.toBeNull();
    await source.takeChanges();
    await writeFile(join(proc, 'uptime'), '5000.00 1.00');
    expect(await source.changesSince('point-1')).toBeNull();
    expect(await source.takeChanges()).toBeNull();
    close();
  });

  test('held too long: the watchdog lets go, and thawing says so', async () => {
    const { source, close } = await open({ holdAtMostMs: 200 });
    const frozen = await source.freeze();
    // Waits for the watchdog, however long it takes.
    await appendFile(join(mount, 'file'), 'text');
    expect(await frozen.thaw()).toBe(false);
    close();
  });

  test('the agent is killed while volumes are held: the watchdog lets go at once, whatever signals it is sent before', async () => {
    const script = `
      const { linuxPlatform } = await import(${JSON.stringify(join(import.meta.dirname, '../linuxPlatform.ts'))});
      const platform = linuxPlatform();
      const disk = (await platform.look()).disks.find(({ path }) => path === ${JSON.stringify(device)});
      const { source } = await platform.live.open(disk, { writesTo: [], keepFollowing: false, holdAtMostMs: 3_600_000 });
      await source.freeze();
      process.stdout.write('frozen');
      setInterval(() => {}, 1000);`;
    const agent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => agent.stdout.once('data', resolve));
    const guards = await childrenOf(agent.pid ?? 0);
    expect(guards).toHaveLength(1);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(guards[0] ?? 0, signal);
    await expect(exec('fsfreeze', ['-f', mount])).rejects.toThrow(/busy/i);
    const gone = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGKILL');
    await gone;
    await appendFile(join(mount, 'file'), 'text');
    expect(await readFile(join(mount, 'file'), 'utf8')).toBe('text');
    removeLeftovers();
    expect(readdirSync(join(TRACEFS, 'instances')).some((name) => name.startsWith(`diskfleet-${agent.pid}-`))).toBe(false);
  });

  test('let go in time although every thread for files hangs in a write to what is held', async () => {
    const { source, close } = await open({ holdAtMostMs: 3_600_000 });
    const frozen = await source.freeze();
    const writing = Array.from({ length: 8 }, (_, n) => appendFile(join(mount, `file-${n}`), 'text'));
    expect(await frozen.thaw()).toBe(true);
    await Promise.all(writing);
    close();
  });

  test('a bind mount is the same volume; one frozen by somebody else is left alone and said', async () => {
    const bound = join(folder, 'bound');
    await mkdir(bound);
    await run('mount', '--bind', mount, bound);
    try {
      const { source, close } = await open();
      expect(await (await source.freeze()).thaw()).toBe(true);
      await run('fsfreeze', '-f', mount);
      await expect(source.freeze()).rejects.toMatchObject({ code: 'FREEZE_FAILED', retry: 'later' });
      // It is still theirs.
      await run('fsfreeze', '-u', mount);
      close();
    } finally {
      await run('umount', bound);
    }
  });

  test('mounted in another namespace only: refused, as nobody here can hold it', async () => {
    await run('umount', mount);
    const script = `mount ${device} ${mount} && echo mounted && exec sleep 1000`;
    const other = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => other.stdout.once('data', resolve));
    const opened = await platform.live?.open(await disk(), inherit);
    const gone = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await gone;
    expect(opened).toMatchObject({ kind: 'none', reasons: [expect.stringMatching(/namespace/)] });
  });

  test('a filesystem that cannot be frozen: what it wrote is told; written to while the others are held, it was no moment', async () => {
    await run('umount', mount);
    await run('mkntfs', '-q', '-F', '-f', device);
    await run('ntfs-3g', device, mount);
    const { source, close, warnings } = await open();
    expect(warnings).toEqual([expect.stringContaining(mount)]);
    const copy = readAll();
    await writeFile(join(mount, 'file'), Buffer.alloc(3 * MIB, 7));
    const quiet = await source.freeze();
    readDevice(device, known(await source.takeChanges()), copy);
    expect(await quiet.thaw()).toBe(true);
    expect(copy.equals(readAll())).toBe(true);
    const disturbed = await source.freeze();
    await writeFile(join(mount, 'file'), Buffer.alloc(MIB, 8), { flush: true });
    expect(await disturbed.thaw()).toBe(false);
    close();
    await run('umount', mount);
    // ntfs-3g lets go of the device a little after.
    while ((await readFile('/proc/mounts', 'utf8')).includes(mount)) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('refused with the reason: a vault on the disk itself, the file behind a mounted device; idle when nothing is mounted', async () => {
    const vault = join(mount, 'vault');
    await mkdir(vault);
    const onItself = await platform.live?.open(await disk(), { ...inherit, writesTo: [join(vault, 'not/yet')] });
    expect(onItself).toMatchObject({ kind: 'none', reasons: [expect.stringContaining(mount)] });
    const path = join(folder, 'disk.raw');
    const file = await platform.live?.open({ ...(await disk()), path }, inherit);
    expect(file).toMatchObject({ kind: 'none', reasons: [expect.stringContaining(device)] });
    await run('umount', mount);
    expect(await platform.live?.open(await disk(), inherit)).toEqual({ kind: 'idle' });
    expect(instances()).toEqual([]);
  });
});

function known(changes: readonly Extent[] | null): readonly Extent[] {
  if (changes === null) throw new Error('the record was lost');
  return changes;
}

function sum(extents: readonly Extent[]): number {
  return extents.reduce((total, { lengthBytes }) => total + lengthBytes, 0);
}

/** Past the page cache of the device, which does not know what the filesystem wrote. */
function readDevice(device: string, extents: readonly Extent[], into: Buffer): Buffer {
  const fd = openSync(device, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = alignedBuffer(MIB);
  for (const { offsetBytes, lengthBytes } of extents) {
    for (let at = offsetBytes; at < offsetBytes + lengthBytes; ) {
      const got = readSync(fd, buffer, 0, Math.min(MIB, offsetBytes + lengthBytes - at), at);
      if (got === 0) throw new Error('the device is shorter than it says');
      buffer.copy(into, at, 0, got);
      at += got;
    }
  }
  closeSync(fd);
  return into;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** A process that writes at random places of a file and says after each how often it has. */
function startWriter(mount: string) {
  const script = `
    const fs = require('node:fs');
    const fd = fs.openSync(process.argv[1] + '/db', 'w+');
    for (let n = 0; n < 1e6; n += 1) {
      fs.writeSync(fd, require('node:crypto').randomBytes(4096), 0, 4096, Math.floor(Math.random() * 2048) * 4096);
      if (n % 7 === 0) fs.fsyncSync(fd);
      if (n % 5 === 0) fs.writeFileSync(process.argv[1] + '/f' + (n % 50), 'x'.repeat(n % 9000));
      fs.writeSync(1, '.');
    }`;
  const child = spawn(process.execPath, ['-e', script, mount], { stdio: ['ignore', 'pipe', 'inherit'] });
  let count = 0;
  let wake = () => {};
  child.stdout.on('data', (data: Buffer) => {
    count += data.length;
    wake();
  });
  return {
    count: async () => count,
    async written(more: number) {
      const until = count + more;
      while (count < until) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill('SIGKILL');
      }),
  };
}
