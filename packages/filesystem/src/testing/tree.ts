/** One comparable shape for a folder as the operating system shows it and as a reader shows it. */
import { createHash } from 'node:crypto';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { expect } from 'vitest';
import type { DirectoryEntry, EntryType, Filesystem } from '../filesystem.ts';

export interface TreeEntry {
  readonly type: EntryType;
  /** Content length; 0 for all but files. */
  readonly sizeBytes: number;
  /** Of the content; of samples of it when the file is larger than 64 MiB. Null for all but files. */
  readonly sha256: string | null;
  readonly linkTarget: string | null;
  readonly modifiedAtMs: number | null;
  readonly mode: number | null;
}

/** Path from the root without a leading `/`, to entry; the root itself is not listed. */
export type Tree = ReadonlyMap<string, TreeEntry>;

type ReadPiece = (offsetBytes: number, target: Uint8Array) => Promise<unknown>;

const pieceBytes = 1 << 20;
const wholeUpToBytes = 64 << 20;

/** Hash of a file read through `read`. Above 64 MiB: 64 pieces spread over it, its first and its last bytes. */
export async function hashContent(sizeBytes: number, read: ReadPiece): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(Math.min(sizeBytes, pieceBytes));
  const samples = sizeBytes > wholeUpToBytes;
  const stepBytes = samples ? Math.floor((sizeBytes - 65536) / 64) : pieceBytes;
  for (let offset = 0; offset < sizeBytes; offset += stepBytes) {
    const target = buffer.subarray(0, Math.min(samples ? 65536 : pieceBytes, sizeBytes - offset));
    await read(offset, target);
    hash.update(target);
  }
  return hash.digest('hex');
}

/** The tree below a folder of this machine. Names that are not UTF-8 are shown as a reader shows them: bytes replaced. */
export async function treeOfFolder(folder: string): Promise<Tree> {
  const tree = new Map<string, TreeEntry>();
  const visit = async (at: Buffer, shown: string): Promise<void> => {
    for (const name of await readdir(at, { encoding: 'buffer' })) {
      const path = Buffer.concat([at, Buffer.from('/'), name]);
      const shownPath = shown === '' ? name.toString('utf8') : `${shown}/${name.toString('utf8')}`;
      const entry = await entryOfPath(path);
      tree.set(shownPath, entry);
      if (entry.type === 'directory') await visit(path, shownPath);
    }
  };
  await visit(Buffer.from(folder), '');
  return tree;
}

async function entryOfPath(path: Buffer): Promise<TreeEntry> {
  const stat = await lstat(path, { bigint: true });
  const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
  const sizeBytes = type === 'file' ? Number(stat.size) : 0;
  return {
    type,
    sizeBytes,
    sha256: type === 'file' ? await hashPath(path, sizeBytes) : null,
    linkTarget: type === 'symlink' ? (await readlink(path, { encoding: 'buffer' })).toString('utf8') : null,
    modifiedAtMs: Number(stat.mtimeNs / 1_000_000n) - (stat.mtimeNs < 0n && stat.mtimeNs % 1_000_000n !== 0n ? 1 : 0),
    mode: Number(stat.mode),
  };
}

async function hashPath(path: Buffer, sizeBytes: number): Promise<string> {
  const handle = await open(path, 'r');
  try {
    return await hashContent(sizeBytes, (offsetBytes, target) => handle.read(target, 0, target.length, offsetBytes));
  } finally {
    await handle.close();
  }
}

/** The tree as a reader of ours shows it. `depth` guards against a loop of folders. */
export async function treeOfFilesystem(filesystem: Filesystem): Promise<Tree> {
  const tree = new Map<string, TreeEntry>();
  const visit = async (directory: DirectoryEntry, shown: string, depth: number): Promise<void> => {
    if (depth > 300) throw new Error(`folders are nested deeper than 300 at ${shown}`);
    for await (const entry of filesystem.readDirectory(directory)) {
      const path = shown === '' ? entry.name : `${shown}/${entry.name}`;
      if (tree.has(path)) throw new Error(`${path} is listed twice`);
      tree.set(path, await entryOfReader(filesystem, entry));
      if (entry.type === 'directory') await visit(entry, path, depth + 1);
    }
  };
  await visit(await filesystem.root(), '', 0);
  return tree;
}

async function entryOfReader(filesystem: Filesystem, entry: DirectoryEntry): Promise<TreeEntry> {
  const { type, sizeBytes, linkTarget, modifiedAtMs, mode } = entry;
  const content = type === 'file' ? await filesystem.openFile(entry) : null;
  const sha256 = content
    ? await hashContent(content.sizeBytes, (offsetBytes, target) => content.read(offsetBytes, target))
    : null;
  return { type, sizeBytes: type === 'file' ? sizeBytes : 0, sha256, linkTarget, modifiedAtMs, mode };
}

/** Compares two trees, leaving out fields the format does not have (e.g. `['mode']` for FAT). */
export function expectSameTree(actual: Tree, expected: Tree, options: { ignore?: readonly (keyof TreeEntry)[] } = {}): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  const ignore = new Set<string>(options.ignore ?? []);
  const plain = (tree: Tree) =>
    Object.fromEntries(
      [...tree]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([path, entry]) => [path, Object.entries(entry).filter(([key]) => !ignore.has(key))]),
    );
  expect(plain(actual)).toEqual(plain(expected));
}
