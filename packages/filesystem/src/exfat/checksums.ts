/** The three checksums of exFAT. All rotate right by one bit, then add a byte. Source: exFAT specification 3.4, 6.3.3, 7.2.2, 7.6.4. */

/** Fields of the boot sector that change without a new checksum: volume flags (2 bytes) and per cent in use. */
const VOLATILE = new Set([106, 107, 112]);

/** @param sectors the first 11 sectors of a boot region */
export function bootChecksum(sectors: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of sectors.entries()) {
    if (!VOLATILE.has(at)) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  }
  return sum;
}

/** Of the up-case table. */
export function tableChecksum(table: Uint8Array): number {
  let sum = 0;
  for (const byte of table) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  return sum;
}

/** @param set the slots of one file; bytes 2 and 3 of the first hold the checksum itself */
export function setChecksum(set: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of set.entries()) {
    if (at !== 2 && at !== 3) sum = (((sum << 15) | (sum >>> 1)) + byte) & 0xffff;
  }
  return sum;
}

/** @param upcased a name in the capitals of the volume's up-case table, UTF-16LE */
export function nameHash(upcased: Uint8Array): number {
  let sum = 0;
  for (const byte of upcased) sum = (((sum << 15) | (sum >>> 1)) + byte) & 0xffff;
  return sum;
}
