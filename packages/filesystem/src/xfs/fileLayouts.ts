/** Where the content of every file lies, and where swap files do. Inodes and folders are read in large pieces. */
import type { DirectoryEntry, FileExtent, FileLayout, Filesystem } from '../filesystem.ts';
import { walkLayouts } from '../layoutWalk.ts';
import { pieceCache } from '../pieceCache.ts';
import type { Inode } from './inodes.ts';
import { type ContentRun, mapFile } from './mapping.ts';
import type { Volume } from './volume.ts';

const cache = { pieceBytes: 128 << 10, pieces: 192 };

/** What the walk needs of a reader that reads from `volume.device`. */
export interface OpenedVolume extends Pick<Filesystem, 'root' | 'readDirectory'> {
  readonly volume: Volume;
  inodeOf(entry: DirectoryEntry): Promise<Inode>;
}

/** As `Filesystem.fileLayouts`. @param open opens the same volume over a device that keeps what it read */
export async function* fileLayouts(opened: Volume, open: (volume: Volume) => OpenedVolume): AsyncGenerator<FileLayout> {
  const source = open({ ...opened, device: pieceCache(opened.device, cache) });
  yield* walkLayouts({
    root: await source.root(),
    readDirectory: (directory) => source.readDirectory(directory),
    nameBytes: (entry) => entry.nameBytes,
    folderIdentity: (directory) => directory.ref,
    fileIdentity: (file) => file.ref,
    async layoutOf(file) {
      const inode = await source.inodeOf(file);
      if (inode.realtime || inode.format === 'local') return { stamp: '', extents: [] };
      return { stamp: stampOf(inode), extents: extentsOf(source.volume, inode, await mapFile(source.volume, inode)) };
    },
  });
}

/** All blocks of a file that lies on the volume, those never written too. */
export async function allocatedExtents(volume: Volume, inode: Inode): Promise<FileExtent[]> {
  if (inode.type !== 'file' || inode.realtime || inode.format === 'local') return [];
  return extentsOf(volume, inode, await mapFile(volume, inode, { unwritten: true }));
}

/** Blocks behind the end of the file (room kept for more) are none of its content. */
function extentsOf(volume: Volume, inode: Inode, runs: readonly ContentRun[]): FileExtent[] {
  const { blockBytes } = volume.superblock;
  const blocks = Math.ceil(inode.sizeBytes / blockBytes);
  const extents: FileExtent[] = [];
  for (const { logical, physical, count } of runs) {
    const inside = Math.min(count, blocks - logical);
    if (inside <= 0) continue;
    extents.push({
      fileOffsetBytes: logical * blockBytes,
      volumeOffsetBytes: physical * blockBytes,
      lengthBytes: inside * blockBytes,
    });
  }
  return extents;
}

/** Times of content and inode, size, generation; in version 5 the count of changes. */
function stampOf({ raw }: Inode): string {
  const { bytes } = raw;
  const changes = raw.u8(4) === 3 ? bytes.toString('hex', 104, 112) : '';
  return `${bytes.toString('hex', 40, 64)}${bytes.toString('hex', 92, 96)}${changes}`;
}
