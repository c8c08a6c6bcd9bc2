/**
 * XFS, versions 4 and 5. Folders and files are shown as they are in their places: changes that are in the log alone (a volume
 * caught while mounted and not frozen) show only after the log has been replayed. The used map knows about them all the same.
 */

import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { swapFiles } from '../swapFiles.ts';
import { readBackup } from './backupSuperblock.ts';
import { openContent } from './content.ts';
import { readNames } from './directory.ts';
import { allocatedExtents, fileLayouts, type OpenedVolume } from './fileLayouts.ts';
import { type Inode, InodeCache } from './inodes.ts';
import { readLogState } from './log.ts';
import { readSuperblock } from './superblock.ts';
import { linkTarget } from './symlink.ts';
import { readUsedMap } from './usedMap.ts';
import type { Volume } from './volume.ts';

const mostEntries = 10_000_000;

/** Opens an XFS volume. @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED`. */
export async function openXfs(device: BlockDevice): Promise<Filesystem> {
  return filesystemOf({ device, superblock: await readSuperblock(device) });
}

/** As `FilesystemReader.openBackup`. */
export async function openXfsBackup(device: BlockDevice): Promise<Filesystem | null> {
  const superblock = await readBackup(device);
  if (superblock === null) return null;
  const filesystem = await filesystemOf({ device, superblock });
  await filesystem.root();
  return filesystem;
}

async function filesystemOf(volume: Volume): Promise<Filesystem> {
  const { superblock } = volume;
  const log = await readLogState(volume);
  const tree = openTree(volume);
  const { label, uuid, blockBytes, blockCount } = superblock;
  const filesystem: Filesystem = {
    info: {
      kind: 'xfs',
      label,
      uuid,
      blockBytes,
      totalBytes: blockCount * blockBytes,
      // As the superblock counts: blocks that hold trees of free space are free to it, though the used map takes them.
      usedBytes: Math.max(0, blockCount - superblock.freeBlocks) * blockBytes,
      clean: superblock.sound && !superblock.needsRepair && log.kind === 'clean',
    },
    usedMap: () => readUsedMap(volume, log),
    root: tree.root,
    readDirectory: tree.readDirectory,
    async openFile(file) {
      const inode = await tree.inodeOf(file);
      if (inode.type !== 'file') throw new FilesystemError('FS_NOT_A_FILE', `"${file.name}" is not a file`);
      return openContent(volume, inode);
    },
    fileLayouts: () => fileLayouts(volume, openTree),
    async volatileFiles() {
      // What the log has yet to change may be a swap file that is none any more.
      if (log.kind !== 'clean') return [];
      const allocated = async (file: DirectoryEntry) => allocatedExtents(volume, await tree.inodeOf(file));
      return swapFiles({ ...filesystem, allocatedExtents: allocated, blockBytes });
    },
  };
  return filesystem;
}

/** Folders and inodes, read from the device that `volume` names. */
function openTree(volume: Volume): OpenedVolume {
  const inodes = new InodeCache(volume);
  const inodeOf = (entry: DirectoryEntry) => inodes.read(/^[1-9]\d{0,15}$/.test(entry.ref) ? Number(entry.ref) : 0);
  return {
    volume,
    inodeOf,
    async root() {
      const inode = await inodes.read(volume.superblock.rootInode);
      if (inode.type !== 'directory') throw new FilesystemError('FS_DAMAGED', 'the root of this volume is not a folder');
      return entryOf(volume, { nameBytes: new Uint8Array(0), inode });
    },
    readDirectory: (directory) => list(volume, inodes, () => inodeOf(directory)),
  };
}

async function* list(volume: Volume, inodes: InodeCache, find: () => Promise<Inode>): AsyncGenerator<DirectoryEntry> {
  const directory = await find();
  if (directory.type !== 'directory') {
    throw new FilesystemError('FS_NOT_A_DIRECTORY', `inode ${directory.number} is not a folder`);
  }
  let count = 0;
  for await (const names of readNames(volume, directory)) {
    count += names.length;
    if (count > mostEntries) throw new FilesystemError('FS_TOO_LARGE', `a folder has more than ${mostEntries} entries`);
    for (const { nameBytes, inode } of names) yield await entryOrStub(volume, inodes, { nameBytes, inode });
  }
}

/** A name whose inode is damaged is still shown, as something that cannot be opened: the rest of the folder stays readable. */
async function entryOrStub(
  volume: Volume,
  inodes: InodeCache,
  named: { nameBytes: Uint8Array; inode: number },
): Promise<DirectoryEntry> {
  const { nameBytes } = named;
  try {
    return await entryOf(volume, { nameBytes, inode: await inodes.read(named.inode) });
  } catch (error) {
    if (!isDamage(error)) throw error;
    const nothing = { sizeBytes: 0, modifiedAtMs: null, mode: null, linkTarget: null };
    return { name: shownName(nameBytes), nameBytes, type: 'other', ref: String(named.inode), ...nothing };
  }
}

async function entryOf(volume: Volume, named: { nameBytes: Uint8Array; inode: Inode }): Promise<DirectoryEntry> {
  const { nameBytes, inode } = named;
  return {
    name: shownName(nameBytes),
    nameBytes,
    type: inode.type,
    sizeBytes: inode.type === 'file' ? inode.sizeBytes : 0,
    modifiedAtMs: inode.modifiedAtMs,
    mode: inode.mode,
    ref: String(inode.number),
    linkTarget: inode.type === 'symlink' ? await linkTarget(volume, inode) : null,
  };
}

function shownName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').replaceAll(/[/\0]/g, '\ufffd');
}
