/** Bounds-checked little-endian reading and growing writing: the one way this package looks at and makes binary structures. */
import { VaultError, type VaultErrorCode } from './errors.ts';

/** A reader over one structure; leaving its bounds throws `code`, so a damaged length can never read elsewhere. */
export class ByteReader {
  readonly bytes: Buffer;
  readonly what: string;
  readonly code: VaultErrorCode;
  position = 0;
  constructor(bytes: Uint8Array, what: string, code: VaultErrorCode) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.what = what;
    this.code = code;
  }
  get remaining(): number {
    return this.bytes.length - this.position;
  }
  fail(problem: string): never {
    throw new VaultError(this.code, `${this.what} is damaged: ${problem}`);
  }
  take(length: number): Buffer {
    if (!(length >= 0 && length <= this.remaining)) this.fail(`a field at byte ${this.position} leaves it`);
    const piece = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return piece;
  }
  u8(): number {
    return this.take(1).readUInt8(0);
  }
  u16(): number {
    return this.take(2).readUInt16LE(0);
  }
  u32(): number {
    return this.take(4).readUInt32LE(0);
  }
  u64(): number {
    const value = this.take(8).readBigUInt64LE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`the number at byte ${this.position - 8} is absurdly large`);
    return Number(value);
  }
  /** LEB128, at most 2^53 - 1, shortest form only (so one value has one encoding). */
  varint(): number {
    let value = 0;
    for (let scale = 1, count = 0; ; scale *= 128, count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 0) this.fail('a number is not in shortest form');
        return value;
      }
      if (count === 7 || !Number.isSafeInteger(value)) this.fail('a number is absurdly large');
    }
  }
  magic(expected: string): void {
    if (this.take(expected.length).toString('latin1') !== expected) this.fail(`it does not start with ${expected}`);
  }
  zeros(length: number): void {
    if (this.take(length).some((byte) => byte !== 0)) this.fail(`reserved bytes before ${this.position} are not zero`);
  }
  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} bytes follow its end`);
  }
}

/** Appends little-endian fields to a growing buffer. */
export class ByteWriter {
  private buffer = Buffer.alloc(256);
  private used = 0;
  get length(): number {
    return this.used;
  }
  private room(length: number): number {
    if (this.used + length > this.buffer.length) {
      const grown = Buffer.alloc(Math.max(this.buffer.length * 2, this.used + length));
      this.buffer.copy(grown, 0, 0, this.used);
      this.buffer = grown;
    }
    const at = this.used;
    this.used += length;
    return at;
  }
  raw(bytes: Uint8Array): this {
    const at = this.room(bytes.length);
    this.buffer.set(bytes, at);
    return this;
  }
  text(ascii: string): this {
    return this.raw(Buffer.from(ascii, 'latin1'));
  }
  zeros(length: number): this {
    const at = this.room(length);
    this.buffer.fill(0, at, at + length);
    return this;
  }
  u8(value: number): this {
    const at = this.room(1);
    this.buffer.writeUInt8(value, at);
    return this;
  }
  u16(value: number): this {
    const at = this.room(2);
    this.buffer.writeUInt16LE(value, at);
    return this;
  }
  u32(value: number): this {
    const at = this.room(4);
    this.buffer.writeUInt32LE(value, at);
    return this;
  }
  u64(value: number): this {
    const at = this.room(8);
    this.buffer.writeBigUInt64LE(BigInt(value), at);
    return this;
  }
  varint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    return this.u8(rest);
  }
  /** The bytes so far; valid until the next append. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }
}
