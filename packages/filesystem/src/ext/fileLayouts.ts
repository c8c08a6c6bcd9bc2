/**
 * Where the content of every file lies, told in an order that two volumes with the same files share. Inodes, folders and trees of
 * blocks are read in large pieces that stay in memory for a while: what belongs to one folder lies together on an ext volume.
 */
import type { FileExtent, FileLayout } from '../filesystem.ts';
import { FolderWalk, type NameBatch, readable } from '../folderWalk.ts';
import { pieceCache } from '../pieceCache.ts';
import { readNames } from './directory.ts';
import { type Inode, InodeCache, rootInode } from './inodes.ts';
import { type ContentRun, mapFile, mapOfInode } from './mapping.ts';
import type { Volume } from './volume.ts';

const cache = { pieceBytes: 128 << 10, pieces: 96 };

interface Name {
  readonly key: string;
  readonly inode: number;
}

/** As `Filesystem.fileLayouts`. @throws FilesystemError `FS_DAMAGED` for a folder met twice, `FS_TOO_LARGE`; DiskError. */
export async function* fileLayouts(opened: Volume): AsyncGenerator<FileLayout> {
  const volume: Volume = { ...opened, device: pieceCache(opened.device, cache) };
  const inodes = new InodeCache(volume);
  const walk = new FolderWalk<Name, number>();
  const enter = (inode: Inode, prefix: string) => walk.enter(inode.number, prefix, namesOf(volume, inode));
  await enter(await inodes.read(rootInode), '');
  for (let folder = walk.current(); folder; folder = walk.current()) {
    const name = folder.names[folder.next++];
    if (name === undefined) {
      walk.leave();
      continue;
    }
    const inode = await inodeOf(inodes, name.inode);
    if (inode?.type === 'directory') {
      await readable(() => enter(inode, `${folder.prefix}${shown(name.key)}/`));
    } else if (inode?.type === 'file' && (inode.linkCount < 2 || walk.isNew(inode.number))) {
      const layout = await readable(() => layoutOf(volume, inode, folder.prefix + shown(name.key)));
      if (layout) yield layout;
    }
  }
}

async function* namesOf(volume: Volume, folder: Inode): AsyncGenerator<NameBatch<Name>> {
  for await (const batch of readNames(volume, folder)) {
    const names = batch.map(({ nameBytes, inode }) => ({
      key: Buffer.from(nameBytes.buffer, nameBytes.byteOffset, nameBytes.length).toString('latin1'),
      inode,
    }));
    yield { names, entries: names.length };
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
