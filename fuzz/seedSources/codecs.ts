import { zstdCompressSync } from 'node:zlib';
import type { SeedSource } from '../makeSeeds.ts';

const text = Buffer.from('as ever and ever and ever more '.repeat(20));

/** Two bytes of length before the stream. */
function stream(targetBytes: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16LE(targetBytes);
  return Buffer.concat([head, bytes]);
}

// By the published descriptions of the formats, as nothing here writes them: literals, a copy, the end of the stream.
const lzo = Buffer.from([17 + 8, ...Buffer.from('as ever '), 0x20 | 0x0d, 0x1c, 0x00, 0x40 | 0x20, 0x00, 0x11, 0x00, 0x00]);
const lznt1 = Buffer.from([0x0c, 0xb0, 0x00, ...Buffer.from('as ever '), 0x01, 0x05, 0x70, 0x20]);

export const seeds: readonly SeedSource[] = [
  { name: 'zstd', make: async () => stream(text.length, zstdCompressSync(text)) },
  { name: 'zstd-raw', make: async () => stream(4, zstdCompressSync(Buffer.from('abcd'))) },
  { name: 'lzo', make: async () => stream(64, lzo) },
  { name: 'lznt1', make: async () => stream(64, lznt1) },
];
