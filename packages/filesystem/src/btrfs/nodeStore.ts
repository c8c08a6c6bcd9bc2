/** Reads tree nodes by logical address, from whichever copy proves right, and keeps the last few. */
import { type BlockDevice, DiskError, readBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { isDamage } from '../soundParts.ts';
import { checksumMatches } from './checksums.ts';
import type { ChunkMap } from './chunkMap.ts';
import type { Superblock } from './superblock.ts';
import { compareKeys, type Key, type NodeRef, TreeNode } from './treeNode.ts';

/** 4 MiB of nodes, whatever their size. */
const keptBytes = 4 << 20;

export class NodeStore {
  readonly superblock: Superblock;
  readonly chunks: ChunkMap;
  readonly device: BlockDevice;
  private readonly kept = new Map<number, Promise<TreeNode>>();

  constructor(device: BlockDevice, superblock: Superblock, chunks: ChunkMap) {
    this.device = device;
    this.superblock = superblock;
    this.chunks = chunks;
  }

  /** @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED` when no copy is on this device; `DiskError`. */
  async read(ref: NodeRef): Promise<TreeNode> {
    const kept = this.kept.get(ref.logical);
    if (kept) {
      this.kept.delete(ref.logical);
      this.kept.set(ref.logical, kept);
      const node = await kept;
      const wrong = whatIsWrong(node, ref);
      if (wrong) throw new FilesystemError('FS_DAMAGED', `the tree node at ${ref.logical} ${wrong}`);
      return node;
    }
    const reading = this.readCopies(ref);
    this.kept.set(ref.logical, reading);
    reading.catch(() => this.kept.delete(ref.logical));
    const oldest = this.kept.keys().next();
    if (this.kept.size > keptBytes / this.superblock.nodeBytes && !oldest.done) this.kept.delete(oldest.value);
    return reading;
  }

  /** Starts reading nodes that will be asked for soon; what goes wrong is told when they are. */
  readAhead(refs: readonly NodeRef[]): void {
    for (const ref of refs) if (!this.kept.has(ref.logical)) this.read(ref).catch(() => {});
  }

  private async readCopies(ref: NodeRef): Promise<TreeNode> {
    const { nodeBytes } = this.superblock;
    const { copies, lengthBytes } = this.chunks.place(ref.logical, 'a tree');
    if (lengthBytes < nodeBytes) throw new FilesystemError('FS_DAMAGED', `the tree node at ${ref.logical} leaves its chunk`);
    if (copies.length === 0) {
      throw new FilesystemError('FS_UNSUPPORTED', 'this btrfs volume keeps its trees on other devices too');
    }
    let failure: unknown = null;
    for (const offset of copies) {
      try {
        const node = this.check(await readBytes(this.device, offset, nodeBytes), ref.logical);
        const wrong = whatIsWrong(node, ref);
        if (!wrong) return node;
        failure ??= new FilesystemError('FS_DAMAGED', `the tree node at ${ref.logical} ${wrong}`);
      } catch (error) {
        if (!(error instanceof FilesystemError) && !(error instanceof DiskError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  private check(bytes: Buffer, logical: number): TreeNode {
    const { checksumType, nodeUuid } = this.superblock;
    const own = nodeUuid.equals(bytes.subarray(0x20, 0x30)) && bytes.readBigUInt64LE(0x30) === BigInt(logical);
    if (!own || !checksumMatches(checksumType, bytes)) {
      throw new FilesystemError('FS_DAMAGED', `the tree node at ${logical} fails its checksum`);
    }
    return new TreeNode(bytes);
  }
}

function whatIsWrong(node: TreeNode, ref: NodeRef): string | null {
  if (node.level !== ref.level) return `has level ${node.level} instead of ${ref.level}`;
  if (ref.generation !== null && node.generation !== ref.generation) return 'is of another generation than its parent says';
  if (node.count === 0) return ref.firstKey === null && node.level === 0 ? null : 'is empty';
  return ref.firstKey !== null && compareKeys(node.key(0), ref.firstKey) !== 0
    ? 'begins with another key than its parent says'
    : null;
}

/** A leaf that could not be read: all items from `from` on and before `to` are unknown (null: to the end of the tree). */
export interface Gap {
  readonly from: Key;
  readonly to: Key | null;
  readonly error: FilesystemError | DiskError;
}

export interface WalkOptions {
  /** Skip the leaves that hold only keys below this one. */
  readonly from?: Key;
  /** Called for what is damaged instead of throwing; the walk goes on behind it. */
  readonly onGap?: (gap: Gap) => void;
  /** Called with every node, inner ones too. */
  readonly onNode?: (ref: NodeRef) => void;
  /** Leaves to read at once. For walks of a whole tree. */
  readonly parallelReads?: number;
}

/** All leaves of a tree in the order of their keys. No node comes twice, whatever the pointers say. */
export async function* leaves(store: NodeStore, root: NodeRef, options: WalkOptions = {}): AsyncGenerator<TreeNode> {
  const node = await store.read(root);
  options.onNode?.(root);
  if (node.level === 0) yield node;
  else yield* leavesBelow(store, { node, end: null }, options);
}

async function* leavesBelow(
  store: NodeStore,
  parent: { node: TreeNode; end: Key | null },
  options: WalkOptions,
): AsyncGenerator<TreeNode> {
  const { node } = parent;
  const ahead = options.parallelReads ?? 1;
  for (let index = options.from ? node.childFor(options.from) : 0, read = index; index < node.count; index++) {
    if (ahead > 1 && index >= read) {
      read = Math.min(node.count, index + ahead);
      store.readAhead(Array.from({ length: read - index }, (_, next) => node.child(index + next)));
    }
    const ref = node.child(index);
    const end = index + 1 < node.count ? node.key(index + 1) : parent.end;
    const child = await readOrGap(store, ref, { end, onGap: options.onGap });
    if (!child) continue;
    options.onNode?.(ref);
    if (child.level === 0) yield child;
    else yield* leavesBelow(store, { node: child, end }, options);
  }
}

async function readOrGap(
  store: NodeStore,
  ref: NodeRef,
  range: { end: Key | null; onGap: WalkOptions['onGap'] },
): Promise<TreeNode | null> {
  try {
    const child = await store.read(ref);
    const last = child.count > 0 ? child.key(child.count - 1) : null;
    if (range.end && last && compareKeys(last, range.end) > 0) {
      throw new FilesystemError('FS_DAMAGED', `the tree node at ${ref.logical} overlaps its neighbour`);
    }
    return child;
  } catch (error) {
    if (!range.onGap || !ref.firstKey || !isDamage(error)) throw error;
    range.onGap({ from: ref.firstKey, to: range.end, error });
    return null;
  }
}

/** A leaf and the place in it. */
export interface ItemPlace {
  readonly leaf: TreeNode;
  readonly index: number;
}

/** All items from `from` on, in order. The caller stops when it has seen enough. */
export async function* itemsFrom(store: NodeStore, root: NodeRef, from: Key): AsyncGenerator<ItemPlace> {
  for await (const leaf of leaves(store, root, { from })) {
    for (let index = leaf.lowerBound(from); index < leaf.count; index++) yield { leaf, index };
  }
}

/** The item with exactly this key, or null. */
export async function findItem(store: NodeStore, root: NodeRef, key: Key): Promise<ItemPlace | null> {
  let node = await store.read(root);
  while (node.level > 0) node = await store.read(node.child(node.childFor(key)));
  const index = node.lowerBound(key);
  return index < node.count && compareKeys(node.key(index), key) === 0 ? { leaf: node, index } : null;
}
