import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FilesystemError } from '../errors.ts';
import { decompressLznt1 } from './lznt1.ts';

function expand(source: Uint8Array, lengthBytes: number): Buffer {
  const target = Buffer.alloc(lengthBytes, 0xa5);
  decompressLznt1(source, target);
  return target;
}

test('the example of [MS-XCA] expands to its text', () => {
  const compressed = Buffer.from(
    '38b08846232000204720410010a24701a045204400084501507900c0452005241388' + '05b4024a44ef0358028c091601484500be009e000401189000',
    'hex',
  );
  const text =
    'F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0';
  expect(expand(compressed, text.length).toString('latin1')).toBe(text);
  // What the stream does not reach is zero.
  expect(
    expand(compressed, 5000)
      .subarray(text.length)
      .every((byte) => byte === 0),
  ).toBe(true);
});

test('a chunk stored plainly is copied, and a short chunk does not pull the next one forward', () => {
  const plain = Buffer.alloc(4096, 7);
  const short = Buffer.from([0x01, 0xb0, 0x00, 0x41]);
  const source = Buffer.concat([short, Buffer.from([0xff, 0x3f]), plain]);
  const expanded = expand(source, 8192);
  expect(expanded[0]).toBe(0x41);
  expect(expanded.subarray(1, 4096).every((byte) => byte === 0)).toBe(true);
  expect(expanded.subarray(4096).equals(plain)).toBe(true);
});

test('a copy may overlap what it writes, and reaches back to the chunk’s first byte', () => {
  // One byte, then a copy of distance 1 and length 4095: 4096 times the same byte.
  expect(expand(Buffer.from([0x03, 0xb0, 0x02, 0x5a, 0xfc, 0x0f]), 4096).every((byte) => byte === 0x5a)).toBe(true);
});

test.each([
  ['a copy before the first byte', [0x02, 0xb0, 0x01, 0x00, 0x00]],
  ['a copy from before the chunk', [0x03, 0xb0, 0x02, 0x41, 0x00, 0x10]],
  ['a chunk that is cut off', [0xff, 0xbf, 0x00]],
  ['a copy that is cut off', [0x02, 0xb0, 0x02, 0x41, 0x00]],
])('%s is damage', (_, bytes) => {
  expect(() => expand(Buffer.from(bytes), 4096)).toThrow(FilesystemError);
});

test('any bytes either expand or are damage', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 20_000 }), (source, lengthBytes) => {
      try {
        expand(source, lengthBytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FilesystemError);
      }
    }),
  );
});
