/**
 * $ATTRIBUTE_LIST: which MFT record holds which attribute (or piece of one) of a file that outgrew its base record.
 * Entries: type u32, length u16, name length u8, name offset u8, lowest VCN u64, reference u64, instance u16.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { type MftReference, readReference } from './mftRecord.ts';

/** Windows allows no more. */
export const LARGEST_ATTRIBUTE_LIST_BYTES = 256 * 1024;
const ENTRY_HEADER_BYTES = 26;

export interface AttributeListEntry {
  readonly type: number;
  readonly name: string;
  readonly lowestVcn: number;
  readonly holder: MftReference;
}

/** @throws FilesystemError `FS_DAMAGED`. */
export function parseAttributeList(bytes: Buffer, recordNumber: number): AttributeListEntry[] {
  const reader = new ByteReader(bytes, `The attribute list of MFT record ${recordNumber}`);
  const entries: AttributeListEntry[] = [];
  let offset = 0;
  while (offset + ENTRY_HEADER_BYTES <= reader.length) {
    const length = reader.u16(offset + 4);
    if (length < ENTRY_HEADER_BYTES) throw new FilesystemError('FS_DAMAGED', `${reader.what} has an entry of ${length} bytes.`);
    const nameUnits = reader.u8(offset + 6);
    entries.push({
      type: reader.u32(offset),
      name: nameUnits === 0 ? '' : reader.slice(offset + reader.u8(offset + 7), nameUnits * 2).toString('utf16le'),
      lowestVcn: reader.u64(offset + 8),
      holder: readReference(reader, offset + 16),
    });
    offset += length;
  }
  return entries;
}
