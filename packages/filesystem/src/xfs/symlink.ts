/** Targets of symbolic links: in the inode when short, else in blocks of their own, each run of which has a header in version 5. */
import { FilesystemError } from '../errors.ts';
import type { Inode } from './inodes.ts';
import { mapFile } from './mapping.ts';
import { isGenuine, readBlocks, type Volume } from './volume.ts';

const magic = 0x58534c4d;
const headerBytes = 56;
/** The kernel's limit. */
const longestBytes = 1024;

/** @throws FilesystemError `FS_DAMAGED`. */
export async function linkTarget(volume: Volume, inode: Inode): Promise<string> {
  const { sizeBytes, number } = inode;
  const damaged = () => new FilesystemError('FS_DAMAGED', `the link ${number} is damaged`);
  if (sizeBytes > longestBytes) throw damaged();
  if (inode.format === 'local') return inode.fork.slice(0, sizeBytes).toString('utf8');
  const { checksums, blockBytes } = volume.superblock;
  const parts: Buffer[] = [];
  let missing = sizeBytes;
  for (const { physical, count } of await mapFile(volume, inode)) {
    if (missing === 0) break;
    if (count * blockBytes > longestBytes + headerBytes * 3 + blockBytes) throw damaged();
    const raw = await readBlocks(volume, physical, { count, what: `the link ${number}` });
    const stamp = { checksum: 12, place: 40, uuid: 16, owner: { offset: 32, bytes: 8 as const, value: number } };
    const start = checksums ? headerBytes : 0;
    const length = Math.min(missing, raw.length - start);
    const known = !checksums || (raw.u32be(0) === magic && raw.u32be(4) === sizeBytes - missing && raw.u32be(8) === length);
    if (!known || !isGenuine(volume, { bytes: raw.bytes, volumeBlock: physical }, stamp)) throw damaged();
    parts.push(raw.slice(start, length));
    missing -= length;
  }
  if (missing > 0) throw damaged();
  return Buffer.concat(parts).toString('utf8');
}
