import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { isSealed } from './seal.ts';
import type { Superblock } from './superblock.ts';

/** What every part of the reader needs to know of an opened volume. */
export interface Volume {
  readonly device: BlockDevice;
  readonly superblock: Superblock;
}

/** The last group may be shorter than the others. */
export function groupLength(superblock: Superblock, group: number): number {
  return Math.min(superblock.groupBlocks, superblock.blockCount - group * superblock.groupBlocks);
}

/**
 * XFS numbers blocks by group and place in the group, with a gap where groups are no power of two long. This is the block counted
 * from the start of the volume. @throws FilesystemError `FS_DAMAGED` unless all `count` blocks lie in one group of the volume.
 */
export function toVolumeBlock(superblock: Superblock, numbered: number, run: { count: number; what: string }): number {
  const perGroup = 2 ** superblock.groupBlocksLog;
  const group = Math.floor(numbered / perGroup);
  const place = numbered % perGroup;
  if (!(numbered >= 0 && group < superblock.groupCount && place + run.count <= groupLength(superblock, group))) {
    throw new FilesystemError('FS_DAMAGED', `${run.what} points to blocks ${numbered}+${run.count}, outside the volume`);
  }
  return group * superblock.groupBlocks + place;
}

/** Where a kind of metadata keeps what proves it is in its place. Offsets in bytes; `owner` may be a word of 4 or 8 bytes. */
export interface Stamp {
  readonly checksum: number;
  readonly place: number;
  readonly uuid: number;
  readonly owner: { readonly offset: number; readonly bytes: 4 | 8; readonly value: number } | null;
}

/** True when version 5 metadata read from `volumeBlock` is sealed, in its place and this volume's. Always true for version 4. */
export function isGenuine(volume: Volume, found: { bytes: Buffer; volumeBlock: number }, stamp: Stamp): boolean {
  const { superblock } = volume;
  if (!superblock.checksums) return true;
  const { bytes, volumeBlock } = found;
  const { owner } = stamp;
  if (!isSealed(bytes, stamp.checksum)) return false;
  if (bytes.readBigUInt64BE(stamp.place) !== BigInt((volumeBlock * superblock.blockBytes) / 512)) return false;
  if (!bytes.subarray(stamp.uuid, stamp.uuid + 16).equals(superblock.metaUuidBytes)) return false;
  if (owner === null) return true;
  const stored = owner.bytes === 4 ? BigInt(bytes.readUInt32BE(owner.offset)) : bytes.readBigUInt64BE(owner.offset);
  return stored === BigInt(owner.value);
}

/** Reads `count` blocks from `volumeBlock`, which must have been checked. */
export async function readBlocks(volume: Volume, volumeBlock: number, run: { count: number; what: string }): Promise<ByteReader> {
  const { blockBytes } = volume.superblock;
  return new ByteReader(await readBytes(volume.device, volumeBlock * blockBytes, run.count * blockBytes), run.what);
}
