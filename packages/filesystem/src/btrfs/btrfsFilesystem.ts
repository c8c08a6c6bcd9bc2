import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, Filesystem, FilesystemInfo } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { swapFiles } from '../swapFiles.ts';
import { openContent } from './content.ts';
import { readNames } from './directory.ts';
import { allocatedExtents, fileLayouts } from './fileLayouts.ts';
import { type Inode, type InodeId, parseRef, refOf, Subvolumes } from './inode.ts';
import { readUsedMap } from './usedMap.ts';
import { openVolume, treeId, type Volume } from './volume.ts';

const mostEntries = 10_000_000;
/** The kernel's limit is one page, and pages have at most this. */
const longestLinkBytes = 65536;

/**
 * Opens one device of a btrfs volume. The root is always the top-level subvolume, whatever a mount without options would show: from
 * there every subvolume and snapshot can be reached, from another default they could not.
 * @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED`.
 */
export async function openBtrfs(device: BlockDevice): Promise<Filesystem> {
  const volume = await openVolume(device);
  const subvolumes = new Subvolumes(volume);
  const source: Source = { volume, subvolumes };
  const filesystem: Filesystem = {
    info: describe(volume),
    usedMap: () => readUsedMap(volume),
    async root() {
      const subvolume = treeId.topLevelSubvolume;
      const inode = await subvolumes.inode({ subvolume, number: (await subvolumes.tree(subvolume)).rootInode });
      if (inode.type !== 'directory') throw new FilesystemError('FS_DAMAGED', 'the root of this volume is not a folder');
      return entryOf(source, { nameBytes: new Uint8Array(0), inode });
    },
    readDirectory: (directory) => list(source, directory),
    async openFile(file) {
      const inode = await subvolumes.inode(parseRef(file.ref));
      if (inode.type !== 'file') throw new FilesystemError('FS_NOT_A_FILE', `"${file.name}" is not a file`);
      return openContent(volume, inode);
    },
    fileLayouts() {
      return fileLayouts({ ...source, ...filesystem });
    },
    async volatileFiles() {
      // What the log has yet to change may be a swap file that is none any more.
      if (volume.superblock.logTree !== null || !volume.superblock.fromFirstCopy) return [];
      const allocated = (file: DirectoryEntry) => allocatedExtents({ ...source, ...filesystem }, file);
      return swapFiles({ ...filesystem, allocatedExtents: allocated, blockBytes: volume.superblock.sectorBytes });
    },
  };
  return filesystem;
}

interface Source {
  readonly volume: Volume;
  readonly subvolumes: Subvolumes;
}

function describe(volume: Volume): FilesystemInfo {
  const { label, uuid, sectorBytes, deviceBytes, deviceCount, usedBytes, allocatedBytes, clean } = volume.superblock;
  // How the content is spread over several devices only their chunks tell: no more than was given to them can be used here.
  const usedHere = deviceCount > 1 ? Math.min(usedBytes, allocatedBytes) : usedBytes;
  return {
    kind: 'btrfs',
    label,
    uuid,
    blockBytes: sectorBytes,
    totalBytes: deviceBytes,
    usedBytes: Math.min(usedHere, deviceBytes),
    clean,
  };
}

async function* list(source: Source, entry: DirectoryEntry): AsyncGenerator<DirectoryEntry> {
  const directory = await source.subvolumes.inode(parseRef(entry.ref));
  if (directory.type !== 'directory') {
    throw new FilesystemError('FS_NOT_A_DIRECTORY', `inode ${refOf(directory)} is not a folder`);
  }
  let count = 0;
  for await (const { nameBytes, inode } of readNames(source.volume, source.subvolumes, directory)) {
    count++;
    if (count > mostEntries) throw new FilesystemError('FS_TOO_LARGE', `a folder has more than ${mostEntries} entries`);
    yield await entryOrStub(source, { nameBytes, inode });
  }
}

/** A name whose inode is damaged is still shown, as something that cannot be opened: the rest of the folder stays readable. */
async function entryOrStub(source: Source, named: { nameBytes: Uint8Array; inode: InodeId }): Promise<DirectoryEntry> {
  const { nameBytes } = named;
  try {
    return await entryOf(source, { nameBytes, inode: await source.subvolumes.inode(named.inode) });
  } catch (error) {
    if (!isDamage(error)) throw error;
    return {
      name: shownName(nameBytes),
      nameBytes,
      type: 'other',
      sizeBytes: 0,
      modifiedAtMs: null,
      mode: null,
      ref: refOf(named.inode),
      linkTarget: null,
    };
  }
}

async function entryOf(source: Source, named: { nameBytes: Uint8Array; inode: Inode }): Promise<DirectoryEntry> {
  const { nameBytes, inode } = named;
  return {
    name: shownName(nameBytes),
    nameBytes,
    type: inode.type,
    sizeBytes: inode.type === 'file' ? inode.sizeBytes : 0,
    modifiedAtMs: inode.modifiedAtMs,
    mode: inode.mode,
    ref: refOf(inode),
    linkTarget: inode.type === 'symlink' ? await linkTarget(source.volume, inode) : null,
  };
}

function shownName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').replaceAll(/[/\0]/g, '\ufffd');
}

async function linkTarget(volume: Volume, inode: Inode): Promise<string> {
  if (inode.sizeBytes > longestLinkBytes) {
    throw new FilesystemError('FS_DAMAGED', `the link ${inode.number} has an impossible length`);
  }
  const content = await openContent(volume, inode);
  const target = Buffer.alloc(content.sizeBytes);
  await content.read(0, target);
  return target.toString('utf8');
}
