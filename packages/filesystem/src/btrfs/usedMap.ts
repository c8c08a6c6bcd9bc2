/**
 * Which bytes of the device are in use: the extent tree names every used logical range, the chunk map says where its copies lie.
 * Each chunk is checked against the count its block group keeps. A chunk whose extents cannot be proven complete is taken whole:
 * too much is a cost, too little would be a loss.
 *
 * Besides: the first MiB, which btrfs leaves to boot loaders and its superblock; the copies of the superblock; and, after a crash,
 * the log trees with the data they name, which the extent tree does not know yet.
 */

import { type Extent, mergeExtents, sumBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { UsedMap } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { type Chunk, endOf, physicalExtents } from './chunkMap.ts';
import { logExtents } from './logTrees.ts';
import { type Gap, leaves } from './nodeStore.ts';
import { superblockBytes, superblockOffsets } from './superblock.ts';
import { itemType, type Key, type TreeNode } from './treeNode.ts';
import { findTree, treeId, type Volume } from './volume.ts';

const reservedBytes = 1 << 20;
/** Beyond this the list itself would be the burden: what is left is taken whole. */
const mostRuns = 4_000_000;
const parallelReads = 8;

/** What is known of one chunk: its used runs in rising order, as bytes from its start. */
interface Account {
  readonly chunk: Chunk;
  readonly starts: number[];
  readonly ends: number[];
  usedBytes: number;
  /** What its block group says is used; null until that was seen. */
  expectedBytes: number | null;
  doubt: string | null;
}

export async function readUsedMap(volume: Volume): Promise<UsedMap> {
  const { superblock, chunksDoubt } = volume;
  if (chunksDoubt !== null) return wholeDevice(volume, `The chunk map cannot be read (${chunksDoubt})`);
  const accounts = new Accounts(volume);
  if (!superblock.fromFirstCopy) accounts.doubtAll('The first superblock is damaged or older than a copy');
  const found: Extent[] = [];
  await accounts.takeExtents();
  if (superblock.blockGroupTree) await accounts.takeBlockGroups();
  try {
    for (const { logical, lengthBytes } of await logExtents(volume)) found.push(...accounts.physical(logical, lengthBytes));
  } catch (error) {
    if (!isDamage(error)) throw error;
    accounts.doubtAll('The log of what was synced last cannot be followed');
  }
  for (const extent of accounts.extents()) found.push(extent);
  const end = superblock.deviceBytes;
  found.push({ offsetBytes: 0, lengthBytes: Math.min(reservedBytes, end) });
  const copyBytes = Math.max(superblockBytes, superblock.sectorBytes);
  for (const offsetBytes of superblockOffsets) {
    if (offsetBytes + copyBytes <= end) found.push({ offsetBytes, lengthBytes: copyBytes });
  }
  const extents = mergeExtents(found);
  return { extents, usedBytes: sumBytes(extents), warnings: accounts.warnings() };
}

function wholeDevice(volume: Volume, reason: string): UsedMap {
  const usedBytes = volume.superblock.deviceBytes;
  return {
    extents: [{ offsetBytes: 0, lengthBytes: usedBytes }],
    usedBytes,
    warnings: [`${reason}: the whole filesystem was taken.`],
  };
}

class Accounts {
  private readonly volume: Volume;
  private readonly list: readonly Account[];
  private strays = 0;
  private runs = 0;

  constructor(volume: Volume) {
    this.volume = volume;
    this.list = volume.nodes.chunks.chunks.map((chunk) => {
      return { chunk, starts: [], ends: [], usedBytes: 0, expectedBytes: null, doubt: null };
    });
  }

  doubtAll(reason: string): void {
    for (const account of this.list) account.doubt ??= reason;
  }

  async takeExtents(): Promise<void> {
    await this.takeTree(treeId.extent, 'The extent tree is damaged', (leaf) => this.takeLeaf(leaf));
  }

  /** With the feature of that name block groups have a tree of their own. */
  async takeBlockGroups(): Promise<void> {
    await this.takeTree(treeId.blockGroup, 'The block group tree is damaged', (leaf) => {
      for (let index = 0; index < leaf.count; index++) this.takeBlockGroup(leaf, index);
    });
  }

  private async takeTree(id: number, reason: string, take: (leaf: TreeNode) => void): Promise<void> {
    try {
      const { ref } = await findTree(this.volume, id);
      const onGap = (gap: Gap) => this.doubtRange(gap, reason);
      for await (const leaf of leaves(this.volume.nodes, ref, { onGap, parallelReads })) take(leaf);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.doubtAll(reason);
    }
  }

  /** The first key of a gap may be that of an extent of the chunk before, so both ends count as touched. */
  private doubtRange(gap: { from: Key; to: Key | null }, reason: string): void {
    const last = gap.to?.objectId ?? Number.POSITIVE_INFINITY;
    for (let index = this.volume.nodes.chunks.indexFor(gap.from.objectId); index < this.list.length; index++) {
      const account = this.list[index];
      if (!account || account.chunk.logical > last) return;
      account.doubt ??= reason;
    }
  }

  private takeLeaf(leaf: TreeNode): void {
    const { nodeBytes } = this.volume.superblock;
    for (let index = 0; index < leaf.count; index++) {
      const type = leaf.type(index);
      if (type === itemType.extent) this.take(leaf.objectId(index), leaf.offset(index));
      else if (type === itemType.metadata) this.take(leaf.objectId(index), nodeBytes);
      else if (type === itemType.blockGroup) this.takeBlockGroup(leaf, index);
    }
  }

  private take(logical: number, lengthBytes: number): void {
    const account = this.list[this.volume.nodes.chunks.indexFor(logical)];
    if (!account || logical < account.chunk.logical) {
      this.strays++;
      return;
    }
    const { chunk, starts, ends } = account;
    const { sectorBytes } = this.volume.superblock;
    const start = logical - chunk.logical;
    const lastEnd = ends.at(-1) ?? 0;
    const fits = start >= lastEnd && start + lengthBytes <= chunk.lengthBytes && lengthBytes > 0;
    if (!fits || start % sectorBytes !== 0 || lengthBytes % sectorBytes !== 0) {
      account.doubt ??= 'Extents overlap or leave their chunk';
      return;
    }
    account.usedBytes += lengthBytes;
    if (ends.length > 0 && start === lastEnd) {
      ends[ends.length - 1] = start + lengthBytes;
    } else if (++this.runs > mostRuns) {
      account.doubt ??= 'The used space is scattered beyond reason';
    } else {
      starts.push(start);
      ends.push(start + lengthBytes);
    }
  }

  private takeBlockGroup(leaf: TreeNode, index: number): void {
    if (leaf.type(index) !== itemType.blockGroup) return;
    const account = this.list[this.volume.nodes.chunks.indexFor(leaf.objectId(index))];
    if (account?.chunk.logical !== leaf.objectId(index)) return;
    account.expectedBytes = leaf.item(index, 'a block group').u64(0);
  }

  /** @throws FilesystemError `FS_DAMAGED` when no chunk holds all of the range. */
  physical(logical: number, lengthBytes: number): Extent[] {
    const account = this.list[this.volume.nodes.chunks.indexFor(logical)];
    if (!account || logical < account.chunk.logical || logical + lengthBytes > endOf(account.chunk)) {
      throw new FilesystemError('FS_DAMAGED', `no chunk holds the range ${logical}+${lengthBytes}`);
    }
    return physicalExtents(account.chunk, logical - account.chunk.logical, lengthBytes);
  }

  *extents(): Generator<Extent> {
    for (const account of this.list) {
      const { chunk, starts, ends, usedBytes, expectedBytes } = account;
      if (usedBytes !== expectedBytes) account.doubt ??= 'The extents of a chunk and the count of its block group disagree';
      if (account.doubt !== null) {
        yield* physicalExtents(chunk, 0, chunk.lengthBytes);
        continue;
      }
      for (const [index, start] of starts.entries()) yield* physicalExtents(chunk, start, (ends[index] ?? start) - start);
    }
  }

  /** To be asked for after `extents`. */
  warnings(): string[] {
    const byReason = new Map<string, number[]>();
    for (const { doubt, chunk } of this.list) {
      if (doubt === null) continue;
      const chunks = byReason.get(doubt);
      if (chunks) chunks.push(chunk.logical);
      else byReason.set(doubt, [chunk.logical]);
    }
    const sentences = [...byReason].map(([reason, chunks]) => {
      const named = chunks.slice(0, 10).join(', ') + (chunks.length > 10 ? ', …' : '');
      return `${reason}: ${chunks.length === 1 ? `the chunk at ${named} was` : `${chunks.length} chunks (at ${named}) were`} taken whole.`;
    });
    if (this.strays > 0) sentences.push(`The extent tree names ${this.strays} extents that no chunk holds.`);
    return sentences;
  }
}
