/** [F12] One chunk's place: the 48 bytes used alike in pack trailers and index segments. */
import type { ByteReader } from '../bytes.ts';

export const entryBytes = 48;
export const idBytes = 32;
/** A chunk's plain length has 28 bits. */
export const maxPlainBytes = (1 << 28) - 1;

export type ChunkType = 'data' | 'leaf' | 'page' | 'root';
const types: readonly ChunkType[] = ['data', 'leaf', 'page', 'root'];

export interface Entry {
  readonly id: Buffer;
  /** Ordinal in the segment's pack table; 0 in a trailer. */
  readonly pack: number;
  readonly offsetBytes: number;
  /** Whole record: header, payload, tag. */
  readonly recordBytes: number;
  readonly plainBytes: number;
  readonly type: ChunkType;
}

export function typeCode(type: ChunkType): number {
  return types.indexOf(type) + 1;
}

export function typeOfCode(code: number): ChunkType | null {
  return types[code - 1] ?? null;
}

export function packLength(plainBytes: number, type: ChunkType): number {
  return (plainBytes | (typeCode(type) << 28)) >>> 0;
}

export function readEntry(reader: ByteReader): Entry {
  const id = reader.take(idBytes);
  const pack = reader.u32();
  const offsetBytes = reader.u32();
  const recordBytes = reader.u32();
  const word = reader.u32();
  const type = typeOfCode(word >>> 28) ?? reader.fail(`chunk type ${word >>> 28} is unknown`);
  return { id, pack, offsetBytes, recordBytes, plainBytes: word & maxPlainBytes, type };
}
