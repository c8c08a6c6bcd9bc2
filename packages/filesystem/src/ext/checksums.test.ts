import { expect, test } from 'vitest';
import { crc16, crc32c } from './checksums.ts';

const check = Buffer.from('123456789');

// The check values of the catalogue of CRC algorithms (reveng): CRC-32/ISCSI and CRC-16/ARC.
test('CRC-32C of the check string', () => {
  expect((crc32c(0xffffffff, check) ^ 0xffffffff) >>> 0).toBe(0xe3069283);
});

test('CRC-16 of the check string', () => {
  expect(crc16(0, check)).toBe(0xbb3d);
});

test('a checksum continues where it was left, whatever the lengths', () => {
  const bytes = Buffer.from(Array.from({ length: 41 }, (_, index) => (index * 37) & 0xff));
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(crc32c(crc32c(0xffffffff, bytes.subarray(0, cut)), bytes.subarray(cut))).toBe(crc32c(0xffffffff, bytes));
  }
});
