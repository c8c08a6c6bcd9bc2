import type { BlockDevice, WritableBlockDevice } from './blockDevice.ts';
import { checkRange } from './range.ts';

/**
 * A window onto `parent`; closing it leaves the parent open. A window onto a writable device is writable, and never reaches
 * outside itself. Flushing it flushes the parent.
 * @throws DiskError `DISK_OUT_OF_RANGE` when the window leaves the parent
 */
export function sliceDevice(parent: WritableBlockDevice, offsetBytes: number, lengthBytes: number): WritableBlockDevice;
export function sliceDevice(parent: BlockDevice, offsetBytes: number, lengthBytes: number): BlockDevice;
export function sliceDevice(
  parent: BlockDevice | WritableBlockDevice,
  offsetBytes: number,
  lengthBytes: number,
): BlockDevice | WritableBlockDevice {
  checkRange(parent.sizeBytes, offsetBytes, lengthBytes);
  const reading: BlockDevice = {
    sizeBytes: lengthBytes,
    sectorBytes: parent.sectorBytes,
    async read(innerOffsetBytes, target) {
      checkRange(lengthBytes, innerOffsetBytes, target.length);
      await parent.read(offsetBytes + innerOffsetBytes, target);
    },
    async close() {},
  };
  if (!('write' in parent)) return reading;
  return {
    ...reading,
    async write(innerOffsetBytes, source) {
      checkRange(lengthBytes, innerOffsetBytes, source.length);
      await parent.write(offsetBytes + innerOffsetBytes, source);
    },
    async zero(innerOffsetBytes, innerLengthBytes) {
      checkRange(lengthBytes, innerOffsetBytes, innerLengthBytes);
      await parent.zero(offsetBytes + innerOffsetBytes, innerLengthBytes);
    },
    flush: () => parent.flush(),
  };
}
