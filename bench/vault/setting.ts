/** Where the vault benches work, how large, and how the tools are called. All sizes can be set from outside; the defaults take minutes. */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasTool, run } from '../../e2e/images/tools.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const work = join(process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench'), 'vault');
export const cli = `${process.execPath} ${join(root, 'agent/dist/diskfleet.js')}`;
export const passphrase = 'bench';
export const secrets = {
  DISKFLEET_PASSPHRASE: passphrase,
  RESTIC_PASSWORD: passphrase,
  BORG_PASSPHRASE: passphrase,
  RESTIC_CACHE_DIR: join(work, 'restic-cache'),
  BORG_BASE_DIR: join(work, 'borg-base'),
  BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
};

function sizeOf(name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number above zero`);
  return value;
}

export const sizes = {
  /** Restore points of the vault that is listed and swept; the published figures: 1000. */
  points: sizeOf('DISKFLEET_VAULT_POINTS', 200),
  /** The disk those points are made of. */
  diskMib: sizeOf('DISKFLEET_VAULT_DISK_MIB', 128),
  /** Data in the vault that is verified; the published figures: 4096. */
  dataMib: sizeOf('DISKFLEET_VAULT_MIB', 1024),
};

/** Whether to measure a peer too: DISKFLEET_BENCH_PEERS=no leaves all of them out, for a quick look at our own figures. */
export function hasPeer(tool: string): boolean {
  return process.env.DISKFLEET_BENCH_PEERS !== 'no' && hasTool(tool);
}

export const place = (name: string) => join(work, name);

/** A file with the content of this PC's system, for as many bytes as asked; made once. */
export async function sourceFile(name: string, mib: number): Promise<string> {
  const path = place(`${name}-${mib}.img`);
  if (existsSync(path)) return path;
  mkdirSync(work, { recursive: true });
  const part = `${path}.part`;
  const folders = '/usr/lib /usr/bin /usr/share /usr/include /usr/local';
  // tar is cut off by head and says so.
  await run('bash', [
    '-c',
    `(tar -cf - ${folders} 2>/dev/null || true) | head -c ${mib}M > ${part}; truncate -s ${mib}M ${part}`,
  ]);
  copyFileSync(part, path);
  rmSync(part);
  return path;
}

/** A fresh copy of a folder, which the next run may change. */
export async function freshCopy(from: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  await run('cp', ['-a', '--reflink=auto', from, to]);
}
