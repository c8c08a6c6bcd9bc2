import { FilesystemError } from './errors.ts';

/** Bounds-checked view of a buffer, the one way parsers look at bytes. Little-endian but for the fields named `…be`. */
export class ByteReader {
  readonly bytes: Buffer;
  readonly what: string;
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.what = what;
  }
  get length(): number {
    return this.bytes.length;
  }
  private need(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes.length)) {
      throw new FilesystemError(
        'FS_DAMAGED',
        `${this.what}: a field at ${offset}+${length} lies outside its ${this.bytes.length} bytes`,
      );
    }
  }
  u8(offset: number): number {
    this.need(offset, 1);
    return this.bytes.readUInt8(offset);
  }
  u16(offset: number): number {
    this.need(offset, 2);
    return this.bytes.readUInt16LE(offset);
  }
  u32(offset: number): number {
    this.need(offset, 4);
    return this.bytes.readUInt32LE(offset);
  }
  i32(offset: number): number {
    this.need(offset, 4);
    return this.bytes.readInt32LE(offset);
  }
  /** @throws FilesystemError `FS_DAMAGED` above 2^53 - 1, which no sane field reaches. */
  u64(offset: number): number {
    this.need(offset, 8);
    const value = this.bytes.readBigUInt64LE(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FilesystemError('FS_DAMAGED', `${this.what}: the number at ${offset} is absurdly large`);
    }
    return Number(value);
  }
  u64big(offset: number): bigint {
    this.need(offset, 8);
    return this.bytes.readBigUInt64LE(offset);
  }
  u16be(offset: number): number {
    this.need(offset, 2);
    return this.bytes.readUInt16BE(offset);
  }
  u32be(offset: number): number {
    this.need(offset, 4);
    return this.bytes.readUInt32BE(offset);
  }
  i32be(offset: number): number {
    this.need(offset, 4);
    return this.bytes.readInt32BE(offset);
  }
  /** @throws FilesystemError `FS_DAMAGED` above 2^53 - 1, which no sane field reaches. */
  u64be(offset: number): number {
    const value = this.u64bigbe(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FilesystemError('FS_DAMAGED', `${this.what}: the number at ${offset} is absurdly large`);
    }
    return Number(value);
  }
  u64bigbe(offset: number): bigint {
    this.need(offset, 8);
    return this.bytes.readBigUInt64BE(offset);
  }
  slice(offset: number, length: number): Buffer {
    this.need(offset, length);
    return this.bytes.subarray(offset, offset + length);
  }
}
