/**
 * A volume made by hand, for what the tools at hand cannot make: an extent tree of any size, block groups in a tree of their own.
 * It has a data chunk and one chunk for all trees; the trees' own nodes are not in the extent tree (no reader of ours looks for them
 * there).
 */
import { type BlockDevice, type Extent, memoryDevice } from '@diskfleet/disk';
import { seal } from './resealed.ts';

export interface SyntheticOptions {
  /** Used runs of the data chunk, in bytes from its start. */
  readonly dataRuns: readonly Extent[];
  readonly blockGroupTree?: boolean;
  /** What the block group says is used, instead of the truth. */
  readonly claimedBytes?: number;
}

interface Item {
  readonly key: readonly [objectId: number, type: number, offset: number];
  readonly data: Buffer;
}

interface Tree {
  readonly logical: number;
  readonly level: number;
}

const nodeBytes = 16384;
const generation = 7n;
const uuid = Buffer.alloc(16, 0x42);
const deviceBytes = 3 * 2 ** 30;
export const dataChunk = { logical: 100 * 2 ** 30, lengthBytes: 2 ** 30, offsetBytes: 2 ** 30 };
export const treeChunk = { logical: 4 * 2 ** 20, lengthBytes: 256 * 2 ** 20, offsetBytes: 128 * 2 ** 20 };

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function keyBytes([objectId, type, offset]: Item['key']): Buffer {
  return Buffer.concat([u64(objectId), Buffer.from([type]), u64(offset)]);
}

function chunkData(chunk: typeof dataChunk, type: number): Buffer {
  const data = Buffer.alloc(80);
  data.writeBigUInt64LE(BigInt(chunk.lengthBytes), 0);
  data.writeBigUInt64LE(2n, 8);
  data.writeBigUInt64LE(65536n, 16);
  data.writeBigUInt64LE(BigInt(type), 24);
  data.writeUInt16LE(1, 44);
  data.writeBigUInt64LE(1n, 48);
  data.writeBigUInt64LE(BigInt(chunk.offsetBytes), 56);
  return data;
}

/** Lays nodes one after the other into the tree chunk. */
class Forest {
  readonly bytes: Buffer[] = [];

  private add(owner: number, level: number, write: (node: Buffer) => number): { key: Item['key'] | null; logical: number } {
    const node = Buffer.alloc(nodeBytes);
    const logical = treeChunk.logical + this.bytes.length * nodeBytes;
    uuid.copy(node, 0x20);
    node.writeBigUInt64LE(BigInt(logical), 0x30);
    node.writeBigUInt64LE(generation, 0x50);
    node.writeBigUInt64LE(BigInt(owner), 0x58);
    node.writeUInt8(level, 0x64);
    node.writeUInt32LE(write(node), 0x60);
    seal(node);
    this.bytes.push(node);
    return { key: null, logical };
  }

  tree(owner: number, items: readonly Item[]): Tree {
    let parents: { key: Item['key']; logical: number }[] = [];
    let next = 0;
    do {
      const first = next;
      const { logical } = this.add(owner, 0, (node) => {
        let end = nodeBytes - 101;
        for (; next < items.length; next++) {
          const item = items[next];
          if (!item || end - item.data.length < (next - first + 1) * 25) break;
          end -= item.data.length;
          const at = 101 + (next - first) * 25;
          keyBytes(item.key).copy(node, at);
          node.writeUInt32LE(end, at + 17);
          node.writeUInt32LE(item.data.length, at + 21);
          item.data.copy(node, 101 + end);
        }
        return next - first;
      });
      parents.push({ key: items[first]?.key ?? [0, 0, 0], logical });
    } while (next < items.length);
    let level = 0;
    while (parents.length > 1) {
      level++;
      const above: typeof parents = [];
      for (let first = 0; first < parents.length; first += 400) {
        const group = parents.slice(first, first + 400);
        const { logical } = this.add(owner, level, (node) => {
          group.forEach((child, index) => {
            Buffer.concat([keyBytes(child.key), u64(child.logical), u64(generation)]).copy(node, 101 + index * 33);
          });
          return group.length;
        });
        above.push({ key: group[0]?.key ?? [0, 0, 0], logical });
      }
      parents = above;
    }
    return { logical: parents[0]?.logical ?? 0, level };
  }
}

function rootItem(id: number, tree: Tree): Item {
  const data = Buffer.alloc(439);
  data.writeBigUInt64LE(generation, 160);
  data.writeBigUInt64LE(BigInt(tree.logical), 176);
  data.writeUInt8(tree.level, 238);
  return { key: [id, 132, 0], data };
}

function superblock(trees: { chunk: Tree; root: Tree }, blockGroupTree: boolean): Buffer {
  const block = Buffer.alloc(4096);
  uuid.copy(block, 0x20);
  block.writeBigUInt64LE(65536n, 0x30);
  block.write('_BHRfS_M', 0x40, 'latin1');
  block.writeBigUInt64LE(generation, 0x48);
  block.writeBigUInt64LE(BigInt(trees.root.logical), 0x50);
  block.writeBigUInt64LE(BigInt(trees.chunk.logical), 0x58);
  block.writeBigUInt64LE(1n, 0x88);
  block.writeUInt32LE(4096, 0x90);
  block.writeUInt32LE(nodeBytes, 0x94);
  block.writeBigUInt64LE(generation, 0xa4);
  block.writeUInt32LE(blockGroupTree ? 0xb : 0, 0xb4);
  block.writeUInt32LE(0x341, 0xbc);
  block.writeUInt8(trees.root.level, 0xc6);
  block.writeUInt8(trees.chunk.level, 0xc7);
  block.writeBigUInt64LE(1n, 0xc9);
  block.writeBigUInt64LE(BigInt(deviceBytes), 0xd1);
  const system = Buffer.concat([keyBytes([256, 228, treeChunk.logical]), chunkData(treeChunk, 2)]);
  block.writeUInt32LE(system.length, 0xa0);
  system.copy(block, 0x32b);
  seal(block);
  return block;
}

export function syntheticVolume({ dataRuns, blockGroupTree = false, claimedBytes }: SyntheticOptions): BlockDevice {
  const used = dataRuns.reduce((sum, run) => sum + run.lengthBytes, 0);
  const groups: Item[] = [
    { key: [treeChunk.logical, 192, treeChunk.lengthBytes], data: Buffer.alloc(24) },
    { key: [dataChunk.logical, 192, dataChunk.lengthBytes], data: Buffer.concat([u64(claimedBytes ?? used), Buffer.alloc(16)]) },
  ];
  const extents: Item[] = dataRuns.map((run) => {
    return { key: [dataChunk.logical + run.offsetBytes, 168, run.lengthBytes], data: Buffer.alloc(53) };
  });
  const forest = new Forest();
  const chunk = forest.tree(3, [
    { key: [256, 228, treeChunk.logical], data: chunkData(treeChunk, 6) },
    { key: [256, 228, dataChunk.logical], data: chunkData(dataChunk, 1) },
  ]);
  const inOrder = (items: Item[]) => items.sort(({ key: a }, { key: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  const extent = forest.tree(2, blockGroupTree ? extents : inOrder([...extents, ...groups]));
  const roots = [rootItem(2, extent)];
  if (blockGroupTree) roots.push(rootItem(11, forest.tree(11, groups)));
  const root = forest.tree(1, roots);
  const trees = memoryDevice(Buffer.concat(forest.bytes));
  const head = memoryDevice(superblock({ chunk, root }, blockGroupTree));
  return {
    sizeBytes: deviceBytes,
    sectorBytes: 512,
    async read(offsetBytes, target) {
      target.fill(0);
      if (offsetBytes >= 65536 && offsetBytes + target.length <= 65536 + 4096) await head.read(offsetBytes - 65536, target);
      const inTrees = offsetBytes - treeChunk.offsetBytes;
      if (inTrees >= 0 && inTrees + target.length <= trees.sizeBytes) await trees.read(inTrees, target);
    },
    async close() {},
  };
}
