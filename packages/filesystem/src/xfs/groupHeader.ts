/**
 * The head of an allocation group: four sectors (copy of the superblock, free space, inodes, free list). The free space of a group
 * is what its tree of free space says plus the few blocks of the free list, which are set aside for the trees themselves.
 * Layout: "XFS Algorithms & Data Structures", chapter Allocation Groups (AGF, AGFL).
 */
import { readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { isSealed } from './seal.ts';
import { groupLength, type Volume } from './volume.ts';

const freeMagic = 0x58414746;
const listMagic = 0x5841464c;
const deepestTree = 16;

export interface GroupHeader {
  readonly number: number;
  readonly length: number;
  readonly rootBlock: number;
  readonly levels: number;
  readonly freeBlocks: number;
  readonly treeBlocks: number;
  /** Blocks of the group set aside for its trees. Their content means nothing. */
  readonly freeList: readonly number[];
}

/** The header, or one sentence's beginning that says why it cannot be trusted. */
export async function readGroupHeader(volume: Volume, number: number): Promise<GroupHeader | string> {
  const { superblock, device } = volume;
  const { sectorBytes } = superblock;
  const offsetBytes = number * superblock.groupBlocks * superblock.blockBytes;
  const length = groupLength(superblock, number);
  if (length * superblock.blockBytes < 4 * sectorBytes) return 'An allocation group is too short for its header';
  const head = await readBytes(device, offsetBytes + sectorBytes, 3 * sectorBytes);
  const free = new ByteReader(head.subarray(0, sectorBytes), 'the header of an allocation group');
  const list = new ByteReader(head.subarray(2 * sectorBytes), 'the free list of an allocation group');
  if (free.u32be(0) !== freeMagic || free.u32be(4) !== 1) return 'The header of an allocation group is missing';
  if (superblock.checksums && !(isSealed(free.bytes, 216) && free.slice(64, 16).equals(superblock.metaUuidBytes))) {
    return 'The header of an allocation group fails its checksum';
  }
  const levels = free.u32be(28);
  if (free.u32be(8) !== number || free.u32be(12) !== length || levels < 1 || levels > deepestTree) {
    return 'The header of an allocation group contradicts the superblock';
  }
  const freeList = readFreeList(volume, { free, list, number, length });
  if (typeof freeList === 'string') return freeList;
  return { number, length, rootBlock: free.u32be(16), levels, freeBlocks: free.u32be(52), treeBlocks: free.u32be(60), freeList };
}

interface ListSource {
  readonly free: ByteReader;
  readonly list: ByteReader;
  readonly number: number;
  readonly length: number;
}

/** A ring of block numbers of which `count` from `first` are valid. */
function readFreeList(volume: Volume, { free, list, number, length }: ListSource): number[] | string {
  const { superblock } = volume;
  const damaged = 'The free list of an allocation group is damaged';
  const start = superblock.checksums ? 36 : 0;
  if (superblock.checksums) {
    const intact = list.u32be(0) === listMagic && list.u32be(4) === number && isSealed(list.bytes, 32);
    if (!intact || !list.slice(8, 16).equals(superblock.metaUuidBytes)) return damaged;
  }
  const slots = Math.floor((superblock.sectorBytes - start) / 4);
  const first = free.u32be(40);
  const last = free.u32be(44);
  const count = free.u32be(48);
  if (count === 0) return [];
  if (first >= slots || last >= slots || count !== ((last - first + slots) % slots) + 1) return damaged;
  const blocks: number[] = [];
  for (let index = 0; index < count; index++) {
    const block = list.u32be(start + ((first + index) % slots) * 4);
    if (block >= length) return damaged;
    blocks.push(block);
  }
  return blocks.sort((a, b) => a - b);
}
