/**
 * Folders: blocks of entries that each say how long they are. Hashed folders (htree) hide their index from a reader that walks
 * all blocks in order, so one walk serves both. Layout: ext4 documentation, chapter Directory Entries.
 */
import { FilesystemError } from '../errors.ts';
import { inlineParts } from './inlineData.ts';
import type { Inode } from './inodes.ts';
import { mapFile } from './mapping.ts';
import type { Volume } from './volume.ts';

const largestReadBytes = 64 << 10;

export interface NamedInode {
  readonly nameBytes: Uint8Array;
  readonly inode: number;
}

/** Entries but `.` and `..`, one batch per block. @throws FilesystemError `FS_DAMAGED`, `FS_ENCRYPTED_FILE`. */
export async function* readNames(volume: Volume, directory: Inode): AsyncGenerator<NamedInode[]> {
  if (directory.encrypted) {
    throw new FilesystemError('FS_ENCRYPTED_FILE', `the names in folder ${directory.number} are encrypted by their filesystem`);
  }
  if (directory.inlineData) {
    // The first four bytes are the parent's inode number; `.` and `..` have no entries.
    const [first, second] = inlineParts(directory);
    yield parseBlock(volume, first.subarray(4), directory.number);
    yield parseBlock(volume, second, directory.number);
    return;
  }
  const { blockBytes } = volume.superblock;
  const blocks = Math.ceil(directory.sizeBytes / blockBytes);
  const atOnce = Math.max(1, Math.floor(largestReadBytes / blockBytes));
  for (const run of (await mapFile(volume, directory)).runs) {
    const end = Math.min(run.count, blocks - run.logical);
    for (let done = 0; done < end; done += atOnce) {
      const bytes = Buffer.alloc(Math.min(atOnce, end - done) * blockBytes);
      await volume.device.read((run.physical + done) * blockBytes, bytes);
      for (let at = 0; at < bytes.length; at += blockBytes) {
        yield parseBlock(volume, bytes.subarray(at, at + blockBytes), directory.number);
      }
    }
  }
}

function parseBlock(volume: Volume, block: Buffer, directory: number): NamedInode[] {
  const names: NamedInode[] = [];
  for (let at = 0; at + 8 <= block.length; ) {
    const inode = block.readUInt32LE(at);
    const entryBytes = entryLength(block, at);
    const nameLength = volume.superblock.fileTypes ? block.readUInt8(at + 6) : block.readUInt16LE(at + 6);
    const fits = entryBytes >= 8 && entryBytes % 4 === 0 && at + entryBytes <= block.length;
    if (!fits || (inode !== 0 && (nameLength === 0 || nameLength > 255 || 8 + nameLength > entryBytes))) {
      throw new FilesystemError('FS_DAMAGED', `folder ${directory} has a damaged entry`);
    }
    const nameBytes = block.subarray(at + 8, at + 8 + nameLength);
    if (inode !== 0 && !isDots(nameBytes)) names.push({ nameBytes, inode });
    at += entryBytes;
  }
  return names;
}

/** Sixteen bits cannot say 65536: blocks of 64 KiB write it as 65535 or 0. */
function entryLength(block: Buffer, at: number): number {
  const stored = block.readUInt16LE(at + 4);
  if (block.length < 65536) return stored;
  return stored === 65535 || stored === 0 ? block.length : (stored & 65532) | ((stored & 3) << 16);
}

function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
