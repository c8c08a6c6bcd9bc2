/**
 * A vault in a folder. Every object is written to `tmp/`, synced, then linked to its name: link() never overwrites, so two
 * writers of one name cannot hurt each other, and a crash leaves only a file in `tmp/` that is removed when a day old.
 * A name is seen before it is durable, and a power cut may take it back, so whoever builds on what others wrote must not do so
 * before: listings of what writers and sweepers decide by sync the folders they name [F19].
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Extent } from '@diskfleet/disk';
import { VaultError } from '../errors.ts';
import { sha256 } from '../keys/derive.ts';
import type { Store, StoredObject } from '../types.ts';
import { writeDurably } from './durableFile.ts';
import { DurableFolders, syncFolder, syncTree } from './durableFolders.ts';
import { type FileCalls, nodeFileCalls, type OpenFile } from './fileCalls.ts';
import { codeOf, fail, isAbsent, isFull } from './fileFailure.ts';
import { checkName } from './names.ts';
import { mayFillReserve, mayUseReserve, Reserve, reserveName } from './reserveFile.ts';

const staleAfterMs = 24 * 3600 * 1000;
/** More than one `tmp/` file vanishing under its writer means that something else is wrong. */
const putAttempts = 3;

interface Place {
  readonly root: string;
  readonly files: FileCalls;
  readonly folders: DurableFolders;
  readonly reserve: Reserve;
}

/**
 * Opens the folder `path`. @throws VaultError `VAULT_NOT_FOUND` unless it is there, or `create` is set and it can be made.
 * @param options.files for tests: another file system
 */
export async function directoryStore(path: string, options: { create: boolean; files?: FileCalls }): Promise<Store> {
  const files = options.files ?? nodeFileCalls;
  if (options.create) await makeRoot(files, path);
  const found = await files.stat(path).catch((cause) => (isAbsent(cause) ? null : fail(cause, path)));
  if (found === null) throw new VaultError('VAULT_NOT_FOUND', `there is no folder ${path}; is the drive or share connected?`);
  if (!found.isDirectory()) throw new VaultError('VAULT_NOT_FOUND', `${path} is not a folder`);
  await removeStale(files, join(path, 'tmp'));
  const place: Place = { root: path, files, folders: new DurableFolders(files, path), reserve: new Reserve(files, path) };
  /** A drive that was unplugged leaves its empty mount point behind: writing there would fill the wrong disk. */
  const stillThere = async () => {
    const now = await files.stat(path).catch(() => null);
    if (now?.dev === found.dev && now.ino === found.ino) return;
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `the folder ${path} is gone or was replaced; is the drive or share still connected?`,
      { retry: 'later' },
    );
  };
  return {
    location: path,
    async put(name, bytes) {
      await stillThere();
      const result = await putOrFail(place, name, bytes);
      if (mayFillReserve(name)) await place.reserve.fill();
      return result;
    },
    get: (name, range) => get(place, name, range),
    async readInto(name, offsetBytes, target) {
      await withFile(place, name, (file) => fill(file, { name, offsetBytes, target }));
    },
    async head(name) {
      checkName(name);
      const at = await files.stat(join(path, name)).catch((cause) => (isAbsent(cause) ? null : fail(cause, name)));
      return at?.isFile() ? { name, sizeBytes: at.size } : null;
    },
    list: (prefix) => list(place, prefix),
    async remove(name) {
      checkName(name);
      await files.unlink(join(path, name)).catch((cause) => {
        if (!isAbsent(cause)) fail(cause, name);
      });
      await syncFolder(files, dirname(join(path, name)));
    },
    async close() {},
  };
}

/** The folder's own name must be as durable as what will be in it. */
async function makeRoot(files: FileCalls, path: string): Promise<void> {
  const first = await files.mkdir(path, { recursive: true }).catch((cause) => fail(cause, path));
  for (let at = path; ; at = dirname(at)) {
    await syncFolder(files, dirname(at));
    if (typeof first !== 'string' || at.length <= first.length || dirname(at) === at) return;
  }
}

async function removeStale(files: FileCalls, folder: string): Promise<void> {
  const entries = await files.readdir(folder).catch(() => []);
  for (const { name } of entries) {
    if (name === reserveName) continue;
    const at = await files.stat(join(folder, name)).catch(() => null);
    if (at !== null && files.now() - at.mtimeMs > staleAfterMs) await files.unlink(join(folder, name)).catch(() => {});
  }
}

async function putOrFail(place: Place, name: string, bytes: Uint8Array): Promise<'stored' | 'exists'> {
  checkName(name);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await put(place, name, bytes);
    } catch (cause) {
      if (isFull(cause) && mayUseReserve(name) && (await place.reserve.give(bytes.length))) continue;
      // After a jump of the clock another process may take a file in `tmp/` for an old one.
      if (codeOf(cause) === 'ENOENT' && attempt < putAttempts) continue;
      return fail(cause, name);
    }
  }
}

async function put(place: Place, name: string, bytes: Uint8Array): Promise<'stored' | 'exists'> {
  const { root, files, folders } = place;
  const target = join(root, name);
  const there = await files.stat(target).catch(() => null);
  if (there !== null && !(await isDamagedCopy(place, there.size, { name, bytes }))) {
    // Whoever wrote it may not have synced its name yet, and "exists" promises that it stays.
    await folders.make(dirname(target));
    await syncFolder(files, dirname(target));
    return 'exists';
  }
  const temporary = join(root, 'tmp', `${process.pid}-${randomBytes(12).toString('hex')}`);
  try {
    await folders.make(join(root, 'tmp'));
    await folders.make(dirname(target));
    await writeDurably(files, temporary, bytes);
    await settleWitnesses(place, name);
    const result = there === null ? await moveWithoutOverwrite(files, temporary, target) : 'stored';
    if (there !== null) await files.rename(temporary, target);
    await syncFolder(files, dirname(target));
    return result;
  } finally {
    await files.unlink(temporary).catch(() => {});
  }
}

/** [F25] Marks and dooms name all points there are: none of them may be one that a power cut takes back, or it would look lost. */
async function settleWitnesses({ root, files }: Place, name: string): Promise<void> {
  if (/^gc\/\d+-(mark|doom)$/.test(name)) await syncTree(files, join(root, 'points'));
}

/**
 * [F19] Packs and segments are named by their bytes: what lies there with other bytes is damage, and whoever brings the right ones
 * (in a vault without encryption the same data gives the same pack) heals it. Calling it "exists" would lose what was just stored.
 */
async function isDamagedCopy(place: Place, size: number, wanted: { name: string; bytes: Uint8Array }): Promise<boolean> {
  const { name, bytes } = wanted;
  if (!/^(packs|index)\//.test(name)) return false;
  if (size === bytes.length && (await get(place, name, undefined).catch(() => null))?.equals(bytes) === true) return false;
  return name.endsWith(`/${sha256(bytes).toString('hex')}`);
}

async function moveWithoutOverwrite(files: FileCalls, from: string, to: string): Promise<'stored' | 'exists'> {
  try {
    await files.link(from, to);
    return 'stored';
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'EEXIST') return 'exists';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw cause;
    // No hard links here (FAT, some shares). Names commit to content, so the small race between look and rename loses nothing.
    if ((await files.stat(to).catch(() => null)) !== null) return 'exists';
    await files.rename(from, to);
    return 'stored';
  }
}

async function withFile<T>(place: Place, name: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  checkName(name);
  const file = await place.files.open(join(place.root, name), constants.O_RDONLY).catch((cause) => {
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

async function fill(file: OpenFile, wanted: { name: string; offsetBytes: number; target: Uint8Array }): Promise<void> {
  const { target, offsetBytes, name } = wanted;
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, offsetBytes + done);
    if (bytesRead === 0) throw new VaultError('VAULT_OBJECT_MISSING', `${name} ends before byte ${offsetBytes + target.length}`);
    done += bytesRead;
  }
}

function get(place: Place, name: string, range: Extent | undefined): Promise<Buffer> {
  return withFile(place, name, async (file) => {
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

/** What a writer or sweeper decides by must not be taken back by a power cut; of points those of one machine are listed for that. */
function mustStay(prefix: string): boolean {
  return /^(gc|index)\//.test(prefix) || /^points\/[^/]+\//.test(prefix);
}

/** Names in order; the folder of the prefix is the only one opened. */
async function* list(place: Place, prefix: string): AsyncIterable<StoredObject> {
  const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
  yield* walk(place, folder, prefix);
}

async function* walk(place: Place, folder: string, prefix: string): AsyncIterable<StoredObject> {
  const { root, files } = place;
  const entries = await files.readdir(join(root, folder)).catch((cause) => (isAbsent(cause) ? [] : fail(cause, folder)));
  if (entries.length > 0 && mustStay(prefix)) await syncFolder(files, join(root, folder));
  // A folder sorts as its name with the slash, so that the whole walk is in order of names.
  const sorted = entries.map((entry) => ({ entry, key: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { entry } of sorted) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (folder === '' && (entry.name === 'tmp' || entry.name === 'lost+found')) continue;
    if (entry.isDirectory()) {
      if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) yield* walk(place, name, prefix);
    } else if (entry.isFile() && name.startsWith(prefix)) {
      const at = await files.stat(join(root, name)).catch(() => null);
      if (at !== null) yield { name, sizeBytes: at.size, storedAtMs: at.mtimeMs };
    }
  }
}
