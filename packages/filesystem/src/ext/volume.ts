import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { GroupTable } from './groups.ts';
import type { Superblock } from './superblock.ts';

/** What every part of the reader needs to know of an opened volume. */
export interface Volume {
  readonly device: BlockDevice;
  readonly superblock: Superblock;
  readonly groups: GroupTable;
}

/** @throws FilesystemError `FS_DAMAGED` unless the blocks lie inside the volume. */
export function insistOnBlocks(volume: Volume, first: number, count: number, what: string): void {
  if (!(first >= 0 && count >= 0 && first + count <= volume.superblock.blockCount)) {
    throw new FilesystemError('FS_DAMAGED', `${what} points to blocks ${first}+${count}, outside the volume`);
  }
}

export async function readBlock(volume: Volume, block: number, what: string): Promise<ByteReader> {
  insistOnBlocks(volume, block, 1, what);
  const { blockBytes } = volume.superblock;
  return new ByteReader(await readBytes(volume.device, block * blockBytes, blockBytes), what);
}
