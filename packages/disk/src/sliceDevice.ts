import type { BlockDevice } from './blockDevice.ts';
import { checkRange } from './range.ts';

/** A read-only window onto `parent`; closing it leaves the parent open. */
export function sliceDevice(parent: BlockDevice, offsetBytes: number, lengthBytes: number): BlockDevice {
  checkRange(parent.sizeBytes, offsetBytes, lengthBytes);
  return {
    sizeBytes: lengthBytes,
    sectorBytes: parent.sectorBytes,
    read(innerOffsetBytes, target) {
      checkRange(lengthBytes, innerOffsetBytes, target.length);
      return parent.read(offsetBytes + innerOffsetBytes, target);
    },
    async close() {},
  };
}
