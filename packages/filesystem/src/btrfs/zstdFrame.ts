/**
 * How long the first frame of a zstd stream is: btrfs fills the rest of its last sector with zeros, which a decompressor takes for
 * a broken second frame. Layout: RFC 8878, chapter 3.1.1.
 */
import { FilesystemError } from '../errors.ts';

const magic = 0xfd2fb528;

/** @throws FilesystemError `FS_DAMAGED` when there is no whole frame. */
export function zstdFrameBytes(stored: Buffer): number {
  if (stored.length < 6 || stored.readUInt32LE(0) !== magic) throw damaged();
  const descriptor = stored.readUInt8(4);
  const single = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes;
  for (let last = false; !last; ) {
    if (at + 3 > stored.length) throw damaged();
    const header = stored.readUIntLE(at, 3);
    last = (header & 1) !== 0;
    // A run of one byte says how often, and takes one.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  at += (descriptor & 4) !== 0 ? 4 : 0;
  if (at > stored.length) throw damaged();
  return at;
}

function damaged(): FilesystemError {
  return new FilesystemError('FS_DAMAGED', 'a file compressed with zstd cannot be expanded: its data is damaged');
}
