/** What every part of the reader needs to know of an opened volume, and how its trees are found. */

import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { isDamage } from '../soundParts.ts';
import { type Chunk, ChunkMap, parseChunk, parseSystemChunks } from './chunkMap.ts';
import { itemsFrom, leaves, NodeStore } from './nodeStore.ts';
import { readSuperblock, type Superblock } from './superblock.ts';
import { itemType, type Key, type NodeRef } from './treeNode.ts';

export const treeId = { extent: 2, topLevelSubvolume: 5, blockGroup: 11 };

export interface Volume {
  readonly device: BlockDevice;
  readonly superblock: Superblock;
  readonly nodes: NodeStore;
  /** Why the chunk map is not complete, so that nothing can be said of the rest of the device; null when it is. */
  readonly chunksDoubt: string | null;
}

/** @throws FilesystemError when the superblock is beyond use. Damage further down shows where it matters. */
export async function openVolume(device: BlockDevice): Promise<Volume> {
  const superblock = await readSuperblock(device);
  const { chunks, doubt } = await readChunks(device, superblock);
  return { device, superblock, nodes: new NodeStore(device, superblock, chunks), chunksDoubt: doubt };
}

async function readChunks(device: BlockDevice, superblock: Superblock): Promise<{ chunks: ChunkMap; doubt: string | null }> {
  let known = new ChunkMap([]);
  try {
    known = parseSystemChunks(superblock.systemChunks, superblock);
    const store = new NodeStore(device, superblock, known);
    const root: NodeRef = { ...superblock.chunkTree, firstKey: null };
    const chunks: Chunk[] = [];
    for await (const leaf of leaves(store, root, { parallelReads: 8 })) {
      for (let index = 0; index < leaf.count; index++) {
        if (leaf.type(index) === itemType.chunk) {
          chunks.push(parseChunk(leaf.offset(index), leaf.item(index, 'a chunk'), superblock));
        }
      }
    }
    return { chunks: new ChunkMap(chunks), doubt: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { chunks: known, doubt: error.message };
  }
}

export interface TreeRoot {
  readonly ref: NodeRef;
  /** Inode of the topmost folder; 0 in trees that hold no files. */
  readonly rootInode: number;
}

/** The tree of trees, which names all others. */
export function rootTree(superblock: Superblock): NodeRef {
  return { ...superblock.rootTree, generation: superblock.generation, firstKey: null };
}

/** @throws FilesystemError `FS_NOT_FOUND` when there is no such tree, `FS_DAMAGED`. */
export async function findTree(volume: Volume, id: number): Promise<TreeRoot> {
  const from: Key = { objectId: id, type: itemType.root, offset: 0 };
  let found: TreeRoot | null = null;
  for await (const { leaf, index } of itemsFrom(volume.nodes, rootTree(volume.superblock), from)) {
    if (leaf.objectId(index) !== id || leaf.type(index) !== itemType.root) break;
    // Of several, which happens in the middle of a balance only, the last is the one in force.
    const raw = leaf.item(index, 'the root of a tree');
    const ref = { logical: raw.u64(176), level: raw.u8(238), generation: raw.u64(160), firstKey: null };
    found = { ref, rootInode: raw.u64(168) };
  }
  if (!found) throw new FilesystemError('FS_NOT_FOUND', `there is no tree ${id} in this volume`);
  return found;
}
