/**
 * Filesystem readers ask for a few KiB here and there, and a drive or a file far away takes as long for those as for much more. So
 * the last blocks stay in memory, and a reader that moves forward finds the next block under way already.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';

const BLOCK_BYTES = 256 * 1024;
const MAX_BLOCKS = 48;
const READ_AHEAD_BLOCKS = 3;

/** @returns a device that keeps up to 12 MiB of `device`; closing it leaves `device` open */
export function cachedDevice(device: BlockDevice): BlockDevice {
  const blocks = new Map<number, Promise<Buffer>>();
  let lastBlock = -1;

  const load = (block: number): Promise<Buffer> => {
    const kept = blocks.get(block);
    blocks.delete(block);
    const found = kept ?? readBlock(device, block);
    blocks.set(block, found);
    // A failed read is not kept: the next one tries again, and tells the caller who waits for it.
    if (kept === undefined) found.catch(() => blocks.get(block) === found && blocks.delete(block));
    for (const oldest of blocks.keys()) {
      if (blocks.size <= MAX_BLOCKS) break;
      blocks.delete(oldest);
    }
    return found;
  };

  const readAhead = (block: number) => {
    if (block === lastBlock + 1) {
      for (let next = block + 1; next <= block + READ_AHEAD_BLOCKS && next * BLOCK_BYTES < device.sizeBytes; next++) {
        if (!blocks.has(next)) load(next).catch(() => {});
      }
    }
    lastBlock = block;
  };

  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    async read(offsetBytes, target) {
      if (offsetBytes < 0 || offsetBytes + target.length > device.sizeBytes) {
        throw new DiskError('DISK_OUT_OF_RANGE', `bytes ${offsetBytes}+${target.length} lie outside the disk`);
      }
      let done = 0;
      while (done < target.length) {
        const at = offsetBytes + done;
        const block = Math.floor(at / BLOCK_BYTES);
        const loading = load(block);
        if (block !== lastBlock) readAhead(block);
        const bytes = await loading;
        const from = at - block * BLOCK_BYTES;
        const part = bytes.subarray(from, from + target.length - done);
        target.set(part, done);
        done += part.length;
      }
    },
    async close() {},
  };
}

async function readBlock(device: BlockDevice, block: number): Promise<Buffer> {
  const offsetBytes = block * BLOCK_BYTES;
  const bytes = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, device.sizeBytes - offsetBytes));
  await device.read(offsetBytes, bytes);
  return bytes;
}
