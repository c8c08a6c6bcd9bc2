/**
 * Attributes: everything a file has, its content included, is an attribute of its MFT record. Resident ones carry their
 * value in the record, the others a run list; a long run list is cut into pieces kept in several records.
 */
import type { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';

export const ATTRIBUTE = {
  standardInformation: 0x10,
  attributeList: 0x20,
  fileName: 0x30,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
  reparsePoint: 0xc0,
} as const;

const END_OF_ATTRIBUTES = 0xffffffff;
const FLAG_COMPRESSED_MASK = 0x00ff;
const FLAG_ENCRYPTED = 0x4000;
const LARGEST_COMPRESSION_EXPONENT = 8;

interface AttributeHead {
  readonly type: number;
  readonly name: string;
  readonly compressed: boolean;
  readonly encrypted: boolean;
  readonly sizeBytes: number;
}

interface ResidentAttribute extends AttributeHead {
  readonly resident: true;
  readonly value: Buffer;
}

/** Sizes are meaningful only in the piece with `lowestVcn` 0. */
export interface NonResidentAttribute extends AttributeHead {
  readonly resident: false;
  readonly lowestVcn: number;
  readonly mappingPairs: Buffer;
  /** Content behind this reads as zero. */
  readonly initialisedBytes: number;
  /** Clusters compressed together; 0 when the stream was never compressed. */
  readonly compressionUnitClusters: number;
}

export type Attribute = ResidentAttribute | NonResidentAttribute;

/** All attributes of one record, in order. @throws FilesystemError `FS_DAMAGED`. */
export function parseAttributes(record: ByteReader, firstOffset: number): Attribute[] {
  const attributes: Attribute[] = [];
  let offset = firstOffset;
  for (;;) {
    const type = record.u32(offset);
    if (type === END_OF_ATTRIBUTES) return attributes;
    const length = record.u32(offset + 4);
    if (length < 24 || length % 8 !== 0) {
      throw new FilesystemError('FS_DAMAGED', `${record.what}: an attribute is ${length} bytes long.`);
    }
    record.slice(offset, length);
    attributes.push(parseAttribute(record, { offset, length, type }));
    offset += length;
  }
}

function parseAttribute(record: ByteReader, place: { offset: number; length: number; type: number }): Attribute {
  const { offset, length, type } = place;
  const nameUnits = record.u8(offset + 9);
  const name = nameUnits === 0 ? '' : record.slice(offset + record.u16(offset + 10), nameUnits * 2).toString('utf16le');
  const flags = record.u16(offset + 12);
  const head = { type, name, compressed: (flags & FLAG_COMPRESSED_MASK) !== 0, encrypted: (flags & FLAG_ENCRYPTED) !== 0 };
  const inside = (start: number, size: number): Buffer => {
    if (start + size > length) throw new FilesystemError('FS_DAMAGED', `${record.what}: an attribute overflows its length.`);
    return record.slice(offset + start, size);
  };
  if (record.u8(offset + 8) === 0) {
    const sizeBytes = record.u32(offset + 16);
    return { ...head, resident: true, sizeBytes, value: inside(record.u16(offset + 20), sizeBytes) };
  }
  const pairsOffset = record.u16(offset + 32);
  const mappingPairs = inside(pairsOffset, Math.max(0, length - pairsOffset));
  const lowestVcn = record.u64(offset + 16);
  const exponent = record.u8(offset + 34);
  if (exponent > LARGEST_COMPRESSION_EXPONENT) {
    throw new FilesystemError('FS_DAMAGED', `${record.what}: compression units of 2^${exponent} clusters.`);
  }
  const first = lowestVcn === 0;
  return {
    ...head,
    resident: false,
    lowestVcn,
    mappingPairs,
    sizeBytes: first ? record.u64(offset + 48) : 0,
    initialisedBytes: first ? record.u64(offset + 56) : 0,
    compressionUnitClusters: exponent === 0 ? 0 : 2 ** exponent,
  };
}
