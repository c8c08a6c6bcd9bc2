import { type BlockDevice, DiskError } from '@diskfleet/disk';

const PIECE_BYTES = 4096;

/** Shows what the medium cannot read as zeros, for those who look for marks and may do without some. */
export function zeroWhereUnreadable(device: BlockDevice): BlockDevice {
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    async read(offsetBytes, target) {
      if (await isRead(device, offsetBytes, target)) return;
      for (let done = 0; done < target.length; ) {
        const length = Math.min(PIECE_BYTES - ((offsetBytes + done) % PIECE_BYTES), target.length - done);
        const piece = target.subarray(done, done + length);
        if (!(await isRead(device, offsetBytes + done, piece))) piece.fill(0);
        done += length;
      }
    },
    async close() {},
  };
}

async function isRead(device: BlockDevice, offsetBytes: number, target: Uint8Array): Promise<boolean> {
  try {
    await device.read(offsetBytes, target);
    return true;
  } catch (error) {
    if (error instanceof DiskError && error.code === 'DISK_READ_FAILED') return false;
    throw error;
  }
}
