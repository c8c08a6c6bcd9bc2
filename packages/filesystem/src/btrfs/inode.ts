/** Inodes and how they are named. Layout: btrfs documentation "On-disk Format", chapter Inode item. */
import type { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { EntryType } from '../filesystem.ts';
import { findItem } from './nodeStore.ts';
import { itemType, type NodeRef } from './treeNode.ts';
import { findTree, type TreeRoot, type Volume } from './volume.ts';

/** Numbers of inodes begin at 256. This one stands for a subvolume that did not come along into a snapshot: an empty folder. */
export const emptyFolderInode = 2;
const treesKept = 1000;

/** An inode number means something within its subvolume only. */
export interface InodeId {
  readonly subvolume: number;
  readonly number: number;
}

export interface Inode extends InodeId {
  /** The tree the inode lies in. */
  readonly tree: NodeRef;
  readonly mode: number;
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number | null;
  /** Changes whenever the file does. */
  readonly stamp: string;
}

export function refOf(id: InodeId): string {
  return `${id.subvolume}:${id.number}`;
}

/** @throws FilesystemError `FS_NOT_FOUND` for anything `refOf` never returns. */
export function parseRef(ref: string): InodeId {
  const parts = /^([1-9]\d{0,14}):([1-9]\d{0,14})$/.exec(ref);
  if (!parts) throw new FilesystemError('FS_NOT_FOUND', 'there is no such entry');
  return { subvolume: Number(parts[1]), number: Number(parts[2]) };
}

/** Finds the tree of a subvolume once, then remembers it. */
export class Subvolumes {
  private readonly volume: Volume;
  private readonly found = new Map<number, Promise<TreeRoot>>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** @throws FilesystemError `FS_NOT_FOUND`, `FS_DAMAGED`. */
  tree(id: number): Promise<TreeRoot> {
    const known = this.found.get(id);
    if (known) return known;
    const finding = findTree(this.volume, id);
    this.found.set(id, finding);
    finding.catch(() => this.found.delete(id));
    const oldest = this.found.keys().next();
    if (this.found.size > treesKept && !oldest.done) this.found.delete(oldest.value);
    return finding;
  }

  /** @throws FilesystemError `FS_NOT_FOUND`, `FS_DAMAGED`. */
  async inode(id: InodeId): Promise<Inode> {
    if (id.number === emptyFolderInode) return emptyFolder(this.volume, id);
    const tree = (await this.tree(id.subvolume)).ref;
    const place = await findItem(this.volume.nodes, tree, { objectId: id.number, type: itemType.inode, offset: 0 });
    if (!place) throw new FilesystemError('FS_NOT_FOUND', `there is no inode ${refOf(id)}`);
    const raw = place.leaf.item(place.index, `inode ${refOf(id)}`);
    const mode = raw.u32(52);
    const seconds = Number(BigInt.asIntN(64, raw.u64big(136)));
    return {
      ...id,
      tree,
      mode,
      type: typeOf(mode),
      sizeBytes: raw.u64(16),
      modifiedAtMs: seconds * 1000 + Math.floor(raw.u32(144) / 1_000_000),
      stamp: stampOf(raw),
    };
  }
}

function emptyFolder(volume: Volume, id: InodeId): Inode {
  const { rootTree, generation } = volume.superblock;
  const tree = { ...rootTree, generation, firstKey: null };
  return { ...id, tree, mode: 0o40755, type: 'directory', sizeBytes: 0, modifiedAtMs: null, stamp: '' };
}

/** Generation, transaction of the last change, size; count of changes; times of inode and content. */
function stampOf(raw: ByteReader): string {
  const { bytes } = raw;
  return `${bytes.toString('hex', 0, 24)}${bytes.toString('hex', 72, 80)}${bytes.toString('hex', 124, 148)}`;
}

function typeOf(mode: number): EntryType {
  switch (mode & 0xf000) {
    case 0x8000:
      return 'file';
    case 0x4000:
      return 'directory';
    case 0xa000:
      return 'symlink';
    default:
      return 'other';
  }
}
