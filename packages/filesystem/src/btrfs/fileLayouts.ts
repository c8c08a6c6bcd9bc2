/**
 * Where the content of every file lies on this device: plain extents, the first copy of each. What is compressed, inline or on
 * other devices only has no extent. Snapshots are told like any folder: files that share their extents tell them each.
 */
import type { DirectoryEntry, FileExtent, FileLayout, Filesystem } from '../filesystem.ts';
import { walkLayouts } from '../layoutWalk.ts';
import { mapFile } from './fileMap.ts';
import { emptyFolderInode, type Inode, parseRef, type Subvolumes } from './inode.ts';
import type { Volume } from './volume.ts';

interface Source extends Pick<Filesystem, 'root' | 'readDirectory'> {
  readonly volume: Volume;
  readonly subvolumes: Subvolumes;
}

/** As `Filesystem.fileLayouts`. */
export async function* fileLayouts(source: Source): AsyncGenerator<FileLayout> {
  const { volume, subvolumes } = source;
  // Folders that stand for a subvolume which is not here are empty, and all have one inode.
  let empty = 0;
  yield* walkLayouts({
    root: await source.root(),
    readDirectory: (directory) => source.readDirectory(directory),
    nameBytes: (entry) => entry.nameBytes,
    folderIdentity: ({ ref }) => (parseRef(ref).number === emptyFolderInode ? `${ref} ${empty++}` : ref),
    fileIdentity: (file) => file.ref,
    async layoutOf(file) {
      const inode = await subvolumes.inode(parseRef(file.ref));
      return { stamp: inode.stamp, extents: await extentsOf(volume, inode, false) };
    },
  });
}

/** Where a file lies, reserved and never written parts too; empty when any of it is compressed, inline or elsewhere. */
export async function allocatedExtents(source: Source, file: DirectoryEntry): Promise<FileExtent[]> {
  const inode = await source.subvolumes.inode(parseRef(file.ref));
  const runs = await mapFile(source.volume, inode, { unwritten: true });
  return runs.every(({ kind }) => kind === 'plain') ? extentsOf(source.volume, inode, true) : [];
}

async function extentsOf(volume: Volume, inode: Inode, unwritten: boolean): Promise<FileExtent[]> {
  const { sectorBytes } = volume.superblock;
  const fileEnd = Math.ceil(inode.sizeBytes / sectorBytes) * sectorBytes;
  const extents: FileExtent[] = [];
  for (const run of await mapFile(volume, inode, { unwritten })) {
    if (run.kind !== 'plain' || run.start % sectorBytes !== 0) continue;
    const lengthBytes = Math.min(run.lengthBytes, fileEnd - run.start);
    for (let done = 0; done < lengthBytes; ) {
      const place = volume.nodes.chunks.place(run.logical + done, 'a file');
      const here = Math.min(place.lengthBytes, lengthBytes - done);
      const [copy] = place.copies;
      const whole = Math.floor(here / sectorBytes) * sectorBytes;
      if (copy !== undefined && copy % sectorBytes === 0 && whole > 0) {
        extents.push({ fileOffsetBytes: run.start + done, volumeOffsetBytes: copy, lengthBytes: whole });
      }
      done += here;
    }
  }
  return extents;
}
