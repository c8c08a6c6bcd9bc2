/**
 * One node of a btrfs tree. All trees (roots, extents, chunks, files, logs) have the same shape: sorted keys, leaves with items,
 * inner nodes with pointers. Layout: btrfs documentation "On-disk Format", chapters B-tree, Node, Leaf.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';

const headerBytes = 101;
const itemBytes = 25;
const pointerBytes = 33;

/**
 * What trees are sorted by. Numbers above 2^53 (hashes, and the ids counted down from 2^64) are rounded: that keeps their order, and
 * nothing is ever looked up by one of them.
 */
export interface Key {
  readonly objectId: number;
  readonly type: number;
  readonly offset: number;
}

export const itemType = {
  inode: 1,
  orphan: 48,
  dirItem: 84,
  dirIndex: 96,
  extentData: 108,
  root: 132,
  rootRef: 156,
  extent: 168,
  metadata: 169,
  blockGroup: 192,
  chunk: 228,
};

export function compareKeys(one: Key, other: Key): number {
  return one.objectId - other.objectId || one.type - other.type || one.offset - other.offset;
}

/** Where a node is said to be, and what it must be when it really is the one meant. */
export interface NodeRef {
  readonly logical: number;
  readonly level: number;
  /** Null where the pointer does not say. */
  readonly generation: number | null;
  /** The first key as the parent knows it; null for roots. It is what keeps a walk from passing one node twice. */
  readonly firstKey: Key | null;
}

export class TreeNode {
  readonly level: number;
  readonly count: number;
  readonly generation: number;
  private readonly bytes: Buffer;
  private readonly stepBytes: number;

  /** @throws FilesystemError `FS_DAMAGED` when an item leaves the node or keys are out of order. */
  constructor(bytes: Buffer) {
    const raw = new ByteReader(bytes, 'a tree node');
    this.bytes = bytes;
    this.generation = raw.u64(0x50);
    this.count = raw.u32(0x60);
    this.level = raw.u8(0x64);
    this.stepBytes = this.level === 0 ? itemBytes : pointerBytes;
    if (headerBytes + this.count * this.stepBytes > bytes.length) throw damaged('more items than a node can hold');
    for (let index = 1; index < this.count; index++) {
      if (!this.ascends(index)) throw damaged('keys out of order');
    }
    if (this.level === 0) this.insistOnItems();
  }

  objectId(index: number): number {
    return this.number(headerBytes + index * this.stepBytes);
  }

  type(index: number): number {
    return this.bytes[headerBytes + index * this.stepBytes + 8] ?? 0;
  }

  offset(index: number): number {
    return this.number(headerBytes + index * this.stepBytes + 9);
  }

  key(index: number): Key {
    return { objectId: this.objectId(index), type: this.type(index), offset: this.offset(index) };
  }

  /** Index of the first key that is not below `key`; `count` when all are. */
  lowerBound(key: Key): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.key(middle), key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Of an inner node: the child below which `key` lies, if it is there at all. */
  childFor(key: Key): number {
    const index = this.lowerBound(key);
    const exact = index < this.count && compareKeys(this.key(index), key) === 0;
    return exact ? index : Math.max(0, index - 1);
  }

  child(index: number): NodeRef {
    const at = headerBytes + index * pointerBytes;
    return {
      logical: this.number(at + 17),
      generation: this.number(at + 25),
      level: this.level - 1,
      firstKey: this.key(index),
    };
  }

  /** Content of an item of a leaf. */
  item(index: number, what: string): ByteReader {
    const at = headerBytes + index * itemBytes;
    const start = headerBytes + this.bytes.readUInt32LE(at + 17);
    return new ByteReader(this.bytes.subarray(start, start + this.bytes.readUInt32LE(at + 21)), what);
  }

  private number(at: number): number {
    return this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  /** Two equal keys in a row are let pass only where rounding may have made them so. */
  private ascends(index: number): boolean {
    const before = this.key(index - 1);
    const order = compareKeys(before, this.key(index));
    return order < 0 || (order === 0 && Math.max(before.objectId, before.offset) > Number.MAX_SAFE_INTEGER);
  }

  private insistOnItems(): void {
    const first = this.count * itemBytes;
    const end = this.bytes.length - headerBytes;
    for (let index = 0; index < this.count; index++) {
      const at = headerBytes + index * itemBytes;
      const start = this.bytes.readUInt32LE(at + 17);
      if (start < first || start + this.bytes.readUInt32LE(at + 21) > end) throw damaged('an item outside its node');
    }
  }
}

function damaged(how: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `a tree node is damaged: ${how}`);
}
