/**
 * Where the content of every file lies: whole clusters, as far as it is valid (behind that a file reads as zero, whatever its
 * clusters hold). The FAT is asked for scattered files only; 64 MiB of it stay in memory.
 */
import { PAGES_OF_A_WALK } from '../clusterChain.ts';
import type { DirectoryEntry, FileLayout } from '../filesystem.ts';
import { walkLayouts } from '../layoutWalk.ts';
import { pieceCache } from '../pieceCache.ts';
import { contentOf, listDirectory, rootEntry } from './directory.ts';
import type { UpcaseTable } from './upcaseTable.ts';
import { ExfatVolume } from './volume.ts';

const CACHE = { pieceBytes: 128 << 10, pieces: 64 };

/** As `Filesystem.fileLayouts`. @param endBytes the volume's end on this device, which may be cut short */
export function fileLayouts(opened: ExfatVolume, upcaseTable: UpcaseTable, endBytes: number): AsyncGenerator<FileLayout> {
  const volume = new ExfatVolume(pieceCache(opened.device, CACHE), opened.geometry, PAGES_OF_A_WALK);
  const identityOf = ({ ref }: DirectoryEntry) =>
    String(ref === rootEntry.ref ? volume.geometry.rootCluster : contentOf(ref).firstCluster);
  return walkLayouts({
    root: rootEntry,
    readDirectory: (directory) => listDirectory(volume, upcaseTable, directory),
    nameBytes: (entry) => Buffer.from(entry.name),
    // Folders without a cluster are empty, however many there are.
    folderIdentity: (directory) => (identityOf(directory) === '0' ? directory.ref : identityOf(directory)),
    fileIdentity: () => null,
    layoutOf: (file) => layoutOf(volume, file, endBytes),
  });
}

async function layoutOf(
  volume: ExfatVolume,
  file: DirectoryEntry,
  endBytes: number,
): Promise<Pick<FileLayout, 'stamp' | 'extents'>> {
  const { firstCluster, contiguous, validBytes } = contentOf(file.ref);
  const chain = await volume.locate(firstCluster, validBytes, contiguous);
  // A broken chain is no layout: what it still holds may be another file's by now.
  const extents = chain.end === 'whole' ? volume.fileExtents(chain, endBytes) : [];
  return { stamp: `${file.ref}@${file.modifiedAtMs ?? ''}`, extents };
}
