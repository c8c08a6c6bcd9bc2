/** From a path to an entry, inside one filesystem. Symlinks are not followed: a link in the middle of a path is no folder. */
import { type DirectoryEntry, type Filesystem, FilesystemError } from '@diskfleet/filesystem';
import { EngineError } from '../errors.ts';

/** Folders remembered per filesystem, so that walking a deep tree does not read every folder above again and again. */
const MAX_REMEMBERED = 2000;

export class PathFinder {
  readonly #filesystem: Filesystem;
  readonly #ignoreCase: boolean;
  readonly #folders = new Map<string, DirectoryEntry>();

  constructor(filesystem: Filesystem) {
    this.#filesystem = filesystem;
    this.#ignoreCase = !filesystem.info.kind.startsWith('ext');
  }

  /**
   * @param path for messages
   * @throws EngineError `PATH_NOT_FOUND`; FilesystemError `FS_NOT_A_DIRECTORY` when something in the middle is no folder
   */
  async find(segments: readonly string[], path: string): Promise<DirectoryEntry> {
    let entry = await this.#filesystem.root();
    for (const [index, segment] of segments.entries()) {
      const key = segments.slice(0, index + 1).join('/');
      const known = this.#folders.get(key);
      if (known === undefined && entry.type !== 'directory') {
        throw new FilesystemError('FS_NOT_A_DIRECTORY', `${segments.slice(0, index).join('/')} is not a folder`);
      }
      entry = known ?? (await this.#child(entry, segment, path));
      if (entry.type === 'directory') this.#remember(key, entry);
    }
    return entry;
  }

  async #child(folder: DirectoryEntry, name: string, path: string): Promise<DirectoryEntry> {
    const folded = name.toUpperCase();
    let similar: DirectoryEntry | null = null;
    for await (const entry of this.#filesystem.readDirectory(folder)) {
      if (entry.name === name) return entry;
      if (this.#ignoreCase && entry.name.toUpperCase() === folded) similar ??= entry;
    }
    if (similar === null) throw new EngineError('PATH_NOT_FOUND', `there is no ${path} on this disk`);
    return similar;
  }

  #remember(key: string, entry: DirectoryEntry): void {
    this.#folders.delete(key);
    this.#folders.set(key, entry);
    for (const oldest of this.#folders.keys()) {
      if (this.#folders.size <= MAX_REMEMBERED) break;
      this.#folders.delete(oldest);
    }
  }
}
