/**
 * Where the content of every file lies, told in an order that two volumes with the same files share. Inodes, folders and trees of
 * blocks are read in large pieces that stay in memory for a while: what belongs to one folder lies together on an ext volume.
 */
import { FilesystemError } from '../errors.ts';
import type { FileExtent, FileLayout } from '../filesystem.ts';
import { pieceCache } from '../pieceCache.ts';
import { readNames } from './directory.ts';
import { type Inode, InodeCache, rootInode } from './inodes.ts';
import { type ContentRun, mapFile, mapOfInode } from './mapping.ts';
import type { Volume } from './volume.ts';

const mostEntries = 10_000_000;
/** Names of the folders we are in, held at once. A folder beyond that is left out: its files are not told. */
const mostNamesHeld = 1_000_000;
const deepestFolder = 4096;
const cache = { pieceBytes: 128 << 10, pieces: 96 };

interface Name {
  /** One character per byte, so that strings compare as the bytes do. */
  readonly bytes: string;
  readonly inode: number;
}

interface Folder {
  /** Empty for the root, else with a `/` at its end. */
  readonly prefix: string;
  readonly names: readonly Name[];
  next: number;
}

/** As `Filesystem.fileLayouts`. @throws FilesystemError `FS_DAMAGED` for a folder met twice, `FS_TOO_LARGE`; DiskError. */
export async function* fileLayouts(opened: Volume): AsyncGenerator<FileLayout> {
  const volume: Volume = { ...opened, device: pieceCache(opened.device, cache) };
  const inodes = new InodeCache(volume);
  const walk = new Walk(volume);
  await walk.enter(await inodes.read(rootInode), '');
  for (let folder = walk.current(); folder; folder = walk.current()) {
    const name = folder.names[folder.next++];
    if (name === undefined) {
      walk.leave();
      continue;
    }
    const inode = await inodeOf(inodes, name.inode);
    if (inode?.type === 'directory') {
      await readable(() => walk.enter(inode, `${folder.prefix}${shown(name.bytes)}/`));
    } else if (inode?.type === 'file' && walk.isNew(inode)) {
      const layout = await readable(() => layoutOf(volume, inode, folder.prefix + shown(name.bytes)));
      if (layout) yield layout;
    }
  }
}

/** The folders from the root to where we are, and what was met before. */
class Walk {
  readonly #volume: Volume;
  readonly #folders: Folder[] = [];
  readonly #metFolders = new Set<number>();
  readonly #metFiles = new Set<number>();
  #namesHeld = 0;
  #entries = 0;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  current(): Folder | undefined {
    return this.#folders.at(-1);
  }

  leave(): void {
    this.#namesHeld -= this.#folders.pop()?.names.length ?? 0;
  }

  /** A folder that cannot be read, or has more names than fit, is passed by. @throws FilesystemError */
  async enter(inode: Inode, prefix: string): Promise<void> {
    if (this.#metFolders.has(inode.number)) throw new EndOfWalk('FS_DAMAGED', `folder ${inode.number} has two names`);
    this.#metFolders.add(inode.number);
    if (this.#folders.length >= deepestFolder) throw new FilesystemError('FS_TOO_LARGE', 'folders are nested too deep');
    const names: Name[] = [];
    for await (const batch of readNames(this.#volume, inode)) {
      for (const { nameBytes, inode: number } of batch) {
        names.push({
          bytes: Buffer.from(nameBytes.buffer, nameBytes.byteOffset, nameBytes.length).toString('latin1'),
          inode: number,
        });
      }
      if (this.#namesHeld + names.length > mostNamesHeld) return;
    }
    this.#entries += names.length;
    if (this.#entries > mostEntries) throw new EndOfWalk('FS_TOO_LARGE', `there are more than ${mostEntries} files`);
    names.sort((a, b) => (a.bytes < b.bytes ? -1 : a.bytes > b.bytes ? 1 : 0));
    this.#namesHeld += names.length;
    this.#folders.push({ prefix, names, next: 0 });
  }

  /** False for the second name of a file. */
  isNew(inode: Inode): boolean {
    if (inode.linkCount < 2) return true;
    if (this.#metFiles.has(inode.number)) return false;
    this.#metFiles.add(inode.number);
    return true;
  }
}

/** What is wrong with the volume as a whole, as opposed to one file of it. */
class EndOfWalk extends FilesystemError {}

/** Undefined where a file or folder cannot be read: it is left out. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FilesystemError && !(error instanceof EndOfWalk)) return undefined;
    throw error;
  }
}

/** Waits only where the device has to be asked: most inodes come with those of their neighbours. */
function inodeOf(inodes: InodeCache, number: number): Inode | undefined | Promise<Inode | undefined> {
  try {
    return inodes.peek(number) ?? readable(() => inodes.read(number));
  } catch (error) {
    return readable(() => Promise.reject(error));
  }
}

function shown(bytes: string): string {
  if (!/[\0/\x80-\xff]/.test(bytes)) return bytes;
  return Buffer.from(bytes, 'latin1').toString('utf8').replaceAll(/[/\0]/g, '\ufffd');
}

async function layoutOf(volume: Volume, inode: Inode, path: string): Promise<FileLayout | undefined> {
  if (inode.encrypted || inode.compressed || inode.inlineData || !inode.hasBlocks || inode.sizeBytes === 0) return undefined;
  const { blockBytes } = volume.superblock;
  const blocks = Math.ceil(inode.sizeBytes / blockBytes);
  const { runs } = mapOfInode(volume, inode) ?? (await mapFile(volume, inode));
  const extents = runs.flatMap((run) => extentOf(run, blocks, blockBytes));
  if (extents.length === 0) return undefined;
  return { path, ref: String(inode.number), sizeBytes: inode.sizeBytes, stamp: stampOf(inode), extents };
}

/** Blocks behind the end of the file (room kept for more, hashes of fs-verity) are none of its content. */
function extentOf({ logical, physical, count }: ContentRun, blocks: number, blockBytes: number): FileExtent[] {
  if (logical >= blocks) return [];
  const lengthBytes = Math.min(count, blocks - logical) * blockBytes;
  return [{ fileOffsetBytes: logical * blockBytes, volumeOffsetBytes: physical * blockBytes, lengthBytes }];
}

/** In an inode: low size, change and modification time, version, then generation with acl and high size, and what larger inodes add. */
const stampFields = [
  { from: 0x04, to: 0x08 },
  { from: 0x0c, to: 0x14 },
  { from: 0x24, to: 0x28 },
  { from: 0x64, to: 0x70 },
  { from: 0x84, to: 0x8c },
  { from: 0x98, to: 0x9c },
];
const stampBytes = Buffer.alloc(36);

/** Inodes of 128 bytes know whole seconds only. */
function stampOf({ raw, fixedBytes }: Inode): string {
  if (fixedBytes < 0x8c) return '';
  let length = 0;
  for (const { from, to } of stampFields) {
    if (to <= fixedBytes) length += raw.bytes.copy(stampBytes, length, from, to);
  }
  return stampBytes.toString('hex', 0, length);
}
