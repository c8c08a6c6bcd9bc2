/**
 * The walk behind `Filesystem.fileLayouts` for readers that find files by reading folders: depth first, names in byte order. Held
 * at a time are the names of the folders from the root to the present one, some 300 bytes each.
 */
import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from './errors.ts';
import type { DirectoryEntry, FileLayout } from './filesystem.ts';

const MOST_ENTRIES = 10_000_000;
/** A folder that would bring more names than this into memory is left out. */
const MOST_NAMES_HELD = 1_000_000;
const DEEPEST_FOLDER = 4096;

export interface LayoutTree {
  readonly root: DirectoryEntry;
  readDirectory(directory: DirectoryEntry): AsyncIterable<DirectoryEntry>;
  /** The name as bytes, to be ordered by. */
  nameBytes(entry: DirectoryEntry): Uint8Array;
  /** The same for all names of one folder; a folder with a second one ends the walk. */
  folderIdentity(directory: DirectoryEntry): string | Promise<string>;
  /** The same for all names of one file: told once. Null where files have one name each. */
  fileIdentity(file: DirectoryEntry): string | null;
  /** Where the content lies; an empty list of extents when none stands on the volume as it is. */
  layoutOf(file: DirectoryEntry): Promise<Pick<FileLayout, 'stamp' | 'extents'>>;
}

interface Named {
  /** One character per byte, so that strings compare as the bytes do. */
  readonly key: string;
  readonly entry: DirectoryEntry;
}

interface Folder {
  /** Empty for the root, else with a `/` at its end. */
  readonly prefix: string;
  readonly names: readonly Named[];
  next: number;
}

/** As `Filesystem.fileLayouts`: what cannot be read is left out. @throws FilesystemError for the volume as a whole. */
export async function* walkLayouts(tree: LayoutTree): AsyncGenerator<FileLayout> {
  const walk = new Walk(tree);
  await walk.enter(tree.root, '');
  for (let folder = walk.current(); folder !== undefined; folder = walk.current()) {
    const named = folder.names[folder.next++];
    if (named === undefined) {
      walk.leave();
      continue;
    }
    const { entry } = named;
    const path = folder.prefix + entry.name;
    if (entry.type === 'directory') await readable(() => walk.enter(entry, `${path}/`));
    else if (walk.isNew(entry)) {
      const found = await readable(() => tree.layoutOf(entry));
      if (found !== undefined && found.extents.length > 0) {
        yield { path, ref: entry.ref, sizeBytes: entry.sizeBytes, stamp: found.stamp, extents: found.extents };
      }
    }
  }
}

class Walk {
  readonly #tree: LayoutTree;
  readonly #folders: Folder[] = [];
  readonly #metFolders = new Set<string>();
  readonly #metFiles = new Set<string>();
  #namesHeld = 0;
  #entries = 0;

  constructor(tree: LayoutTree) {
    this.#tree = tree;
  }

  current(): Folder | undefined {
    return this.#folders.at(-1);
  }

  leave(): void {
    this.#namesHeld -= this.#folders.pop()?.names.length ?? 0;
  }

  /** Files without content and what is neither file nor folder are not even remembered. */
  async enter(directory: DirectoryEntry, prefix: string): Promise<void> {
    const identity = await this.#tree.folderIdentity(directory);
    if (this.#metFolders.has(identity)) throw new EndOfWalk('FS_DAMAGED', `the folder ${prefix} has a second place`);
    this.#metFolders.add(identity);
    if (this.#folders.length >= DEEPEST_FOLDER) throw new FilesystemError('FS_TOO_LARGE', 'folders are nested too deep');
    const names: Named[] = [];
    for await (const entry of this.#tree.readDirectory(directory)) {
      if (++this.#entries > MOST_ENTRIES) throw new EndOfWalk('FS_TOO_LARGE', `there are more than ${MOST_ENTRIES} files`);
      if (entry.type !== 'directory' && (entry.type !== 'file' || entry.sizeBytes === 0)) continue;
      if (this.#namesHeld + names.length >= MOST_NAMES_HELD) return;
      names.push({ key: Buffer.from(this.#tree.nameBytes(entry)).toString('latin1'), entry });
    }
    names.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#namesHeld += names.length;
    this.#folders.push({ prefix, names, next: 0 });
  }

  /** False for the second name of a file. */
  isNew(file: DirectoryEntry): boolean {
    const identity = this.#tree.fileIdentity(file);
    if (identity === null) return true;
    if (this.#metFiles.has(identity)) return false;
    this.#metFiles.add(identity);
    return true;
  }
}

/** What is wrong with the volume as a whole, as opposed to one file of it. */
class EndOfWalk extends FilesystemError {}

async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if ((error instanceof FilesystemError && !(error instanceof EndOfWalk)) || error instanceof DiskError) return undefined;
    throw error;
  }
}
