/**
 * Byte layout of a GUID partition table. Source: UEFI specification 2.10, chapter 5.
 *
 * Header (LBA 1, and mirrored in the last LBA):
 * | at | bytes | field |
 * | 0  | 8  | "EFI PART" |
 * | 8  | 4  | revision 0x00010000 |
 * | 12 | 4  | header bytes (92) |
 * | 16 | 4  | CRC-32 of the header with this field zero |
 * | 24 | 8  | LBA of this header |
 * | 32 | 8  | LBA of the other header |
 * | 40 | 8  | first usable LBA |
 * | 48 | 8  | last usable LBA (inclusive) |
 * | 56 | 16 | disk GUID |
 * | 72 | 8  | LBA of the entries |
 * | 80 | 4  | number of entries |
 * | 84 | 4  | bytes of an entry (128 · 2^n) |
 * | 88 | 4  | CRC-32 of the entries |
 *
 * Entry: type GUID (0), partition GUID (16), first LBA (32), last LBA inclusive (40), attributes (48), name UTF-16LE (56, 72 bytes).
 */
export const GPT_SIGNATURE = 'EFI PART';
export const GPT_HEADER_BYTES = 92;
export const GPT_ENTRY_BYTES = 128;
export const GPT_NAME_BYTES = 72;
export const EMPTY_GUID = '00000000-0000-0000-0000-000000000000';

/** Reads the mixed-endian GUID at `offset`; lower case. */
export function decodeGuid(bytes: Buffer, offset: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return [
    hex(bytes.readUInt32LE(offset), 8),
    hex(bytes.readUInt16LE(offset + 4), 4),
    hex(bytes.readUInt16LE(offset + 6), 4),
    hex(bytes.readUInt16BE(offset + 8), 4),
    bytes.toString('hex', offset + 10, offset + 16),
  ].join('-');
}

export function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/** The inverse of `decodeGuid`. `guid` must satisfy `isGuid`. */
export function encodeGuid(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
