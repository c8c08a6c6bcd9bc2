/**
 * Where a walk over all folders of a volume stands: depth first, names in byte order. Held at a time are the names of the folders from
 * the root to the present one. Bounded whatever the volume claims: no folder twice, caps on depth, on names and on names held.
 */
import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from './errors.ts';

const MOST_ENTRIES = 10_000_000;
/** A folder that would bring more names than this into memory is left out. */
const MOST_NAMES_HELD = 1_000_000;
const DEEPEST_FOLDER = 4096;

/** `key` has one character per byte of the name, so that strings compare as the bytes do. */
interface Keyed {
  readonly key: string;
}

export interface Folder<Name> {
  /** Empty for the root, else with a `/` at its end. */
  readonly prefix: string;
  readonly names: readonly Name[];
  next: number;
}

/** Some of a folder's names: those worth a visit, and how many there were. */
export interface NameBatch<Name> {
  readonly names: readonly Name[];
  readonly entries: number;
}

/** @param Identity what is the same for all names of one folder, and of one file */
export class FolderWalk<Name extends Keyed, Identity> {
  readonly #folders: Folder<Name>[] = [];
  readonly #metFolders = new Set<Identity>();
  readonly #metFiles = new Set<Identity>();
  #namesHeld = 0;
  #entries = 0;

  current(): Folder<Name> | undefined {
    return this.#folders.at(-1);
  }

  leave(): void {
    this.#namesHeld -= this.#folders.pop()?.names.length ?? 0;
  }

  /** A folder that has more names than fit is passed by. @throws FilesystemError `FS_DAMAGED` for a folder met twice, `FS_TOO_LARGE` */
  async enter(identity: Identity, prefix: string, batches: AsyncIterable<NameBatch<Name>>): Promise<void> {
    if (this.#metFolders.has(identity)) throw new EndOfWalk('FS_DAMAGED', `the folder ${prefix} has a second place`);
    this.#metFolders.add(identity);
    if (this.#folders.length >= DEEPEST_FOLDER) throw new FilesystemError('FS_TOO_LARGE', 'folders are nested too deep');
    const all: Name[] = [];
    for await (const { names, entries } of batches) {
      this.#entries += entries;
      if (this.#entries > MOST_ENTRIES) throw new EndOfWalk('FS_TOO_LARGE', `there are more than ${MOST_ENTRIES} files`);
      for (const name of names) all.push(name);
      if (this.#namesHeld + all.length > MOST_NAMES_HELD) return;
    }
    all.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#namesHeld += all.length;
    this.#folders.push({ prefix, names: all, next: 0 });
  }

  /** False for the second name of a file. */
  isNew(file: Identity): boolean {
    if (this.#metFiles.has(file)) return false;
    this.#metFiles.add(file);
    return true;
  }
}

/** What is wrong with the volume as a whole, as opposed to one file of it. */
class EndOfWalk extends FilesystemError {}

/** Undefined where a file or folder cannot be read, by what it says or by a bad sector: it is left out. */
export async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if ((error instanceof FilesystemError && !(error instanceof EndOfWalk)) || error instanceof DiskError) return undefined;
    throw error;
  }
}
