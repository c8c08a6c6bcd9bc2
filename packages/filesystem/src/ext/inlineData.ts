/**
 * Content kept in the inode: 60 bytes where the block map would be, the rest as the value of the attribute `system.data` in the
 * space behind the inode's fixed part. Layout: ext4 documentation, chapters Inline Data and Extended Attributes.
 */
import { FilesystemError } from '../errors.ts';
import type { Inode } from './inodes.ts';

const attributeMagic = 0xea020000;
const systemNamespace = 7;

/** The two places, in the order of the content. The second is empty when the first suffices. */
export function inlineParts(inode: Inode): [Buffer, Buffer] {
  return [inode.raw.slice(0x28, 60), systemData(inode)];
}

/** Content of a file kept in its inode. @throws FilesystemError `FS_DAMAGED` when less is there than its size says. */
export function inlineContent(inode: Inode): Buffer {
  const content = Buffer.concat(inlineParts(inode));
  if (inode.sizeBytes > content.length) {
    throw new FilesystemError('FS_DAMAGED', `inode ${inode.number} has only ${content.length} of its ${inode.sizeBytes} bytes`);
  }
  return content.subarray(0, inode.sizeBytes);
}

function systemData(inode: Inode): Buffer {
  const { raw } = inode;
  const none = Buffer.alloc(0);
  if (raw.length <= 128) return none;
  const header = 128 + raw.u16(0x80);
  if (header + 4 > raw.length || raw.u32(header) !== attributeMagic) return none;
  const first = header + 4;
  for (let at = first; at + 16 <= raw.length && raw.u32(at) !== 0; ) {
    const nameBytes = raw.u8(at);
    const isData = raw.u8(at + 1) === systemNamespace && raw.slice(at + 16, nameBytes).toString('latin1') === 'data';
    if (isData && raw.u32(at + 4) === 0) return raw.slice(first + raw.u16(at + 2), raw.u32(at + 8));
    at += 16 + Math.ceil(nameBytes / 4) * 4;
  }
  return none;
}
