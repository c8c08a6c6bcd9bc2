/**
 * The copies of the superblock, one at the start of every allocation group. Where the second group begins follows from the size of
 * the volume: mkfs.xfs makes 4 groups, 16 or 32 on striped disks, groups of a tebibyte on large ones. mkfs.xfs tells the root
 * folder to few of the copies, the last one among them. A volume that has been grown, or was made with groups of another length, is
 * not found.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { readSuperblock, type Superblock } from './superblock.ts';

const blockSizes = [4096, 1024, 2048, 512, 8192, 16384, 32768, 65536];
const groupCounts = [4, 16, 32, 8, 2];
const largestGroupBytes = 2 ** 40;

/** @returns null when no two copies agree; reads some 25 sectors */
export async function readBackup(device: BlockDevice): Promise<Superblock | null> {
  for (const offsetBytes of candidates(device.sizeBytes)) {
    const second = await readCopy(device, offsetBytes);
    if (second === null || second.groupBlocks * second.blockBytes !== offsetBytes) continue;
    const last = await readCopy(device, (second.groupCount - 1) * offsetBytes);
    const agreeing = second.groupCount > 2 && last !== null && isSameVolume(second, last);
    if (agreeing || (second.groupCount === 2 && second.checksums)) {
      return last !== null && second.rootInode === 0 ? last : second;
    }
  }
  return null;
}

/** Where a second allocation group may begin. */
function candidates(deviceBytes: number): Set<number> {
  const offsets = new Set<number>();
  for (const blockBytes of blockSizes) {
    const blocks = Math.floor(deviceBytes / blockBytes);
    for (const count of groupCounts) offsets.add(Math.ceil(blocks / count) * blockBytes);
    offsets.add(largestGroupBytes - blockBytes);
  }
  return offsets;
}

function isSameVolume(one: Superblock, other: Superblock): boolean {
  const { uuid, blockCount, groupBlocks, blockBytes, inodeBytes } = one;
  return (
    uuid === other.uuid &&
    blockCount === other.blockCount &&
    groupBlocks === other.groupBlocks &&
    blockBytes === other.blockBytes &&
    inodeBytes === other.inodeBytes
  );
}

async function readCopy(device: BlockDevice, offsetBytes: number): Promise<Superblock | null> {
  try {
    const superblock = await readSuperblock(device, offsetBytes);
    return superblock.sound ? superblock : null;
  } catch (error) {
    if (error instanceof FilesystemError || error instanceof DiskError) return null;
    throw error;
  }
}
