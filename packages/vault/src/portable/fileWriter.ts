/**
 * A portable file in the making, as a store: each object is appended as it comes. What a run leaves behind for other writers only
 * (sessions) stays in memory and is forgotten. Memory: one directory entry an object, nothing of their bytes.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VaultError } from '../errors.ts';
import { checkName } from '../stores/names.ts';
import type { Store, StoredObject } from '../types.ts';
import { type DirectoryEntry, encodeDirectory, encodeFooter, encodePartHeader, footerBytes, partHeaderBytes } from './layout.ts';
import { partPath } from './parts.ts';

export interface PortableFile {
  readonly store: Store;
  /** Adds directory and footer and gives the parts their names, the first one last. */
  finish(): Promise<{ files: readonly string[]; bytes: number }>;
  /** Removes what was written. */
  abandon(): Promise<void>;
}

/** @param partBytes size of the parts, or null for one file. @throws VaultError `PORTABLE_EXISTS`, `VAULT_STORE_FAILED`. */
export async function createPortableFile(path: string, partBytes: number | null): Promise<PortableFile> {
  if (partBytes !== null && !(Number.isSafeInteger(partBytes) && partBytes >= 4096)) {
    throw new RangeError(`parts of ${partBytes} bytes are too small`);
  }
  await refuseExisting(path);
  return new AppendedFile(path, partBytes);
}

/** A part of an older file of the same name would be taken for one of this. */
async function refuseExisting(path: string): Promise<void> {
  for (const name of [path, partPath(path, 1)]) {
    if ((await stat(name).catch(() => null)) !== null) throw new VaultError('PORTABLE_EXISTS', `${name} exists already`);
  }
}

class AppendedFile implements PortableFile {
  readonly store: Store;
  private readonly path: string;
  private readonly partBytes: number | null;
  private readonly fileId = randomBytes(16);
  private readonly mark = randomBytes(4).toString('hex');
  private readonly entries = new Map<string, DirectoryEntry>();
  private readonly passing = new Map<string, Buffer>();
  private readonly temporary: string[] = [];
  private file: FileHandle | null = null;
  private partUsed = 0;
  private used = 0;
  private queue: Promise<void> = Promise.resolve();

  constructor(path: string, partBytes: number | null) {
    this.path = path;
    this.partBytes = partBytes;
    this.store = this.makeStore();
  }

  private makeStore(): Store {
    return {
      location: this.path,
      put: (name, bytes) => this.put(name, bytes),
      get: async (name, range) => {
        const bytes = await this.read(name);
        return range === undefined ? bytes : bytes.subarray(range.offsetBytes, range.offsetBytes + range.lengthBytes);
      },
      head: async (name) => this.look(name),
      list: (prefix) => this.list(prefix),
      remove: async (name) => {
        this.passing.delete(name);
      },
      close: async () => {},
    };
  }

  private look(name: string): StoredObject | null {
    const sizeBytes = this.passing.get(name)?.length ?? this.entries.get(name)?.lengthBytes;
    return sizeBytes === undefined ? null : { name, sizeBytes };
  }

  private async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const name of [...this.entries.keys(), ...this.passing.keys()].sort()) {
      const found = name.startsWith(prefix) ? this.look(name) : null;
      if (found !== null) yield found;
    }
  }

  private async put(name: string, bytes: Uint8Array): Promise<'stored' | 'exists'> {
    checkName(name);
    if (this.look(name) !== null) return 'exists';
    if (/^(sessions|gc)\//.test(name)) {
      this.passing.set(name, Buffer.from(bytes));
      return 'stored';
    }
    this.entries.set(name, { name, offsetBytes: this.used, lengthBytes: bytes.length });
    this.used += bytes.length;
    await this.append(bytes);
    return 'stored';
  }

  /** In the order of the calls: the place of an object is given away before its bytes are written. */
  private append(bytes: Uint8Array): Promise<void> {
    const task = this.queue.then(() => this.write(bytes));
    // After a failure nothing more is written, and every caller is told.
    this.queue = task;
    task.catch(() => {});
    return task;
  }

  private async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const file = await this.openPart();
      const room = (this.partBytes ?? Number.MAX_SAFE_INTEGER) - this.partUsed;
      const piece = bytes.subarray(done, done + Math.min(bytes.length - done, room));
      await this.writeAll(file, piece);
      done += piece.length;
    }
  }

  /** The part that has room: a new one when the last is full. */
  private async openPart(): Promise<FileHandle> {
    if (this.file !== null && this.partUsed !== this.partBytes) return this.file;
    await this.closePart();
    const number = this.temporary.length;
    const temporary = `${partPath(this.path, number)}.${this.mark}.partial`;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = await open(temporary, flags, 0o600).catch((cause: unknown) => failed(cause, temporary));
    this.temporary.push(temporary);
    this.file = file;
    this.partUsed = 0;
    await this.writeAll(file, encodePartHeader({ number, fileId: this.fileId, partBytes: this.partBytes ?? 0 }));
    return file;
  }

  private async writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, 8 << 20);
      const { bytesWritten } = await file.write(bytes, done, length).catch((cause: unknown) => failed(cause, this.path));
      done += bytesWritten;
      this.partUsed += bytesWritten;
    }
  }

  private async closePart(): Promise<void> {
    const { file } = this;
    if (file === null) return;
    this.file = null;
    try {
      await file.sync().catch((cause: unknown) => failed(cause, this.path));
    } finally {
      await file.close();
    }
  }

  /** What is read back is small: the config, and segments when there are so many that they are merged. */
  private async read(name: string): Promise<Buffer> {
    checkName(name);
    const passing = this.passing.get(name);
    if (passing !== undefined) return passing;
    const entry = this.entries.get(name);
    if (entry === undefined) throw new VaultError('VAULT_OBJECT_MISSING', `${this.path} has no object ${name}`);
    await this.queue;
    const payload = this.partBytes === null ? Number.MAX_SAFE_INTEGER : this.partBytes - partHeaderBytes;
    const bytes = Buffer.alloc(entry.lengthBytes);
    for (let done = 0; done < bytes.length; ) {
      const at = entry.offsetBytes + done;
      const within = at % payload;
      const length = Math.min(bytes.length - done, payload - within);
      const part = this.temporary[Math.floor(at / payload)] ?? '';
      const file = await open(part, 'r').catch((cause: unknown) => failed(cause, part));
      const { bytesRead } = await file.read(bytes, done, length, partHeaderBytes + within).finally(() => file.close());
      if (bytesRead === 0) throw new VaultError('VAULT_STORE_FAILED', `${part} became shorter while it was written`);
      done += bytesRead;
    }
    return bytes;
  }

  async finish(): Promise<{ files: readonly string[]; bytes: number }> {
    const entries = [...this.entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const directory = encodeDirectory(entries);
    const directoryOffset = this.used;
    const streamBytes = directoryOffset + directory.length + footerBytes;
    const { fileId } = this;
    const counts = { objects: entries.length, directoryOffset, directoryBytes: directory.length, streamBytes, fileId };
    await this.append(directory);
    await this.append(encodeFooter(counts, directory));
    await this.closePart();
    await refuseExisting(this.path);
    const files = this.temporary.map((_, number) => partPath(this.path, number));
    for (let number = files.length - 1; number >= 0; number -= 1) {
      const [from, to] = [this.temporary[number], files[number]];
      if (from !== undefined && to !== undefined) await rename(from, to).catch((cause: unknown) => failed(cause, to));
    }
    await syncFolder(dirname(this.path));
    return { files, bytes: streamBytes + files.length * partHeaderBytes };
  }

  async abandon(): Promise<void> {
    await this.queue.catch(() => {});
    await this.file?.close().catch(() => {});
    this.file = null;
    for (const path of this.temporary) await unlink(path).catch(() => {});
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY).catch(() => null);
  // Windows and some shares cannot sync a folder.
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function failed(cause: unknown, path: string): never {
  if (cause instanceof VaultError) throw cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    const why = code === 'EFBIG' ? 'files here may not be that large (split it)' : 'no space is left';
    throw new VaultError('VAULT_FULL', `${why} for ${path}`, { retry: 'later', cause });
  }
  throw new VaultError('VAULT_STORE_FAILED', `${path} cannot be written: ${text}`, { cause });
}
