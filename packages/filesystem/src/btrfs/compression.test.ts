import { deflateSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FilesystemError } from '../errors.ts';
import { type Compression, expand } from './compression.ts';
import { decompressLzo } from './lzo.ts';
import { zstdFrameBytes } from './zstdFrame.ts';

/** The simplest compressor there is: literals, copies of what is near, the end. */
function lzoStream(...parts: (number | readonly number[])[]): Buffer {
  return Buffer.from(parts.flat());
}

const endOfStream = [0x11, 0, 0];

describe('LZO', () => {
  const expanded = (stream: Buffer, length: number) => {
    const target = Buffer.alloc(length, 0xee);
    return target.subarray(0, decompressLzo(stream, target)).toString('latin1');
  };

  test('a first run of literals', () => {
    expect(expanded(lzoStream(17 + 5, [...Buffer.from('hello')], endOfStream), 10)).toBe('hello');
  });

  test('each kind of copy', () => {
    const head = [17 + 6, ...Buffer.from('abcdef')];
    // 3 to 8 bytes from up to 2 KiB back: length 4, distance 6.
    expect(expanded(lzoStream(head, (3 << 5) | (5 << 2), 0, endOfStream), 20)).toBe('abcdefabcd');
    // 3 to 33 bytes from up to 16 KiB back: length 9, distance 3; overlapping itself, then two literals.
    expect(expanded(lzoStream(head, 32 + 7, (2 << 2) | 2, 0, [...Buffer.from('xy')], endOfStream), 20)).toBe('abcdefdefdefdefxy');
    // Longer than its field: 33 + 5 more.
    expect(expanded(lzoStream(head, 32, 5, 0, 0, endOfStream), 60)).toBe(`abcdef${'f'.repeat(38)}`);
    // Two bytes right behind a few literals.
    const few = [(1 << 5) | 64 | (5 << 2) | 1, 0, 0x7a];
    expect(expanded(lzoStream(head, few, 0x04, 0, endOfStream), 30)).toBe('abcdefabcdz' + 'dz');
  });

  test('far copies: more than 2 KiB after literals, more than 16 KiB', () => {
    const long = (count: number) => [
      0,
      ...Array.from({ length: Math.floor((count - 19) / 255) }, () => 0),
      ((count - 19) % 255) + 1,
    ];
    const literals = (count: number) => Array.from({ length: count }, (_, index) => 65 + (index % 26));
    const head = (count: number) => [...long(count), ...literals(count)];
    const near = expanded(lzoStream(head(2100), 0x00, 0, endOfStream), 3000);
    expect(near.length).toBe(2103);
    expect(near.slice(2100)).toBe(near.slice(2100 - 2049, 2100 - 2049 + 3));
    const far = expanded(lzoStream(head(17_000), 16 + 3, (100 << 2) & 0xff, (100 << 2) >> 8, endOfStream), 20_000);
    expect(far.slice(17_000)).toBe(far.slice(17_000 - 16_484, 17_000 - 16_484 + 5));
  });

  test('nothing outside source or target is ever touched, whatever the stream', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(5000), (stream, length) => {
        const around = Buffer.alloc(length + 64, 0x5a);
        try {
          expect(decompressLzo(stream, around.subarray(32, 32 + length))).toBeLessThanOrEqual(length);
        } catch (error) {
          expect(error).toBeInstanceOf(FilesystemError);
        }
        expect(around.subarray(0, 32).every((byte) => byte === 0x5a)).toBe(true);
        expect(around.subarray(32 + length).every((byte) => byte === 0x5a)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('expanding an extent', () => {
  const text = Buffer.from('what is said twice is said twice '.repeat(300));
  const sectorBytes = 4096;
  const padded = (stream: Buffer) => Buffer.concat([stream, Buffer.alloc(4096 - (stream.length % 4096))]);

  test.each([
    ['zlib', deflateSync(text)],
    ['zstd', zstdCompressSync(text)],
  ] as const)('%s: padding behind the stream is nothing, missing content is zero', (compression, stream) => {
    for (const stored of [stream, padded(stream)]) {
      expect(expand(stored, { compression, expandedBytes: text.length, sectorBytes })).toEqual(text);
      const longer = expand(stored, { compression, expandedBytes: text.length + 5000, sectorBytes });
      expect(longer).toEqual(Buffer.concat([text, Buffer.alloc(5000)]));
    }
  });

  test('a stream that expands far beyond its extent is refused, not followed', () => {
    const bomb = Buffer.alloc(64 << 20);
    for (const [compression, stored] of [['zlib', deflateSync(bomb)] as const, ['zstd', zstdCompressSync(bomb)] as const]) {
      expect(() => expand(stored, { compression, expandedBytes: 8192, sectorBytes })).toThrow(FilesystemError);
    }
  });

  test('the frame of a zstd stream is as long as it is', () => {
    for (const length of [0, 1, 100, 70_000, 200_000]) {
      const stream = zstdCompressSync(Buffer.alloc(length, 'abcdefghijk'));
      expect(zstdFrameBytes(Buffer.concat([stream, Buffer.alloc(500)]))).toBe(stream.length);
      expect(() => zstdFrameBytes(stream.subarray(0, stream.length - 1))).toThrow(FilesystemError);
    }
  });

  test('bytes that are no stream give a coded error or some content, never more than asked for', () => {
    const kinds = fc.constantFrom<Compression>('zlib', 'lzo', 'zstd');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), kinds, fc.nat(131_072), (stored, compression, expandedBytes) => {
        try {
          expect(expand(Buffer.from(stored), { compression, expandedBytes, sectorBytes }).length).toBe(expandedBytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FilesystemError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
