/**
 * A volume that was not unmounted has changes in its journal which the next mount will write to their places, block bitmaps among
 * them. Replaying is not our business; knowing which groups such a change can touch is.
 * Layout (big-endian): kernel.org documentation of ext4, chapter Journal (jbd2).
 */

import { FilesystemError } from '../errors.ts';
import { isDamage } from '../soundParts.ts';
import { readInode } from './inodes.ts';
import { type FileMapping, mapFile } from './mapping.ts';
import { readBlock, type Volume } from './volume.ts';

const magic = 0xc03b3998;
const blockType = { descriptor: 1, commit: 2, superblock1: 3, superblock2: 4, revoke: 5 };
const incompat = { bits64: 0x2, checksum2: 0x8, checksum3: 0x10, fastCommit: 0x20 };
const tagFlag = { sameUuid: 2, last: 8 };

interface Log {
  readonly mapping: FileMapping;
  readonly features: number;
  readonly firstBlock: number;
  readonly endBlock: number;
  readonly startBlock: number;
  readonly sequence: number;
}

/**
 * The groups that blocks named in the journal lie in or describe; empty when nothing is to be replayed; `unknown` when the journal
 * is elsewhere, damaged or of a kind that names inodes instead of blocks (fast commit).
 */
export async function groupsNamedByJournal(volume: Volume): Promise<ReadonlySet<number> | 'unknown'> {
  const { superblock } = volume;
  if (!superblock.needsRecovery) return new Set();
  if (superblock.journalInode === 0 || superblock.fastCommit) return 'unknown';
  try {
    const log = await openLog(volume);
    if (!log) return new Set();
    if ((log.features & incompat.fastCommit) !== 0) return 'unknown';
    return groupsOf(volume, await namedBlocks(volume, log));
  } catch (error) {
    if (isDamage(error)) return 'unknown';
    throw error;
  }
}

/** Null when the log is empty. */
async function openLog(volume: Volume): Promise<Log | null> {
  const mapping = await mapFile(volume, await readInode(volume, volume.superblock.journalInode));
  const raw = await readLogBlock(volume, mapping, 0);
  const type = raw.readUInt32BE(4);
  const known = type === blockType.superblock1 || type === blockType.superblock2;
  if (raw.readUInt32BE(0) !== magic || !known || raw.readUInt32BE(0x0c) !== volume.superblock.blockBytes) {
    throw new FilesystemError('FS_DAMAGED', 'the journal has no valid superblock');
  }
  const startBlock = raw.readUInt32BE(0x1c);
  if (startBlock === 0) return null;
  const log = {
    mapping,
    features: type === blockType.superblock2 ? raw.readUInt32BE(0x28) : 0,
    firstBlock: raw.readUInt32BE(0x14),
    endBlock: raw.readUInt32BE(0x10),
    startBlock,
    sequence: raw.readUInt32BE(0x18),
  };
  if (!(log.firstBlock >= 1 && startBlock >= log.firstBlock && startBlock < log.endBlock)) {
    throw new FilesystemError('FS_DAMAGED', 'the journal starts outside itself');
  }
  return log;
}

async function readLogBlock(volume: Volume, mapping: FileMapping, logBlock: number): Promise<Buffer> {
  const run = mapping.runs.find(({ logical, count }) => logBlock >= logical && logBlock < logical + count);
  if (!run) throw new FilesystemError('FS_DAMAGED', 'the journal has a hole');
  return (await readBlock(volume, run.physical + logBlock - run.logical, 'the journal')).bytes;
}

/** Follows the log as recovery does, ignoring its checksums: naming a block too many is harmless. */
async function namedBlocks(volume: Volume, log: Log): Promise<Set<number>> {
  const named = new Set<number>();
  const wrap = (block: number) => (block >= log.endBlock ? block - log.endBlock + log.firstBlock : block);
  let at = log.startBlock;
  let sequence = log.sequence;
  for (let visited = 0; visited < log.endBlock; visited++) {
    const block = await readLogBlock(volume, log.mapping, at);
    if (block.readUInt32BE(0) !== magic || block.readUInt32BE(8) !== sequence) break;
    const type = block.readUInt32BE(4);
    let step = 1;
    if (type === blockType.descriptor) {
      const tags = tagsOf(block, log.features);
      for (const tag of tags) named.add(tag);
      step += tags.length;
    } else if (type === blockType.commit) {
      sequence = (sequence + 1) >>> 0;
    } else if (type !== blockType.revoke) {
      break;
    }
    if (step >= log.endBlock - log.firstBlock) break;
    at = wrap(at + step);
  }
  return named;
}

/** Where the blocks that follow a descriptor block belong. */
function tagsOf(block: Buffer, features: number): number[] {
  const third = (features & incompat.checksum3) !== 0;
  const second = (features & incompat.checksum2) !== 0;
  const wide = (features & incompat.bits64) !== 0;
  const tagBytes = third ? 16 : (wide ? 12 : 8) + (second ? 2 : 0);
  const end = block.length - (second || third ? 4 : 0);
  const tags: number[] = [];
  for (let at = 12; at + tagBytes <= end; ) {
    const flags = third ? block.readUInt32BE(at + 4) : block.readUInt16BE(at + 6);
    tags.push(block.readUInt32BE(at) + (wide ? block.readUInt32BE(at + 8) * 2 ** 32 : 0));
    if ((flags & tagFlag.last) !== 0) break;
    at += tagBytes + ((flags & tagFlag.sameUuid) === 0 ? 16 : 0);
  }
  return tags;
}

/** A block's own group; for a bitmap also the group it speaks for, which may be another. */
function groupsOf(volume: Volume, named: ReadonlySet<number>): Set<number> {
  const { superblock, groups } = volume;
  const result = new Set<number>();
  if (named.size === 0) return result;
  for (const block of named) {
    const group = Math.floor((block - superblock.firstDataBlock) / superblock.blocksPerGroup);
    if (group >= 0 && group < superblock.groupCount) result.add(group);
  }
  for (let number = 0; number < superblock.groupCount; number++) {
    if (named.has(groups.group(number).blockBitmapBlock)) result.add(number);
  }
  return result;
}
