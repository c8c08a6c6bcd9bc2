import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { checksumMatches, checksumOf } from './checksums.ts';

const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * 131 + (index >> 3)) & 0xff));

// Check value of the catalogue of CRC algorithms (reveng): CRC-32/ISCSI.
test('CRC-32C of the check string', () => {
  expect(checksumOf('crc32c', Buffer.from('123456789')).readUInt32LE(0)).toBe(0xe3069283);
});

// XXH64: published test values; BLAKE2b: what `b2sum -l 256` prints. The golden images hold thousands more of both.
test.each([
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['abc', '44bc2cf5ad770999'],
  ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
])('XXH64 of %j', (text, digest) => {
  expect(
    Buffer.from(checksumOf('xxhash64', Buffer.from(text)))
      .reverse()
      .toString('hex'),
  ).toBe(digest);
});

test.each([
  ['', '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8'],
  ['abc', 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319'],
])('BLAKE2b-256 of %j', (text, digest) => {
  expect(checksumOf('blake2b', Buffer.from(text)).toString('hex')).toBe(digest);
});

test('SHA-256', () => {
  expect(checksumOf('sha256', bytes(100))).toEqual(createHash('sha256').update(bytes(100)).digest());
});

test.each(['crc32c', 'xxhash64', 'sha256', 'blake2b'] as const)('%s: one flipped bit shows, wherever it is', (type) => {
  for (const length of [31, 32, 39, 63, 127, 128, 129, 256, 4096]) {
    const block = Buffer.concat([Buffer.alloc(32), bytes(length)]);
    checksumOf(type, block.subarray(32)).copy(block);
    expect(checksumMatches(type, block)).toBe(true);
    for (const at of [32, 32 + (length >> 1), block.length - 1]) {
      block[at] = (block[at] ?? 0) ^ 0x08;
      expect(checksumMatches(type, block)).toBe(false);
      block[at] = (block[at] ?? 0) ^ 0x08;
    }
  }
});
