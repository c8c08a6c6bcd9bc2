/**
 * LZNT1, the compression of NTFS files, as published by Microsoft in [MS-XCA] 2.5. A stream is a row of chunks of up to
 * 4096 bytes of content, each behind a 16-bit header (length - 1 in 12 bits, bit 15 = compressed); a zero header ends it.
 * In a compressed chunk a flag byte says of the next eight items whether each is a byte or a 16-bit copy; how many bits of
 * a copy are distance and how many length depends on how much of the chunk is already there.
 */
import { FilesystemError } from '../errors.ts';

const CHUNK_BYTES = 4096;

/** Fills all of `target`; what the stream does not reach is zeroed. @throws FilesystemError `FS_DAMAGED`. */
export function decompressLznt1(source: Uint8Array, target: Uint8Array): void {
  let from = 0;
  let to = 0;
  while (to < target.length && from + 2 <= source.length) {
    const header = at(source, from) | (at(source, from + 1) << 8);
    if (header === 0) break;
    const end = from + 3 + (header & 0xfff);
    if (end > source.length) throw damaged();
    const chunk = target.subarray(to, Math.min(target.length, to + CHUNK_BYTES));
    const filled =
      (header & 0x8000) === 0 ? copyChunk(source.subarray(from + 2, end), chunk) : expandChunk(source, from + 2, end, chunk);
    chunk.fill(0, filled);
    from = end;
    to += chunk.length;
  }
  target.fill(0, to);
}

function copyChunk(source: Uint8Array, chunk: Uint8Array): number {
  const length = Math.min(source.length, chunk.length);
  chunk.set(source.subarray(0, length));
  return length;
}

function expandChunk(source: Uint8Array, start: number, end: number, chunk: Uint8Array): number {
  let from = start;
  let to = 0;
  while (from < end && to < chunk.length) {
    let flags = at(source, from++);
    for (let item = 0; item < 8 && from < end && to < chunk.length; item++, flags >>= 1) {
      if ((flags & 1) === 0) {
        chunk[to++] = at(source, from++);
        continue;
      }
      if (from + 2 > end || to === 0) throw damaged();
      const copy = at(source, from) | (at(source, from + 1) << 8);
      from += 2;
      const lengthBits = 12 - Math.max(0, 28 - Math.clz32(to - 1));
      let origin = to - (copy >> lengthBits) - 1;
      if (origin < 0) throw damaged();
      const stop = Math.min(chunk.length, to + (copy & ((1 << lengthBits) - 1)) + 3);
      while (to < stop) chunk[to++] = at(chunk, origin++);
    }
  }
  return to;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function damaged(): FilesystemError {
  return new FilesystemError('FS_DAMAGED', 'A compressed file of this NTFS volume cannot be decompressed: its data is damaged.');
}
