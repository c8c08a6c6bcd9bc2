/** The three compressions of btrfs, each bounded by the length the extent says it has. */
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { FilesystemError } from '../errors.ts';
import { decompressLzo } from './lzo.ts';
import { zstdFrameBytes } from './zstdFrame.ts';

export type Compression = 'zlib' | 'lzo' | 'zstd';

/** By the number a file extent names them by. */
export const compressions: readonly (Compression | null)[] = [null, 'zlib', 'lzo', 'zstd'];

export interface Expansion {
  readonly compression: Compression;
  readonly expandedBytes: number;
  readonly sectorBytes: number;
}

/** Expands one extent; what the stream does not fill is zero. @throws FilesystemError `FS_DAMAGED`. */
export function expand(stored: Buffer, { compression, expandedBytes, sectorBytes }: Expansion): Buffer {
  const target = Buffer.alloc(expandedBytes);
  // Streams may expand to the end of the sector behind the content.
  const maxOutputLength = Math.max(1, Math.ceil(expandedBytes / sectorBytes) * sectorBytes);
  try {
    if (compression === 'zlib') target.set(inflateSync(stored, { maxOutputLength }).subarray(0, expandedBytes));
    else if (compression === 'lzo') expandSegments(stored, target, sectorBytes);
    else
      target.set(zstdDecompressSync(stored.subarray(0, zstdFrameBytes(stored)), { maxOutputLength }).subarray(0, expandedBytes));
  } catch (error) {
    if (error instanceof FilesystemError) throw error;
    throw new FilesystemError('FS_DAMAGED', `a file compressed with ${compression} cannot be expanded: its data is damaged`, {
      cause: error,
    });
  }
  return target;
}

/**
 * LZO as btrfs frames it: the length of all, then for each sector of content its length and its stream. A length never crosses the
 * end of a stored sector: when fewer than four bytes are left there, it stands at the beginning of the next.
 */
function expandSegments(stored: Buffer, target: Buffer, sectorBytes: number): void {
  const end = stored.length >= 4 ? stored.readUInt32LE(0) : 0;
  if (end < 4 || end > stored.length)
    throw new FilesystemError('FS_DAMAGED', 'a file compressed with lzo has an impossible length');
  let at = 4;
  for (let filled = 0; filled < target.length && at < end; filled += sectorBytes) {
    const left = sectorBytes - (at % sectorBytes);
    if (left < 4) at += left;
    if (at + 4 > end) break;
    const length = stored.readUInt32LE(at);
    at += 4;
    if (length > end - at) throw new FilesystemError('FS_DAMAGED', 'a file compressed with lzo has an impossible segment');
    const sector = Buffer.alloc(sectorBytes);
    decompressLzo(stored.subarray(at, at + length), sector);
    target.set(sector.subarray(0, Math.min(sectorBytes, target.length - filled)), filled);
    at += length;
  }
}
