/** The two checksums of ext4 metadata: CRC-32C (metadata_csum) and CRC-16/ANSI (uninit_bg). */

// Slicing by four: table k holds the effect of a byte that is k bytes further from the end.
const tables = makeTables();

function makeTables(): [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    first[byte] = value;
  }
  const next = (table: Uint32Array) => table.map((value) => (first[value & 0xff] ?? 0) ^ (value >>> 8));
  const second = next(first);
  const third = next(second);
  return [first, second, third, next(third)];
}

/** CRC-32C continued from `seed`, without the customary final inversion: that is how ext4 chains and stores it. */
export function crc32c(seed: number, bytes: Uint8Array): number {
  const [one, two, three, four] = tables;
  let crc = seed;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    crc = (four[crc & 0xff] ?? 0) ^ (three[(crc >>> 8) & 0xff] ?? 0) ^ (two[(crc >>> 16) & 0xff] ?? 0) ^ (one[crc >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (one[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc >>> 0;
}

const table16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xa001 : value >>> 1;
  return value;
});

/** CRC-16/ANSI (reflected 0x8005) continued from `seed`. */
export function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) crc = (table16[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc;
}

/** The four bytes of a number, as ext4 feeds group and inode numbers to its checksums. */
export function littleEndian32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
