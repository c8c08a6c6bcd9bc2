/**
 * The copies of the superblock: at the start of groups 1, 3, 5 and 7 (and further powers) with `sparse_super`, of all groups
 * without. Where groups begin follows from the size of a block, by the length that mke2fs gives them. A copy is believed when it
 * says which group it is for, passes its checksum where it has one, and a second copy or the group descriptors agree.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { type GroupTable, readGroupTable } from './groups.ts';
import { readSuperblock, type Superblock } from './superblock.ts';

const blockSizes = [4096, 1024, 2048, 8192, 16384, 32768, 65536];
const groups = [1, 3, 5, 7];

/** @returns null when no copy fits this volume; reads some 30 KiB and the group descriptors at most */
export async function readBackup(device: BlockDevice): Promise<{ superblock: Superblock; groups: GroupTable } | null> {
  for (const blockBytes of blockSizes) {
    const copies: Superblock[] = [];
    for (const group of groups) {
      const copy = await readCopy(device, blockBytes, group);
      if (copy !== null) copies.push(copy);
    }
    const [first, second] = copies;
    if (first === undefined) continue;
    const table = await readTable(device, first);
    const agreeing = second !== undefined && isSameVolume(first, second);
    if (table !== null && (agreeing || first.checksums !== 'none')) return { superblock: first, groups: table };
  }
  return null;
}

async function readCopy(device: BlockDevice, blockBytes: number, group: number): Promise<Superblock | null> {
  const firstDataBlock = blockBytes === 1024 ? 1 : 0;
  const offsetBytes = (firstDataBlock + group * 8 * blockBytes) * blockBytes;
  const superblock = await orNull(() => readSuperblock(device, offsetBytes));
  const fits = superblock?.blockBytes === blockBytes && superblock.ownGroup === group && superblock.sound;
  return fits && superblock.blocksPerGroup === 8 * blockBytes ? superblock : null;
}

function isSameVolume(one: Superblock, other: Superblock): boolean {
  const { uuid, blockCount, inodesPerGroup, inodeBytes } = one;
  return (
    uuid === other.uuid &&
    blockCount === other.blockCount &&
    inodesPerGroup === other.inodesPerGroup &&
    inodeBytes === other.inodeBytes
  );
}

/** The group descriptors, or the copy of them that follows this copy of the superblock. Null when neither is whole. */
async function readTable(device: BlockDevice, superblock: Superblock): Promise<GroupTable | null> {
  for (const group of superblock.metaGroups ? [0] : [0, superblock.ownGroup]) {
    const table = await orNull(() => readGroupTable(device, superblock, group));
    if (table !== null && isWhole(table)) return table;
  }
  return null;
}

/** Every descriptor passes its checksum, and what it names lies on the volume. */
function isWhole(table: GroupTable): boolean {
  const { groupCount, blockCount } = table.superblock;
  for (let number = 0; number < groupCount; number++) {
    const { sound, blockBitmapBlock, inodeBitmapBlock, inodeTableBlock } = table.group(number);
    const places = [blockBitmapBlock, inodeBitmapBlock, inodeTableBlock];
    if (!sound || places.some((block) => block === 0 || block >= blockCount)) return false;
  }
  return true;
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FilesystemError || error instanceof DiskError) return null;
    throw error;
  }
}
