/**
 * Folders that outlive a power cut. A file system shows a name before it is durable, so "it is there" does not mean "it stays": a
 * folder another process has just made, or was killed while making, may vanish with everything that was synced inside it.
 */
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileCalls } from './fileCalls.ts';
import { codeOf } from './fileFailure.ts';

/** Windows and some shares cannot sync a folder; there a name is as durable as it gets. */
export async function syncFolder(files: FileCalls, path: string): Promise<void> {
  const handle = await files.open(path, constants.O_RDONLY).catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Syncs `path` and all folders below it. */
export async function syncTree(files: FileCalls, path: string): Promise<void> {
  const entries = await files.readdir(path).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await syncTree(files, join(path, entry.name));
  await syncFolder(files, path);
}

export class DurableFolders {
  private readonly files: FileCalls;
  private readonly root: string;
  /** Folders whose names this process saw become durable. */
  private readonly durable = new Set<string>();

  constructor(files: FileCalls, root: string) {
    this.files = files;
    this.root = root;
  }

  /** Makes the folders down to `path`; all of them are durable when it resolves. */
  async make(path: string): Promise<void> {
    if (path === this.root) return;
    const { files } = this;
    const there = (await files.stat(path).catch(() => null)) !== null;
    if (there && this.durable.has(path)) return;
    const parent = dirname(path);
    await this.make(parent);
    if (!there) {
      await files.mkdir(path).catch((cause) => {
        if (codeOf(cause) !== 'EEXIST') throw cause;
      });
    }
    // One sync serves all folders that are there by now: a vault has 256 beside each other.
    const entries = await files.readdir(parent);
    await syncFolder(files, parent);
    for (const entry of entries) if (entry.isDirectory()) this.durable.add(join(parent, entry.name));
  }
}
