/** Running the real filesystem tools on image files: everything is detached and unmounted again, whatever happens. */
import { execFile, execFileSync } from 'node:child_process';
import { constants, existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };

/** Runs a tool with an argument list; its output is in the error when it fails. */
export async function run(
  tool: string,
  args: readonly string[],
  options: { input?: string; okCodes?: readonly number[] } = {},
): Promise<string> {
  const child = execute(tool, args, { env, maxBuffer: 256 << 20 });
  if (options.input !== undefined) child.child.stdin?.end(options.input);
  try {
    const { stdout } = await child;
    return stdout;
  } catch (error) {
    const failed = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
    const text = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    if (failed !== null && options.okCodes?.includes(failed)) return text;
    throw new Error(`${tool} ${args.join(' ')} failed: ${text} ${error instanceof Error ? error.message : ''}`);
  }
}

export function hasTool(tool: string): boolean {
  try {
    execFileSync('which', [tool], { env, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Loop devices and mounts need root. */
export const isRoot = process.getuid?.() === 0;
export const canLoop = isRoot && existsSync('/dev/loop-control');

/** A loop device over a window of a file, for as long as `work` runs. */
export async function withLoop<T>(
  path: string,
  window: { offsetBytes: number; sizeBytes: number } | null,
  work: (device: string) => Promise<T>,
): Promise<T> {
  const range = window ? ['-o', String(window.offsetBytes), '--sizelimit', String(window.sizeBytes)] : [];
  const device = (await run('losetup', ['-f', '--show', ...range, path])).trim();
  try {
    return await work(device);
  } finally {
    await retried(() => run('losetup', ['-d', device]));
  }
}

/** Mounts a device for as long as `work` runs. NTFS goes through ntfs-3g, which returns from unmounting before it let go of the device. */
export async function withMount<T>(
  device: string,
  kind: 'ext4' | 'ext2' | 'ntfs',
  options: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-mount-'));
  if (kind === 'ntfs') await run('ntfs-3g', ['-o', options || 'big_writes', device, folder]);
  else await run('mount', ['-t', kind, '-o', options || 'nodiscard', device, folder]);
  try {
    return await work(folder);
  } finally {
    // Of this filesystem and this device alone: to flush everything would wait for whatever else this machine writes.
    await run('sync', ['-f', folder]);
    await retried(() => run('umount', [folder]));
    rmdirSync(folder);
    await retried(() => flushed(device));
  }
}

/** Fails while a filesystem still holds the device. */
async function flushed(device: string): Promise<void> {
  const file = await open(device, constants.O_RDWR | constants.O_EXCL).catch((error: NodeJS.ErrnoException) =>
    error.code === 'EROFS' || error.code === 'EACCES'
      ? open(device, constants.O_RDONLY | constants.O_EXCL)
      : Promise.reject(error),
  );
  await file.sync();
  await file.close();
}

async function retried(action: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await action();
      return;
    } catch (error) {
      if (tries >= 20) throw error;
      await new Promise((next) => setTimeout(next, 250));
    }
  }
}
