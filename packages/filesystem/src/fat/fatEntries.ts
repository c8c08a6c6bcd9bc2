/** How one entry of a file allocation table reads, for its three widths. */
import type { FatGeometry } from './bootSector.ts';

export interface EntryFormat {
  /** Reads entry `index` of a buffer that begins at entry 0 of it. */
  readonly get: (bytes: Buffer, index: number) => number;
  /** Bytes that hold entries `0..count-1`. */
  readonly bytesFor: (count: number) => number;
  readonly bad: number;
  /** This value and above: the chain ends here. */
  readonly end: number;
  /** Entry 1: unmounted cleanly and no hard errors met; 0 where the width has no such bits. */
  readonly cleanBits: number;
}

const formats: Readonly<Record<FatGeometry['kind'], EntryFormat>> = {
  fat12: {
    get: (bytes, index) => {
      const pair = bytes.readUInt16LE(index + (index >> 1));
      return index & 1 ? pair >> 4 : pair & 0xfff;
    },
    bytesFor: (count) => Math.ceil((count * 3) / 2),
    bad: 0xff7,
    end: 0xff8,
    cleanBits: 0,
  },
  fat16: {
    get: (bytes, index) => bytes.readUInt16LE(index * 2),
    bytesFor: (count) => count * 2,
    bad: 0xfff7,
    end: 0xfff8,
    cleanBits: 0xc000,
  },
  fat32: {
    // The upper four bits are reserved and kept by whoever writes them.
    get: (bytes, index) => bytes.readUInt32LE(index * 4) & 0x0fffffff,
    bytesFor: (count) => count * 4,
    bad: 0x0ffffff7,
    end: 0x0ffffff8,
    cleanBits: 0x0c000000,
  },
};

export function entryFormat(geometry: FatGeometry): EntryFormat {
  return formats[geometry.kind];
}
