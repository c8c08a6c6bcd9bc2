/**
 * One metadata area of a physical volume (lvm2 lib/format_text/layout.h): a sector of header, behind it a ring of text into which each
 * change of the volume group is written anew behind the last.
 *
 * | 0 | 4 | CRC of the rest of the sector | 4 | 16 | magic | 20 | 4 | version 1 | 24 | 8 | where the area begins | 32 | 8 | its size |
 * | 40 | 24 each | places of text: offset in the area (8), size (8), CRC (4), flags (4): 1 = not in use; offset 0 ends the list |
 *
 * The first place is the state in effect, the second one a change that was prepared and not (yet) made.
 */
import { type BlockDevice, type Extent, readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { lvmChecksum } from './label.ts';

const HEADER_BYTES = 512;
const MAGIC = ' LVM2 x[5A%r0N*>';
const NOT_IN_USE = 1;
/** A thousand volumes of a hundred pieces each have a tenth of it. */
const MAX_TEXT_BYTES = 8 << 20;

export interface MetadataCopy {
  /** Null: no volume group has this PV, or it keeps its metadata elsewhere. */
  readonly text: string | null;
  /** The area is kept for later and its text may be old. */
  readonly inUse: boolean;
  /** A change was being made when the disk was last written. */
  readonly prepared: boolean;
}

/**
 * @throws FilesystemError `FS_DAMAGED`, `FS_TOO_LARGE`
 * @throws DiskError
 */
export async function readMetadataArea(device: BlockDevice, area: Extent): Promise<MetadataCopy> {
  const { offsetBytes, lengthBytes } = area;
  if (lengthBytes <= HEADER_BYTES || offsetBytes + lengthBytes > device.sizeBytes) {
    throw damaged('lies outside of its volume');
  }
  const header = new ByteReader(await readBytes(device, offsetBytes, HEADER_BYTES), 'the header of LVM metadata');
  if (header.slice(4, 16).toString('latin1') !== MAGIC || header.u32(20) !== 1) throw damaged('has no header we know');
  if (header.u32(0) !== lvmChecksum(header.slice(4, HEADER_BYTES - 4))) throw damaged('has a header that does not check');
  if (header.u64(24) !== offsetBytes || header.u64(32) !== lengthBytes) throw damaged('says it lies elsewhere');
  const [atBytes, textBytes] = [header.u64(40), header.u64(48)];
  const prepared = atBytes > 0 && header.u64(64) > 0;
  if (atBytes === 0 || textBytes === 0) return { text: null, inUse: (header.u32(60) & NOT_IN_USE) === 0, prepared: false };
  if ((header.u32(60) & NOT_IN_USE) !== 0) return { text: null, inUse: false, prepared };
  if (atBytes < HEADER_BYTES || atBytes >= lengthBytes || textBytes > lengthBytes - HEADER_BYTES) {
    throw damaged('has its text outside of itself');
  }
  if (textBytes > MAX_TEXT_BYTES) throw new FilesystemError('FS_TOO_LARGE', `LVM metadata of ${textBytes} bytes is too much`);
  const first = Math.min(textBytes, lengthBytes - atBytes);
  const parts = [
    await readBytes(device, offsetBytes + atBytes, first),
    await readBytes(device, offsetBytes + HEADER_BYTES, textBytes - first),
  ];
  if (lvmChecksum(...parts) !== header.u32(56)) throw damaged('has a text that does not check');
  return { text: Buffer.concat(parts).toString('utf8').replace(/\0$/, ''), inUse: true, prepared };
}

function damaged(what: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `a metadata area of LVM ${what}`);
}
