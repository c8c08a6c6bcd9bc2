import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileExtent, Filesystem, FilesystemInfo } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { swapFiles } from '../swapFiles.ts';
import { readBackup } from './backupSuperblock.ts';
import { openContent } from './content.ts';
import { readNames } from './directory.ts';
import { fileLayouts } from './fileLayouts.ts';
import { readGroupTable } from './groups.ts';
import { type Inode, InodeCache, rootInode } from './inodes.ts';
import { mapFile } from './mapping.ts';
import { readSuperblock } from './superblock.ts';
import { readUsedMap } from './usedMap.ts';
import type { Volume } from './volume.ts';

const mostEntries = 10_000_000;
/** The kernel's limit for the target of a symbolic link is one block, at most this. */
const longestLinkBytes = 65536;

/** Opens an ext2, ext3 or ext4 volume. @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED`. */
export async function openExt(device: BlockDevice): Promise<Filesystem> {
  const superblock = await readSuperblock(device);
  return filesystemOf({ device, superblock, groups: await readGroupTable(device, superblock) });
}

/** As `FilesystemReader.openBackup`. */
export async function openExtBackup(device: BlockDevice): Promise<Filesystem | null> {
  const found = await readBackup(device);
  if (found === null) return null;
  const filesystem = filesystemOf({ device, ...found });
  await filesystem.root();
  return filesystem;
}

function filesystemOf(volume: Volume): Filesystem {
  const { superblock } = volume;
  const inodes = new InodeCache(volume);
  const byRef = (entry: DirectoryEntry) => inodes.read(/^[1-9]\d{0,9}$/.test(entry.ref) ? Number(entry.ref) : 0);
  const filesystem: Filesystem = {
    info: describe(volume),
    usedMap: () => readUsedMap(volume),
    async root() {
      const inode = await inodes.read(rootInode);
      if (inode.type !== 'directory') throw new FilesystemError('FS_DAMAGED', 'the root of this volume is not a folder');
      return entryOf(volume, { nameBytes: new Uint8Array(0), inode });
    },
    readDirectory: (directory) => list(volume, inodes, () => byRef(directory)),
    async openFile(file) {
      const inode = await byRef(file);
      if (inode.type !== 'file') throw new FilesystemError('FS_NOT_A_FILE', `"${file.name}" is not a file`);
      return openContent(volume, inode);
    },
    fileLayouts: () => fileLayouts(volume),
    async volatileFiles() {
      // What the journal has yet to change may be a swap file that is none any more.
      if (superblock.needsRecovery) return [];
      const allocatedExtents = async (file: DirectoryEntry) => allocated(volume, await byRef(file));
      return swapFiles({ ...filesystem, allocatedExtents, blockBytes: superblock.blockBytes });
    },
  };
  return filesystem;
}

/** All blocks of a file that lies on the volume as it is. */
async function allocated(volume: Volume, inode: Inode): Promise<FileExtent[]> {
  if (inode.type !== 'file' || inode.encrypted || inode.compressed || inode.inlineData) return [];
  const { blockBytes } = volume.superblock;
  const { runs } = await mapFile(volume, inode, { unwritten: true });
  return runs.map(({ logical, physical, count }) => ({
    fileOffsetBytes: logical * blockBytes,
    volumeOffsetBytes: physical * blockBytes,
    lengthBytes: count * blockBytes,
  }));
}

function describe(volume: Volume): FilesystemInfo {
  const { kind, label, uuid, blockBytes, blockCount, clusterBlocks, clean } = volume.superblock;
  const totalBytes = blockCount * blockBytes;
  const freeBytes = volume.groups.freeClustersInAll() * clusterBlocks * blockBytes;
  return { kind, label, uuid, blockBytes, totalBytes, usedBytes: Math.max(0, totalBytes - freeBytes), clean };
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
async function entryOrStub(volume: Volume, inodes: InodeCache, named: { nameBytes: Uint8Array; inode: number }) {
  const { nameBytes } = named;
  try {
    return await entryOf(volume, { nameBytes, inode: await inodes.read(named.inode) });
  } catch (error) {
    if (!isDamage(error)) throw error;
    const name = shownName(nameBytes);
    const ref = String(named.inode);
    return {
      name,
      nameBytes,
      type: 'other',
      sizeBytes: 0,
      modifiedAtMs: null,
      mode: null,
      ref,
      linkTarget: null,
    } satisfies DirectoryEntry;
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

/** Short targets lie in the inode itself. An encrypted target cannot be shown and is empty. */
async function linkTarget(volume: Volume, inode: Inode): Promise<string> {
  if (inode.encrypted) return '';
  if (inode.sizeBytes > longestLinkBytes)
    throw new FilesystemError('FS_DAMAGED', `the link ${inode.number} has an impossible length`);
  if (!inode.hasBlocks && !inode.inlineData && inode.sizeBytes <= 60) {
    return inode.raw.slice(0x28, inode.sizeBytes).toString('utf8');
  }
  const content = await openContent(volume, inode);
  const target = Buffer.alloc(content.sizeBytes);
  await content.read(0, target);
  return target.toString('utf8');
}
