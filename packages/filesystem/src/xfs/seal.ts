/** The checksums of version 5 metadata: CRC-32C over the whole structure with the field itself as zero, stored little-endian. */
import { crc32c } from '../ext/checksums.ts';

const fieldBytes = 4;
const noField = new Uint8Array(fieldBytes);

/** What belongs into the field at `fieldOffset` of `bytes`. */
export function sealOf(bytes: Uint8Array, fieldOffset: number): number {
  const before = crc32c(0xffffffff, bytes.subarray(0, fieldOffset));
  return (crc32c(crc32c(before, noField), bytes.subarray(fieldOffset + fieldBytes)) ^ 0xffffffff) >>> 0;
}

export function isSealed(bytes: Buffer, fieldOffset: number): boolean {
  return sealOf(bytes, fieldOffset) === bytes.readUInt32LE(fieldOffset);
}
