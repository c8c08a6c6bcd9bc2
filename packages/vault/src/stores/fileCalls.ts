/**
 * The calls a directory store makes of a file system, and nothing more: tests put a modelled disk here, one that forgets what was
 * not synced when its power is cut.
 */
import { link, mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';

export interface OpenFile {
  write(bytes: Uint8Array, from: number, lengthBytes: number, offsetBytes: number): Promise<{ bytesWritten: number }>;
  read(target: Uint8Array, from: number, lengthBytes: number, offsetBytes: number): Promise<{ bytesRead: number }>;
  truncate(lengthBytes: number): Promise<void>;
  stat(): Promise<{ size: number }>;
  /** What was written, or the names in a folder, outlives a power cut when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileFacts {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Failures carry the `code` of Node's: `ENOENT`, `EEXIST`, `ENOSPC`, … */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Promise<OpenFile>;
  stat(path: string): Promise<FileFacts>;
  /** Size of the file system in bytes. */
  sizeOf(path: string): Promise<number>;
  readdir(path: string): Promise<readonly FolderEntry[]>;
  mkdir(path: string, options?: { recursive: boolean }): Promise<unknown>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** By the clock that files are stamped with, in ms. */
  now(): number;
}

export const nodeFileCalls: FileCalls = {
  open,
  stat: (path) => stat(path),
  async sizeOf(path) {
    const { blocks, bsize } = await statfs(path);
    return blocks * bsize;
  },
  readdir: (path) => readdir(path, { withFileTypes: true }),
  mkdir,
  link,
  rename,
  unlink,
  now: Date.now,
};
