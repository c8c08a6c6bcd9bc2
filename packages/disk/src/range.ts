import { DiskError } from './errors.ts';

/** @throws DiskError `DISK_OUT_OF_RANGE` unless the range is made of safe integers and lies inside `sizeBytes`. */
export function checkRange(sizeBytes: number, offsetBytes: number, lengthBytes: number): void {
  const sane = Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes) && offsetBytes >= 0 && lengthBytes >= 0;
  if (!sane || offsetBytes + lengthBytes > sizeBytes) {
    throw new DiskError('DISK_OUT_OF_RANGE', `bytes ${offsetBytes}+${lengthBytes} lie outside a device of ${sizeBytes} bytes`);
  }
}
