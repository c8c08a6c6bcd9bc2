/**
 * MFT records and their fixups. The last two bytes of every 512-byte stride of a record on disk are a counter (so a torn
 * write shows); the real bytes are kept in an array in the header and are put back here.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { type Attribute, parseAttributes } from './attribute.ts';

const SMALLEST_STRIDE_BYTES = 512;
const FLAG_IN_USE = 1;
const FLAG_DIRECTORY = 2;

/** What points to a file: its record and the generation of that record. */
export interface MftReference {
  readonly number: number;
  readonly sequence: number;
}

export interface MftRecord extends MftReference {
  readonly inUse: boolean;
  readonly isDirectory: boolean;
  /** Record this one extends; null in a base record. */
  readonly base: MftReference | null;
  readonly attributes: readonly Attribute[];
}

/** Parses a record out of `bytes`, which are changed by the fixups. @throws FilesystemError `FS_DAMAGED`. */
export function parseMftRecord(bytes: Buffer, number: number): MftRecord {
  const reader = new ByteReader(bytes, `MFT record ${number}`);
  applyFixups(reader, 'FILE');
  const flags = reader.u16(22);
  const base = readReference(reader, 32);
  return {
    number,
    sequence: reader.u16(16),
    inUse: (flags & FLAG_IN_USE) !== 0,
    isDirectory: (flags & FLAG_DIRECTORY) !== 0,
    base: base.number === 0 && base.sequence === 0 ? null : base,
    attributes: parseAttributes(reader, reader.u16(20)),
  };
}

/** Checks the four-letter mark and puts the protected bytes back in place. @throws FilesystemError `FS_DAMAGED`. */
export function applyFixups(reader: ByteReader, mark: 'FILE' | 'INDX'): void {
  const { bytes, what } = reader;
  if (reader.slice(0, 4).toString('latin1') !== mark) throw new FilesystemError('FS_DAMAGED', `${what} has no ${mark} mark.`);
  const arrayOffset = reader.u16(4);
  const strides = reader.u16(6) - 1;
  const strideBytes = bytes.length / strides;
  if (strides < 1 || strideBytes < SMALLEST_STRIDE_BYTES || !Number.isInteger(strideBytes)) {
    throw new FilesystemError('FS_DAMAGED', `${what} has ${strides} fixups for ${bytes.length} bytes.`);
  }
  const counter = reader.u16(arrayOffset);
  for (let stride = 1; stride <= strides; stride++) {
    const end = stride * strideBytes - 2;
    if (reader.u16(end) !== counter) throw new FilesystemError('FS_DAMAGED', `${what} was only partly written.`);
    bytes.writeUInt16LE(reader.u16(arrayOffset + 2 * stride), end);
  }
}

/** 48 bits of record number, 16 of generation. */
export function readReference(reader: ByteReader, offset: number): MftReference {
  return { number: reader.u32(offset) + reader.u16(offset + 4) * 2 ** 32, sequence: reader.u16(offset + 6) };
}
