/** The walk behind `Filesystem.fileLayouts` for readers that find files by reading folders. A name held costs some 300 bytes. */
import type { DirectoryEntry, FileLayout } from './filesystem.ts';
import { FolderWalk, type NameBatch, readable } from './folderWalk.ts';

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
  readonly key: string;
  readonly entry: DirectoryEntry;
}

/** As `Filesystem.fileLayouts`: what cannot be read is left out. @throws FilesystemError for the volume as a whole. */
export async function* walkLayouts(tree: LayoutTree): AsyncGenerator<FileLayout> {
  const walk = new FolderWalk<Named, string>();
  const enter = async (directory: DirectoryEntry, prefix: string) =>
    walk.enter(await tree.folderIdentity(directory), prefix, namesOf(tree, directory));
  await enter(tree.root, '');
  for (let folder = walk.current(); folder !== undefined; folder = walk.current()) {
    const named = folder.names[folder.next++];
    if (named === undefined) {
      walk.leave();
      continue;
    }
    const { entry } = named;
    const path = folder.prefix + entry.name;
    if (entry.type === 'directory') {
      await readable(() => enter(entry, `${path}/`));
      continue;
    }
    const identity = tree.fileIdentity(entry);
    if (identity !== null && !walk.isNew(identity)) continue;
    const found = await readable(() => tree.layoutOf(entry));
    if (found !== undefined && found.extents.length > 0) {
      yield { path, ref: entry.ref, sizeBytes: entry.sizeBytes, stamp: found.stamp, extents: found.extents };
    }
  }
}

/** Files without content and what is neither file nor folder are not even remembered. */
async function* namesOf(tree: LayoutTree, directory: DirectoryEntry): AsyncGenerator<NameBatch<Named>> {
  for await (const entry of tree.readDirectory(directory)) {
    const wanted = entry.type === 'directory' || (entry.type === 'file' && entry.sizeBytes > 0);
    const key = wanted ? Buffer.from(tree.nameBytes(entry)).toString('latin1') : '';
    yield { names: wanted ? [{ key, entry }] : [], entries: 1 };
  }
}
