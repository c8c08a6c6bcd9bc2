/**
 * Folders: one item per entry, in the order the entries were made. A subvolume inside a folder is an entry that names a tree; the
 * tree of trees must agree, else it belongs elsewhere (as after a snapshot of the folder's own subvolume, which leaves it empty).
 */

import { FilesystemError } from '../errors.ts';
import { isDamage } from '../soundParts.ts';
import { emptyFolderInode, type Inode, type InodeId, type Subvolumes } from './inode.ts';
import { findItem, itemsFrom } from './nodeStore.ts';
import { itemType } from './treeNode.ts';
import { rootTree, type Volume } from './volume.ts';

export interface NamedInode {
  readonly nameBytes: Uint8Array;
  readonly inode: InodeId;
}

/** @throws FilesystemError `FS_DAMAGED`. */
export async function* readNames(volume: Volume, subvolumes: Subvolumes, directory: Inode): AsyncGenerator<NamedInode> {
  if (directory.number === emptyFolderInode) return;
  const from = { objectId: directory.number, type: itemType.dirIndex, offset: 0 };
  for await (const { leaf, index } of itemsFrom(volume.nodes, directory.tree, from)) {
    if (leaf.objectId(index) !== directory.number || leaf.type(index) !== itemType.dirIndex) return;
    const raw = leaf.item(index, `folder ${directory.number}`);
    const nameLength = raw.u16(27);
    if (nameLength === 0 || nameLength > 255) {
      throw new FilesystemError('FS_DAMAGED', `folder ${directory.number} has a damaged entry`);
    }
    const nameBytes = raw.slice(30, nameLength);
    if (isDots(nameBytes)) continue;
    const target = { id: raw.u64(0), type: raw.u8(8) };
    if (target.type === itemType.inode) {
      yield { nameBytes, inode: { subvolume: directory.subvolume, number: target.id } };
    } else if (target.type === itemType.root) {
      yield { nameBytes, inode: await subvolumeRoot(volume, subvolumes, { directory, nameBytes, id: target.id }) };
    } else {
      throw new FilesystemError('FS_DAMAGED', `folder ${directory.number} has a damaged entry`);
    }
  }
}

async function subvolumeRoot(
  volume: Volume,
  subvolumes: Subvolumes,
  entry: { directory: Inode; nameBytes: Buffer; id: number },
): Promise<InodeId> {
  const { directory, nameBytes, id } = entry;
  const empty = { subvolume: directory.subvolume, number: emptyFolderInode };
  const key = { objectId: directory.subvolume, type: itemType.rootRef, offset: id };
  const place = await findItem(volume.nodes, rootTree(volume.superblock), key);
  if (!place) return empty;
  const raw = place.leaf.item(place.index, 'the place of a subvolume');
  if (raw.u64(0) !== directory.number || !raw.slice(18, raw.u16(16)).equals(nameBytes)) return empty;
  try {
    return { subvolume: id, number: (await subvolumes.tree(id)).rootInode };
  } catch (error) {
    // One damaged subvolume must not hide its neighbours: it is listed, and says what is wrong when it is opened.
    if (!isDamage(error)) throw error;
    return { subvolume: id, number: 256 };
  }
}

function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
