/** A filesystem on a loop device with programs that write to it, a vault, and what is needed to compare an image with the device. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { alignedBuffer, openFileDevice } from '@diskfleet/disk';
import { type LiveSource, planRestore, readUsedDisk, restore } from '@diskfleet/engine';
import { createVault, type Vault } from '@diskfleet/vault';
import { linuxPlatform } from '../../agent/src/platform/linux/linuxPlatform.ts';
import type { PlatformDisk } from '../../agent/src/platform/types.ts';
import { run } from '../images/tools.ts';

export type FsKind = 'ext4' | 'xfs' | 'btrfs';

export const MIB = 1 << 20;
export const DISK_BYTES = 384 * MIB;

const makers: Record<FsKind, readonly string[]> = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', '-q', '-f', '-d', 'single', '-m', 'single'],
};

export interface Lab {
  readonly kind: FsKind;
  readonly folder: string;
  readonly device: string;
  readonly mount: string;
  readonly platform: ReturnType<typeof linuxPlatform>;
  readonly writers: ChildProcess[];
  disk(): Promise<PlatformDisk>;
  /** Ends writers that still run. */
  close(): Promise<void>;
}

export async function makeLab(kind: FsKind): Promise<Lab> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-live-')));
  const mount = join(folder, 'mnt');
  await mkdir(mount);
  const file = join(folder, 'disk.raw');
  await writeFile(file, '');
  truncateSync(file, DISK_BYTES);
  const device = (await run('losetup', ['--find', '--show', file])).trim();
  const [maker = '', ...options] = makers[kind];
  await run(maker, [...options, device]);
  await run('mount', ['-t', kind, device, mount]);
  // Something that does not change, too.
  await mkdir(join(mount, 'still'));
  for (let n = 0; n < 6; n += 1) await writeFile(join(mount, 'still', String(n)), noise(12 * MIB));
  const platform = linuxPlatform();
  const writers: ChildProcess[] = [];
  return {
    ...{ kind, folder, device, mount, platform, writers },
    async disk() {
      const found = (await platform.look()).disks.find(({ path }) => path === device);
      if (found === undefined) throw new Error(`${device} is not listed`);
      return found;
    },
    async close() {
      platform.live?.close();
      for (const writer of writers) writer.kill('SIGKILL');
      await Promise.all(writers.map(exited));
      await run('umount', [mount]);
      await run('losetup', ['-d', device]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Writer {
  /** Since the last `reset`: how long the program waited at most for its next write. */
  report(): Promise<{ writes: number; longestMs: number }>;
  reset(): void;
  /** Resolves when this many more writes are done. */
  goesOn(writes: number): Promise<void>;
  stop(): Promise<void>;
}

export function startWriter(lab: Lab, seed: number): Writer {
  const script = fileURLToPath(new URL('./writer.ts', import.meta.url));
  const child = spawn(process.execPath, [script, lab.mount, String(seed)], { stdio: ['pipe', 'pipe', 'inherit'] });
  lab.writers.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const report = async () => {
    child.stdin.write('report\n');
    const { writes, longestMs } = JSON.parse(String((await lines.next()).value));
    return { writes: Number(writes), longestMs: Number(longestMs) };
  };
  return {
    report,
    reset: () => child.stdin.write('reset\n'),
    async goesOn(more) {
      const { writes } = await report();
      while ((await report()).writes < writes + more) await new Promise((next) => setTimeout(next, 20));
    },
    async stop() {
      child.stdin.end('stop\n');
      await exited(child);
    },
  };
}

export function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** The same source, which copies the whole device aside while it is held for the engine's last reading. */
export function withTruth(live: LiveSource, { device, truth }: { device: string; truth: string }): LiveSource {
  let held = false;
  return {
    ...live,
    async freeze() {
      const frozen = await live.freeze();
      held = true;
      return {
        thaw() {
          held = false;
          return frozen.thaw();
        },
      };
    },
    takeChanges() {
      if (held) copyDevice(device, truth);
      return live.takeChanges();
    },
  };
}

function copyDevice(device: string, into: string): void {
  const from = openSync(device, constants.O_RDONLY | constants.O_DIRECT);
  const to = openSync(into, 'w');
  const buffer = alignedBuffer(4 * MIB);
  for (let at = 0; at < DISK_BYTES; at += buffer.length) {
    const got = readSync(from, buffer, 0, buffer.length, at);
    writeSync(to, buffer, 0, got, at);
  }
  closeSync(from);
  closeSync(to);
}

/** A vault of its own, removed before the next one is made. */
export async function newVault(lab: Lab): Promise<{ vault: Vault; path: string }> {
  const path = join(lab.folder, 'vault');
  rmSync(path, { recursive: true, force: true });
  return { vault: await createVault({ kind: 'directory', path }, { encryption: { kind: 'none' } }), path };
}

export async function restorePoint(vault: Vault, pointId: string, path: string): Promise<void> {
  rmSync(path, { force: true });
  const plan = await planRestore(vault, { pointId, diskIndex: 0, target: { path, name: 'image', serial: '' } });
  const guards = { whyForbidden: async () => null };
  const op = { now: () => new Date(), workers: 2 };
  await restore(vault, { plan, confirmedHash: plan.planHash, guards }, op);
}

/** First byte of what the filesystem in `truth` uses where the image differs, or null. */
export async function differsAt(truth: string, image: string): Promise<number | null> {
  const device = await openFileDevice(truth);
  const { usedExtents } = await readUsedDisk(device).finally(() => device.close());
  const files = [openSync(truth, 'r'), openSync(image, 'r')];
  try {
    for (const { offsetBytes, lengthBytes } of usedExtents) {
      for (let at = offsetBytes; at < offsetBytes + lengthBytes; at += MIB) {
        const length = Math.min(MIB, offsetBytes + lengthBytes - at);
        const [one, other] = files.map((file) => {
          const bytes = Buffer.alloc(length);
          return bytes.subarray(0, readSync(file, bytes, 0, length, at));
        });
        if (one === undefined || other === undefined || !one.equals(other)) return at;
      }
    }
    return null;
  } finally {
    for (const file of files) closeSync(file);
  }
}

/** @throws when the filesystem's own checker finds a fault; a journal that is to be replayed is replayed first. */
export async function checkFilesystem({ kind, folder }: Lab, image: string): Promise<void> {
  if (kind === 'btrfs') {
    await run('btrfs', ['check', '--readonly', image]);
    return;
  }
  const device = (await run('losetup', ['--find', '--show', image])).trim();
  const mount = join(folder, 'check');
  await mkdir(mount, { recursive: true });
  try {
    await run('mount', ['-t', kind, '-o', kind === 'xfs' ? 'nouuid' : 'defaults', device, mount]);
    const files = readdirSync(mount).length;
    await run('umount', [mount]);
    if (files === 0) throw new Error(`${image} holds no files`);
    if (kind === 'ext4') await run('e2fsck', ['-fn', device]);
    else await run('xfs_repair', ['-n', device]);
  } finally {
    await run('losetup', ['-d', device]);
  }
}

export function noise(bytes: number): Buffer {
  const random = openSync('/dev/urandom', 'r');
  const buffer = Buffer.alloc(bytes);
  readSync(random, buffer, 0, bytes, null);
  closeSync(random);
  return buffer;
}
