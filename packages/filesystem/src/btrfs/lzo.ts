/**
 * LZO1X, decompression only, after the description in the kernel's documentation ("LZO stream format as understood by Linux' LZO
 * decompressor"). Bounds are checked at every step: neither side is ever left.
 */
import { FilesystemError } from '../errors.ts';

/** After a run of literals a short instruction means something else than after a copy. */
const afterLiterals = 4;

class Decoder {
  private readonly source: Uint8Array;
  private readonly target: Uint8Array;
  private from = 0;
  private to = 0;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.source = source;
    this.target = target;
  }

  next(): number {
    const byte = this.source[this.from++];
    if (byte === undefined) throw damaged();
    return byte;
  }

  next16(): number {
    return this.next() | (this.next() << 8);
  }

  /** A length too great for its field: 255 for every zero byte, then the first byte that is none. */
  longer(base: number): number {
    let length = base;
    for (let byte = this.next(); ; byte = this.next()) {
      if (byte !== 0) return length + byte;
      length += 255;
    }
  }

  literals(count: number): void {
    if (this.from + count > this.source.length || this.to + count > this.target.length) throw damaged();
    for (let left = count; left > 0; left--) this.target[this.to++] = this.source[this.from++] ?? 0;
  }

  copy(distance: number, count: number): void {
    if (distance > this.to || this.to + count > this.target.length) throw damaged();
    for (let left = count; left > 0; left--, this.to++) this.target[this.to] = this.target[this.to - distance] ?? 0;
  }

  /** Carries out one instruction; returns the state for the next, or null at the end of the stream. */
  step(state: number): number | null {
    const code = this.next();
    if (code >= 64) {
      this.copy((this.next() << 3) + ((code >> 2) & 7) + 1, (code >> 5) + 1);
      return this.trailing(code & 3);
    }
    if (code >= 32) {
      const count = ((code & 31) === 0 ? this.longer(31) : code & 31) + 2;
      const rest = this.next16();
      this.copy((rest >> 2) + 1, count);
      return this.trailing(rest & 3);
    }
    if (code >= 16) {
      const count = ((code & 7) === 0 ? this.longer(7) : code & 7) + 2;
      const rest = this.next16();
      const distance = 16384 + ((code & 8) << 11) + (rest >> 2);
      if (distance === 16384) return null;
      this.copy(distance, count);
      return this.trailing(rest & 3);
    }
    if (state === 0) {
      this.literals((code === 0 ? this.longer(15) : code) + 3);
      return afterLiterals;
    }
    const near = (code >> 2) + (this.next() << 2) + 1;
    if (state === afterLiterals) this.copy(near + 2048, 3);
    else this.copy(near, 2);
    return this.trailing(code & 3);
  }

  private trailing(count: number): number {
    this.literals(count);
    return count;
  }

  run(): number {
    let state: number | null = 0;
    const first = this.source[0] ?? 0;
    if (first > 17) {
      this.from = 1;
      this.literals(first - 17);
      state = first - 17 < 4 ? first - 17 : afterLiterals;
    }
    while (state !== null) state = this.step(state);
    return this.to;
  }
}

/** Expands one stream into `target` and returns how much of it was filled. @throws FilesystemError `FS_DAMAGED`. */
export function decompressLzo(source: Uint8Array, target: Uint8Array): number {
  return new Decoder(source, target).run();
}

function damaged(): FilesystemError {
  return new FilesystemError('FS_DAMAGED', 'a file compressed with lzo cannot be expanded: its data is damaged');
}
