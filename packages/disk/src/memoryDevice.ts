import type { WritableBlockDevice } from './blockDevice.ts';
import { checkRange } from './range.ts';

/** A device over one buffer; for tests and for small synthetic disks. `sizeBytes` is fixed at the buffer's length. */
export function memoryDevice(bytes: Uint8Array, sectorBytes = 512): WritableBlockDevice {
  return {
    sizeBytes: bytes.length,
    sectorBytes,
    async read(offsetBytes, target) {
      checkRange(bytes.length, offsetBytes, target.length);
      target.set(bytes.subarray(offsetBytes, offsetBytes + target.length));
    },
    async write(offsetBytes, source) {
      checkRange(bytes.length, offsetBytes, source.length);
      bytes.set(source, offsetBytes);
    },
    async zero(offsetBytes, lengthBytes) {
      checkRange(bytes.length, offsetBytes, lengthBytes);
      bytes.fill(0, offsetBytes, offsetBytes + lengthBytes);
    },
    async flush() {},
    async close() {},
  };
}
