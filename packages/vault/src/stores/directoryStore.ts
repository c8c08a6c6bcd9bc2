/**
 * A vault in a folder. Every object is written to `tmp/`, synced, then linked to its name: link() never overwrites, so two
 * writers of one name cannot hurt each other, and a crash leaves only a file in `tmp/` that is removed when a day old.
 * Large objects bypass the page cache when the caller's memory allows it (a tenth of the CPU of buffered writes).
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Extent } from '@diskfleet/disk';
import { VaultError } from '../errors.ts';
import { sha256 } from '../keys/derive.ts';
import type { Store, StoredObject } from '../types.ts';
import { checkName } from './names.ts';

const blockBytes = 4096;
const writeBytes = 8 << 20;
const directFromBytes = 1 << 20;
const staleAfterMs = 24 * 3600 * 1000;

/** Opens the folder `path`. @throws VaultError `VAULT_NOT_FOUND` unless it is there, or `create` is set and it can be made. */
export async function directoryStore(path: string, options: { create: boolean }): Promise<Store> {
  if (options.create) await mkdir(path, { recursive: true }).catch((cause) => fail(cause, path));
  const found = await stat(path).catch((cause) => {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return null;
    return fail(cause, path);
  });
  if (found === null) throw new VaultError('VAULT_NOT_FOUND', `there is no folder ${path}; is the drive or share connected?`);
  if (!found.isDirectory()) throw new VaultError('VAULT_NOT_FOUND', `${path} is not a folder`);
  await removeStale(join(path, 'tmp'));
  /** A drive that was unplugged leaves its empty mount point behind: writing there would fill the wrong disk. */
  const stillThere = async () => {
    const now = await stat(path).catch(() => null);
    if (now?.dev === found.dev && now.ino === found.ino) return;
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `the folder ${path} is gone or was replaced; is the drive or share still connected?`,
      {
        retry: 'later',
      },
    );
  };
  return {
    location: path,
    async put(name, bytes) {
      await stillThere();
      return put(path, name, bytes);
    },
    get: (name, range) => get(path, name, range),
    async readInto(name, offsetBytes, target) {
      await withFile(path, name, (file) => fill(file, { name, offsetBytes, target }));
    },
    async head(name) {
      checkName(name);
      const at = await stat(join(path, name)).catch((cause) => (isAbsent(cause) ? null : fail(cause, name)));
      return at?.isFile() ? { name, sizeBytes: at.size } : null;
    },
    list: (prefix) => list(path, prefix),
    async remove(name) {
      checkName(name);
      await unlink(join(path, name)).catch((cause) => {
        if (!isAbsent(cause)) fail(cause, name);
      });
      await syncFolder(dirname(join(path, name)));
    },
    async close() {},
  };
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

function isAbsent(cause: unknown): boolean {
  return codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR';
}

function fail(cause: unknown, what: string): never {
  if (cause instanceof VaultError) throw cause;
  const code = codeOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const space = code === 'EDQUOT' ? "this user's quota is used up" : 'no space is left';
    throw new VaultError('VAULT_FULL', `${space} where the vault lies; free some, then run again (${what})`, {
      retry: 'later',
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `this user may not use ${what}: check the owner and rights of the vault's folder`,
      { cause },
    );
  }
  if (code === 'EROFS') {
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `${what} is on a read-only file system: remount it writable, or choose another vault`,
      {
        cause,
      },
    );
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const retry = code === 'EIO' || code === 'ESTALE' || code === 'ETIMEDOUT' || code === 'EMFILE' ? 'later' : 'never';
  throw new VaultError('VAULT_STORE_FAILED', `the vault's folder failed on ${what}: ${text}`, { retry, cause });
}

async function removeStale(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const at = await stat(join(folder, name)).catch(() => null);
    if (at !== null && Date.now() - at.mtimeMs > staleAfterMs) await unlink(join(folder, name)).catch(() => {});
  }
}

async function put(root: string, name: string, bytes: Uint8Array): Promise<'stored' | 'exists'> {
  checkName(name);
  const target = join(root, name);
  const there = await stat(target).catch(() => null);
  if (there !== null && !(await isDamagedCopy(target, there.size, { name, bytes }))) return 'exists';
  const temporary = join(root, 'tmp', `${process.pid}-${randomBytes(12).toString('hex')}`);
  try {
    await makeFolder(root, join(root, 'tmp'));
    await makeFolder(root, dirname(target));
    await writeDurably(temporary, bytes);
    const result = there === null ? await moveWithoutOverwrite(temporary, target) : await replaceDamaged(temporary, target);
    await syncFolder(dirname(target));
    return result;
  } catch (cause) {
    return fail(cause, name);
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

/**
 * [F19] Packs and segments are named by their bytes: what lies there with other bytes is damage, and whoever brings the right ones
 * (in a vault without encryption the same data gives the same pack) heals it. Calling it "exists" would lose what was just stored.
 */
async function isDamagedCopy(target: string, size: number, wanted: { name: string; bytes: Uint8Array }): Promise<boolean> {
  const { name, bytes } = wanted;
  if (!/^(packs|index)\//.test(name)) return false;
  if (size === bytes.length && (await readFile(target).catch(() => null))?.equals(bytes) === true) return false;
  return name.endsWith(`/${sha256(bytes).toString('hex')}`);
}

async function replaceDamaged(from: string, to: string): Promise<'stored'> {
  await rename(from, to);
  return 'stored';
}

/** Makes the folders down to `path` and syncs the parent of each new one: a synced file in an unsynced folder is lost with it. */
async function makeFolder(root: string, path: string): Promise<void> {
  if (path === root || (await stat(path).catch(() => null)) !== null) return;
  await makeFolder(root, dirname(path));
  await mkdir(path).catch((cause) => {
    if (codeOf(cause) !== 'EEXIST') throw cause;
  });
  await syncFolder(dirname(path));
}

async function moveWithoutOverwrite(from: string, to: string): Promise<'stored' | 'exists'> {
  try {
    await link(from, to);
    return 'stored';
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'EEXIST') return 'exists';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw cause;
    // No hard links here (FAT, some shares). Names commit to content, so the small race between look and rename loses nothing.
    if ((await stat(to).catch(() => null)) !== null) return 'exists';
    await rename(from, to);
    return 'stored';
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY).catch(() => null);
  // Windows and some shares cannot sync a folder; there the rename is as durable as it gets.
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length >= directFromBytes && (await writeDirect(path, bytes))) return;
  const file = await open(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await file.write(bytes, at, Math.min(writeBytes, bytes.length - at), at)).bytesWritten;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** False when memory, platform or file system do not allow O_DIRECT; nothing of the attempt then matters. */
async function writeDirect(path: string, bytes: Uint8Array): Promise<boolean> {
  const padded = Math.ceil(bytes.length / blockBytes) * blockBytes;
  const aligned = bytes.byteOffset % blockBytes === 0 && bytes.byteOffset + padded <= bytes.buffer.byteLength;
  if (!aligned || constants.O_DIRECT === undefined) return false;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_DIRECT;
  const file = await open(path, flags, 0o600).catch((cause) => {
    if (codeOf(cause) === 'EINVAL') return null;
    throw cause;
  });
  if (file === null) return false;
  try {
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, padded);
    const pieces: Promise<boolean>[] = [];
    for (let at = 0; at < padded; at += writeBytes) pieces.push(writePiece(file, whole, at));
    // All pieces settle before the file is closed, whatever happens to one of them.
    const results = await Promise.allSettled(pieces);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (results.some((result) => result.status === 'fulfilled' && !result.value)) return false;
    if (padded !== bytes.length) await file.truncate(bytes.length);
    await file.sync();
    return true;
  } catch (cause) {
    if (codeOf(cause) !== 'EINVAL') throw cause;
    return false;
  } finally {
    await file.close();
  }
}

async function writePiece(file: FileHandle, whole: Buffer, from: number): Promise<boolean> {
  const end = Math.min(whole.length, from + writeBytes);
  for (let at = from; at < end; ) {
    const { bytesWritten } = await file.write(whole, at, end - at, at);
    if (bytesWritten % blockBytes !== 0 || bytesWritten === 0) return false;
    at += bytesWritten;
  }
  return true;
}

async function withFile<T>(root: string, name: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  checkName(name);
  const file = await open(join(root, name), 'r').catch((cause) => {
    if (isAbsent(cause)) throw new VaultError('VAULT_OBJECT_MISSING', `the vault has no object ${name}`, { cause });
    return fail(cause, name);
  });
  try {
    return await use(file);
  } catch (cause) {
    return fail(cause, name);
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, wanted: { name: string; offsetBytes: number; target: Uint8Array }): Promise<void> {
  const { target, offsetBytes, name } = wanted;
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, offsetBytes + done);
    if (bytesRead === 0) throw new VaultError('VAULT_OBJECT_MISSING', `${name} ends before byte ${offsetBytes + target.length}`);
    done += bytesRead;
  }
}

function get(root: string, name: string, range: Extent | undefined): Promise<Buffer> {
  return withFile(root, name, async (file) => {
    const { size } = await file.stat();
    const offsetBytes = range?.offsetBytes ?? 0;
    const lengthBytes = range?.lengthBytes ?? size;
    if (offsetBytes + lengthBytes > size) {
      throw new VaultError('VAULT_OBJECT_MISSING', `${name} has ${size} bytes, not the ${offsetBytes + lengthBytes} asked for`);
    }
    const target = Buffer.allocUnsafeSlow(lengthBytes);
    await fill(file, { name, offsetBytes, target });
    return target;
  });
}

/** Names in order; the folder of the prefix is the only one opened. */
async function* list(root: string, prefix: string): AsyncIterable<StoredObject> {
  const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
  yield* walk(root, folder, prefix);
}

async function* walk(root: string, folder: string, prefix: string): AsyncIterable<StoredObject> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((cause) =>
    isAbsent(cause) ? [] : fail(cause, folder),
  );
  // A folder sorts as its name with the slash, so that the whole walk is in order of names.
  const sorted = entries.map((entry) => ({ entry, key: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { entry } of sorted) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (folder === '' && (entry.name === 'tmp' || entry.name === 'lost+found')) continue;
    if (entry.isDirectory()) {
      if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) yield* walk(root, name, prefix);
    } else if (entry.isFile() && name.startsWith(prefix)) {
      const at = await stat(join(root, name)).catch(() => null);
      if (at !== null) yield { name, sizeBytes: at.size, storedAtMs: at.mtimeMs };
    }
  }
}
