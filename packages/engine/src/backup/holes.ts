/**
 * Where a sparse file holds nothing. A disk file of 1 TB with a few GB in it would otherwise be read as 1 TB of zeros.
 * `lseek(SEEK_DATA)` is not in Node; without koffi, or on a filesystem that does not know its holes, there simply are none.
 */
const SEEK_DATA = 3;
const ENXIO = 6;

export interface HoleFinder {
  /** Where data begins at or after `offsetBytes`; `Infinity` when only a hole follows; `offsetBytes` itself when not known. */
  nextData(file: number, offsetBytes: number): number;
}

const noHoles: HoleFinder = { nextData: (_file, offsetBytes) => offsetBytes };

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
    };
  } catch {
    return noHoles;
  }
}
