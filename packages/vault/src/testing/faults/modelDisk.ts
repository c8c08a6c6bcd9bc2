/**
 * A disk that forgets: the file system below a directory store, in memory, with the promises a real one makes and no more. What was
 * written stays for certain only when its file was synced, and a name only when its folder was. It can be full, and bits can flip.
 */
import { constants } from 'node:fs';
import type { FileCalls, FileFacts, OpenFile } from '../../stores/fileCalls.ts';
import { Copied, FileNode, FolderNode, type Loss, type NameChange, type Node, PowerCut } from './modelNodes.ts';

/** What takes part in a turn: calls that change the disk. */
export type Change = 'create' | 'write' | 'truncate' | 'sync' | 'syncFolder' | 'mkdir' | 'link' | 'rename' | 'unlink';

export interface DiskHooks {
  /** Before each change; what it throws the call fails with. */
  readonly before?: (change: Change, path: string) => Promise<void> | void;
  /** Planted bugs: syncing these does nothing. */
  readonly lies?: ReadonlySet<'sync' | 'syncFolder'>;
}

const inodeBytes = 256;
const nameBytes = 64;
const totalBytes = 40 << 20;

export class ModelDisk {
  private root: FolderNode;
  private inodes = 2;
  /** Bytes that still fit; Infinity unless a test says otherwise. */
  roomBytes = Number.POSITIVE_INFINITY;
  /** The clock that files are stamped with. */
  clock: () => number;

  constructor(clock: () => number = () => 0) {
    this.clock = clock;
    this.root = new FolderNode(1, 0);
  }

  /** The same disk once more; both go on independently. */
  copy(): ModelDisk {
    const copy = new ModelDisk(this.clock);
    copy.root = this.root.copy(new Copied());
    copy.inodes = this.inodes;
    copy.roomBytes = this.roomBytes;
    return copy;
  }

  /** Files that are open now are cut off: what is written to them goes nowhere. */
  cutPower(loss: Loss): void {
    this.root = this.root.afterPowerCut(new PowerCut(loss));
  }

  /** Paths of all files, in order of names. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (folder: FolderNode, path: string) => {
      for (const [name, node] of folder.entries) {
        if (node instanceof FileNode) found.push(`${path}/${name}`);
        else walk(node, `${path}/${name}`);
      }
    };
    walk(this.root, '');
    return found.sort();
  }

  read(path: string): Buffer {
    return this.file(path).content;
  }

  /** One bit of what lies there for good. */
  flip(path: string, at: number, bit: number): void {
    const file = this.file(path);
    for (const key of ['content', 'synced'] as const) {
      const bytes = Buffer.from(file[key]);
      if (at < bytes.length) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
      file[key] = bytes;
    }
  }

  private file(path: string): FileNode {
    const node = this.find(path);
    if (!(node instanceof FileNode)) throw failure('ENOENT', path);
    return node;
  }

  private find(path: string): Node | null {
    let node: Node = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (node instanceof FileNode) throw failure('ENOTDIR', path);
      const next = node.entries.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  private parent(path: string): { folder: FolderNode; name: string } {
    const cut = path.lastIndexOf('/');
    const folder = this.find(path.slice(0, cut));
    if (!(folder instanceof FolderNode)) throw failure('ENOENT', path);
    folder.mtimeMs = this.clock();
    return { folder, name: path.slice(cut + 1) };
  }

  private take(bytes: number, path: string): void {
    if (bytes > this.roomBytes) throw failure('ENOSPC', path);
    this.roomBytes -= bytes;
  }

  private makeFolder(path: string): void {
    const { folder, name } = this.parent(path);
    if (folder.entries.has(name)) throw failure('EEXIST', path);
    this.take(inodeBytes + nameBytes, path);
    folder.set(name, new FolderNode(this.inodes++, this.clock()));
  }

  private create(path: string): FileNode {
    const { folder, name } = this.parent(path);
    const there = folder.entries.get(name);
    if (there instanceof FolderNode) throw failure('EISDIR', path);
    if (there !== undefined) return there;
    this.take(inodeBytes + nameBytes, path);
    const file = new FileNode(this.inodes++, this.clock());
    file.names = 1;
    folder.set(name, file);
    return file;
  }

  private link(from: string, to: string): void {
    const node = this.file(from);
    const { folder, name } = this.parent(to);
    if (folder.entries.has(name)) throw failure('EEXIST', to);
    this.take(nameBytes, to);
    node.names += 1;
    folder.set(name, node);
  }

  private rename(from: string, to: string): void {
    const node = this.file(from);
    const source = this.parent(from);
    const target = this.parent(to);
    const replaced = target.folder.entries.get(target.name);
    if (replaced instanceof FileNode) this.release(replaced);
    const change: NameChange = { durable: false };
    target.folder.set(target.name, node, change);
    source.folder.set(source.name, null, change);
  }

  private unlink(path: string): void {
    const node = this.file(path);
    const { folder, name } = this.parent(path);
    folder.set(name, null);
    this.release(node);
  }

  private release(node: FileNode): void {
    node.names -= 1;
    this.roomBytes += nameBytes + (node.names === 0 ? inodeBytes + node.content.length : 0);
  }

  /** @param hooks of the process that makes the calls */
  files(hooks: DiskHooks = {}): FileCalls {
    const before = async (change: Change, path: string) => hooks.before?.(change, path);
    return {
      open: (path, flags) => this.open(path, flags, { hooks, before }),
      stat: async (path) => factsOf(this.find(path) ?? fail('ENOENT', path)),
      sizeOf: async () => totalBytes,
      readdir: async (path) => {
        const folder = this.find(path) ?? fail('ENOENT', path);
        if (folder instanceof FileNode) throw failure('ENOTDIR', path);
        return [...folder.entries].map(([name, node]) => ({ name, ...kindOf(node) }));
      },
      mkdir: async (path, options) => {
        await before('mkdir', path);
        if (options?.recursive !== true) return this.makeFolder(path);
        let first: string | undefined;
        const parts = path.split('/');
        for (let end = 2; end <= parts.length; end += 1) {
          const part = parts.slice(0, end).join('/');
          if (this.find(part) !== null) continue;
          this.makeFolder(part);
          first ??= part;
        }
        return first;
      },
      link: async (from, to) => {
        await before('link', to);
        this.link(from, to);
      },
      rename: async (from, to) => {
        await before('rename', to);
        this.rename(from, to);
      },
      unlink: async (path) => {
        if (this.find(path) === null) throw failure('ENOENT', path);
        await before('unlink', path);
        this.unlink(path);
      },
      now: () => this.clock(),
    };
  }

  private async open(path: string, flags: number, by: OpenedBy): Promise<OpenFile> {
    const there = this.find(path);
    const creates = (flags & constants.O_CREAT) !== 0;
    if (there === null && !creates) throw failure('ENOENT', path);
    if (there instanceof FolderNode) return this.openFolder(there, path, by);
    if (creates) await by.before('create', path);
    const file = creates ? this.create(path) : this.file(path);
    if ((flags & constants.O_TRUNC) !== 0 && file.content.length > 0) this.cutTo(file, 0);
    return {
      write: async (bytes, from, lengthBytes, offsetBytes) => {
        await by.before('write', path);
        return {
          bytesWritten: this.write(file, Buffer.from(bytes.buffer, bytes.byteOffset + from, lengthBytes), { path, offsetBytes }),
        };
      },
      read: async (target, from, lengthBytes, offsetBytes) => {
        const bytes = file.content.subarray(offsetBytes, offsetBytes + lengthBytes);
        target.set(bytes, from);
        return { bytesRead: bytes.length };
      },
      truncate: async (lengthBytes) => {
        await by.before('truncate', path);
        this.cutTo(file, lengthBytes);
      },
      stat: async () => ({ size: file.content.length }),
      sync: async () => {
        await by.before('sync', path);
        if (by.hooks.lies?.has('sync') !== true) file.sync();
      },
      close: async () => {},
    };
  }

  private openFolder(folder: FolderNode, path: string, by: OpenedBy): OpenFile {
    return {
      write: async () => fail('EISDIR', path),
      read: async () => fail('EISDIR', path),
      truncate: async () => fail('EISDIR', path),
      stat: async () => ({ size: 0 }),
      sync: async () => {
        await by.before('syncFolder', path);
        if (by.hooks.lies?.has('syncFolder') !== true) folder.sync();
      },
      close: async () => {},
    };
  }

  /** Writes what fits, and fails when nothing does. */
  private write(file: FileNode, bytes: Buffer, to: { path: string; offsetBytes: number }): number {
    const grows = Math.max(0, to.offsetBytes + bytes.length - file.content.length);
    const fits = grows <= this.roomBytes ? bytes.length : bytes.length - (grows - this.roomBytes);
    if (fits <= 0) throw failure('ENOSPC', to.path);
    this.roomBytes -= Math.max(0, to.offsetBytes + fits - file.content.length);
    file.write(to.offsetBytes, bytes.subarray(0, fits));
    file.mtimeMs = this.clock();
    return fits;
  }

  private cutTo(file: FileNode, lengthBytes: number): void {
    this.roomBytes += file.content.length - lengthBytes;
    file.truncate(lengthBytes);
    file.mtimeMs = this.clock();
  }
}

interface OpenedBy {
  readonly hooks: DiskHooks;
  readonly before: (change: Change, path: string) => Promise<void>;
}

function kindOf(node: Node): { isFile: () => boolean; isDirectory: () => boolean } {
  const isFile = node instanceof FileNode;
  return { isFile: () => isFile, isDirectory: () => !isFile };
}

function factsOf(node: Node): FileFacts {
  const size = node instanceof FileNode ? node.content.length : 0;
  return { dev: 1, ino: node.ino, size, mtimeMs: node.mtimeMs, ...kindOf(node) };
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function fail(code: string, path: string): never {
  throw failure(code, path);
}
