/**
 * A parser with one of each fault, behind a checksum, for the test of the fuzzer itself: a fuzzer that finds nothing here would find
 * nothing elsewhere. Layout: 4 bytes magic, 4 bytes CRC-32 of what follows, a command and its number, both little-endian.
 */
import { crc32 } from 'node:zlib';

export class PlantedError extends Error {}

export const planted = { magic: 0x706c6e74, lengthBytes: 16 };

const kept: Uint8Array[] = [];

export async function parsePlanted(bytes: Buffer): Promise<number> {
  if (bytes.length < planted.lengthBytes || bytes.readUInt32LE(0) !== planted.magic) throw new PlantedError('no magic');
  const checksum = bytes.readUInt32LE(4);
  if (crc32(bytes.subarray(8, planted.lengthBytes)) !== checksum) throw new PlantedError('wrong checksum');
  const number = bytes.readUInt32LE(12);
  switch (bytes.readUInt32LE(8)) {
    case 1:
      return number;
    case 2001:
      throw new TypeError('an error nobody expects');
    case 2002:
      void Promise.reject(new Error('a rejection nobody waits for'));
      return 0;
    case 2003:
      for (let turn = 0; ; turn++) if (turn === -1) return turn;
    case 2004:
      for (let block = 0; block < 20; block++) kept.push(new Uint8Array(16 << 20).fill(1));
      return kept.length;
    case 2005:
      return -1;
    default:
      throw new PlantedError('an unknown command');
  }
}
