import type { BlockDevice } from '../blockDevice.ts';
import { checkRange } from '../range.ts';

/** A read-only disk of any size that is all zero and takes no memory; put an `overlayDevice` over it to write to it. */
export function emptyDevice(sizeBytes: number, sectorBytes = 512): BlockDevice {
  return {
    sizeBytes,
    sectorBytes,
    async read(offsetBytes, target) {
      checkRange(sizeBytes, offsetBytes, target.length);
      target.fill(0);
    },
    async close() {},
  };
}
