/**
 * Which vault lies in which folder. The service keeps this list itself, so that neither the server nor its database can point
 * a vault somewhere else afterwards. One small JSON file, replaced atomically.
 */
import { mkdir, open, readdir, readFile, realpath, rename, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import * as z from 'zod';
import { ServiceError } from './errors.ts';

const fileShape = z.object({ vaults: z.record(z.string(), z.object({ folder: z.string(), registeredAt: z.iso.datetime() })) });

export interface Registry {
  folderOf(vaultId: string): string | null;
  /** Creates the folder when missing. @throws ServiceError when it is not absolute, not empty, or lies inside another vault. */
  register(vaultId: string, folder: string, now: Date): Promise<void>;
}

export async function openRegistry(dataFolder: string): Promise<Registry> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const path = join(dataFolder, 'vaults.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{"vaults":{}}';
    throw error;
  });
  const state = fileShape.parse(JSON.parse(text));
  return {
    folderOf: (vaultId) => state.vaults[vaultId]?.folder ?? null,
    async register(vaultId, folder, now) {
      const known = state.vaults[vaultId];
      const real = await prepareFolder(folder);
      if (known?.folder === real) return;
      if (known) throw new ServiceError(409, 'VAULT_EXISTS', 'this vault id is registered with another folder');
      const clash = Object.values(state.vaults).find((other) => isInside(real, other.folder) || isInside(other.folder, real));
      if (clash) throw new ServiceError(409, 'VAULT_EXISTS', `the folder overlaps the vault in ${clash.folder}`);
      if ((await readdir(real)).some((name) => name !== 'lost+found')) {
        throw new ServiceError(409, 'VAULT_EXISTS', 'the folder is not empty: choose an empty one for a new vault');
      }
      state.vaults[vaultId] = { folder: real, registeredAt: now.toISOString() };
      await replaceFile(path, JSON.stringify(state, null, 2));
    },
  };
}

async function prepareFolder(folder: string): Promise<string> {
  if (!isAbsolute(folder)) throw new ServiceError(400, 'INVALID_INPUT', 'the folder must be an absolute path');
  try {
    await makeFolder(folder);
    return await realpath(folder);
  } catch (cause) {
    throw new ServiceError(422, 'VAULT_STORE_FAILED', `the folder cannot be made or entered: ${messageOf(cause)}`);
  }
}

/** Makes a folder and its parents one by one: a recursive mkdir never returns where the parent cannot hold folders (as /proc). */
export async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolder(parent);
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function isInside(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
