/** The four checksums of btrfs. All guard the bytes behind the 32 that hold the checksum itself. */
import { createHash } from 'node:crypto';
import { crc32c } from '../ext/checksums.ts';
import { blake2b256 } from './blake2b.ts';
import { xxhash64 } from './xxhash64.ts';

/** By the number the superblock knows them by. */
export const checksumTypes = ['crc32c', 'xxhash64', 'sha256', 'blake2b'] as const;
export type ChecksumType = (typeof checksumTypes)[number];

const fieldBytes = 32;

/** Whether a superblock or tree node agrees with the checksum in its first 32 bytes. */
export function checksumMatches(type: ChecksumType, block: Buffer): boolean {
  const computed = checksumOf(type, block.subarray(fieldBytes));
  return block.subarray(0, computed.length).equals(computed);
}

export function checksumOf(type: ChecksumType, bytes: Uint8Array): Buffer {
  switch (type) {
    case 'crc32c': {
      const stored = Buffer.alloc(4);
      stored.writeUInt32LE((crc32c(0xffffffff, bytes) ^ 0xffffffff) >>> 0);
      return stored;
    }
    case 'xxhash64':
      return xxhash64(bytes);
    case 'sha256':
      return createHash('sha256').update(bytes).digest();
    case 'blake2b':
      return blake2b256(bytes);
  }
}
