/**
 * Where a sparse file holds nothing. A disk file of 1 TB with a few GB in it would otherwise be read as 1 TB of zeros.
 * `lseek(SEEK_DATA)` is not in Node; without koffi, or on a filesystem that does not know its holes, there simply are none.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Extent } from '@diskfleet/disk';

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;
/** Shorter holes are met when they are read: each extent of a disk costs memory. */
const LONG_HOLE_BYTES = 4 * 1024 * 1024;
/** Extents keep whole blocks of every size in use. */
const BLOCK_BYTES = 1024 * 1024;

export interface HoleFinder {
  /** Where data begins at or after `offsetBytes`; `Infinity` when only a hole follows; `offsetBytes` itself when not known. */
  nextData(file: number, offsetBytes: number): number;
  /** Where the data that `offsetBytes` lies in ends; `Infinity` when not known. */
  nextHole(file: number, offsetBytes: number): number;
}

const noHoles: HoleFinder = {
  nextData: (_file, offsetBytes) => offsetBytes,
  nextHole: () => Number.POSITIVE_INFINITY,
};

export async function holeFinder(): Promise<HoleFinder> {
  if (process.platform !== 'linux') return noHoles;
  try {
    const { default: koffi } = await import('koffi');
    const lseek = koffi.load(null).func('int64_t lseek(int, int64_t, int)');
    return {
      nextData(file, offsetBytes) {
        const found = Number(lseek(file, offsetBytes, SEEK_DATA));
        if (found >= 0) return found;
        return koffi.errno() === ENXIO ? Number.POSITIVE_INFINITY : offsetBytes;
      },
      nextHole(file, offsetBytes) {
        const found = Number(lseek(file, offsetBytes, SEEK_HOLE));
        return found >= 0 ? found : Number.POSITIVE_INFINITY;
      },
    };
  } catch {
    return noHoles;
  }
}

/**
 * Long holes of a regular file within `used` (sorted, disjoint): they read as zeros, and cutting, storing and mapping them piece by
 * piece would cost time and memory for nothing. None of anything but a regular file.
 * @returns sorted, disjoint, at multiples of 1 MiB
 */
export async function longHoles(path: string, used: readonly Extent[]): Promise<Extent[]> {
  if (!used.some(({ lengthBytes }) => lengthBytes >= LONG_HOLE_BYTES)) return [];
  const [finder, file] = [await holeFinder(), await open(path)];
  try {
    return (await file.stat()).isFile() ? holesWithin(file, finder, used) : [];
  } finally {
    await file.close();
  }
}

function holesWithin(file: FileHandle, finder: HoleFinder, used: readonly Extent[]): Extent[] {
  const holes: Extent[] = [];
  for (const { offsetBytes, lengthBytes } of used) {
    const end = offsetBytes + lengthBytes;
    for (let at = offsetBytes; lengthBytes >= LONG_HOLE_BYTES && at < end; at = finder.nextHole(file.fd, at)) {
      const data = Math.min(end, finder.nextData(file.fd, at));
      const from = Math.ceil(at / BLOCK_BYTES) * BLOCK_BYTES;
      const to = Math.floor(data / BLOCK_BYTES) * BLOCK_BYTES;
      if (to - from >= LONG_HOLE_BYTES) holes.push({ offsetBytes: from, lengthBytes: to - from });
      at = data;
    }
  }
  return holes;
}
