/**
 * The one interface all bytes go through: a physical disk, a slice of it, a file, a saved disk in a vault, a buffer in a test.
 * Deliberately absent: seeking state, streams, and any knowledge of what the bytes mean.
 */

/** A half-open range of a device: `offsetBytes <= x < offsetBytes + lengthBytes`. */
export interface Extent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Random-access, read-only bytes of a fixed size. Safe for overlapping reads. */
export interface BlockDevice {
  readonly sizeBytes: number;
  /** Logical sector size (512 or 4096): the unit partition tables count in. */
  readonly sectorBytes: number;
  /**
   * Fills the whole of `target` from `offsetBytes`. Any offset and length inside the device is allowed.
   * @throws DiskError `DISK_OUT_OF_RANGE` when the range leaves the device, `DISK_READ_FAILED` when the medium fails.
   */
  read(offsetBytes: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A device that can be written. Only `restore()` and `clone()` of the engine may hold one. */
export interface WritableBlockDevice extends BlockDevice {
  /** @throws DiskError `DISK_OUT_OF_RANGE`, `DISK_WRITE_FAILED`, `DISK_FULL`. */
  write(offsetBytes: number, source: Uint8Array): Promise<void>;
  /** Makes the range read as zero, cheaply where the medium can (hole punch, discard), by writing zeros elsewhere. */
  zero(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** Returns when all writes so far survive power loss. */
  flush(): Promise<void>;
}

/** Reads `lengthBytes` at `offsetBytes` into a fresh buffer. */
export async function readBytes(device: BlockDevice, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const target = Buffer.alloc(lengthBytes);
  await device.read(offsetBytes, target);
  return target;
}
