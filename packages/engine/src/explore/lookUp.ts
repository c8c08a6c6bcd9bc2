/** From a path to an entry, inside one filesystem. Symlinks are not followed: a link in the middle of a path is no folder. */
import {
  type DirectoryEntry,
  type Filesystem,
  FilesystemError,
  type FilesystemKind,
  type NamedStream,
} from '@diskfleet/filesystem';
import { EngineError } from '../errors.ts';

/** Folders remembered per filesystem, so that walking a deep tree does not read every folder above again and again. */
const MAX_REMEMBERED = 2000;
/** Whoever opens one file of a folder mostly opens its neighbours next: the names of the last few folders are kept. */
const MAX_LISTS = 4;
const MAX_NAMES = 50_000;
/** Where the case of a name does not count. */
const CASELESS: ReadonlySet<FilesystemKind> = new Set(['ntfs', 'fat12', 'fat16', 'fat32', 'exfat'] as const);

interface Names {
  readonly exact: ReadonlyMap<string, DirectoryEntry>;
  /** By upper-case name, the first of its kind; empty where case counts. */
  readonly folded: ReadonlyMap<string, DirectoryEntry>;
}

export class PathFinder {
  readonly #filesystem: Filesystem;
  readonly #ignoreCase: boolean;
  readonly #folders = new Map<string, DirectoryEntry>();
  readonly #lists = new Map<string, Names>();

  constructor(filesystem: Filesystem) {
    this.#filesystem = filesystem;
    this.#ignoreCase = CASELESS.has(filesystem.info.kind);
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

  /**
   * As `find`, where the last name may be that of a stream: `setup.exe:Zone.Identifier`. A file of just that name comes first.
   * @returns `stream` is null for the file or folder itself
   */
  async findContent(segments: readonly string[], path: string): Promise<{ entry: DirectoryEntry; stream: NamedStream | null }> {
    try {
      return { entry: await this.find(segments, path), stream: null };
    } catch (error) {
      const last = segments.at(-1) ?? '';
      const colon = last.indexOf(':');
      if (!(error instanceof EngineError && error.code === 'PATH_NOT_FOUND') || colon < 0) throw error;
      const above = segments.slice(0, -1);
      const entry = await this.find(colon === 0 ? above : [...above, last.slice(0, colon)], path);
      const wanted = last.slice(colon + 1);
      const streams = entry.streams ?? [];
      const folded = this.#fold(wanted);
      const found =
        streams.find(({ name }) => name === wanted) ??
        (this.#ignoreCase ? streams.find(({ name }) => this.#fold(name) === folded) : undefined);
      if (found === undefined) throw error;
      return { entry, stream: found };
    }
  }

  async #child(folder: DirectoryEntry, name: string, path: string): Promise<DirectoryEntry> {
    const names = this.#lists.get(folder.ref) ?? (await this.#read(folder));
    const found = names.exact.get(name) ?? names.folded.get(this.#fold(name));
    if (found === undefined) throw new EngineError('PATH_NOT_FOUND', `there is no ${path} on this disk`);
    return found;
  }

  async #read(folder: DirectoryEntry): Promise<Names> {
    const names = { exact: new Map<string, DirectoryEntry>(), folded: new Map<string, DirectoryEntry>() };
    for await (const entry of this.#filesystem.readDirectory(folder)) {
      if (!names.exact.has(entry.name)) names.exact.set(entry.name, entry);
      const folded = this.#fold(entry.name);
      if (this.#ignoreCase && !names.folded.has(folded)) names.folded.set(folded, entry);
    }
    if (names.exact.size <= MAX_NAMES) this.#lists.set(folder.ref, names);
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= MAX_LISTS) break;
      this.#lists.delete(oldest);
    }
    return names;
  }

  /** As the volume itself folds names, where it says how. */
  #fold(name: string): string {
    return this.#filesystem.foldName?.(name) ?? name.toUpperCase();
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
