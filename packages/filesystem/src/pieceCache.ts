/**
 * Small reads out of large ones. A walk over a whole filesystem asks for a few hundred bytes here and there, mostly near each
 * other: inodes, folders, trees of blocks. Each miss reads one large aligned piece, and the last pieces stay in memory.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';

/** Reads of at least a piece go straight through. Closing the result leaves `device` open. */
export function pieceCache(device: BlockDevice, { pieceBytes, pieces }: { pieceBytes: number; pieces: number }): BlockDevice {
  const kept = new Map<number, Promise<Uint8Array>>();
  const load = (index: number): Promise<Uint8Array> => {
    const found = kept.get(index);
    kept.delete(index);
    const piece = found ?? readPiece(device, index * pieceBytes, pieceBytes);
    kept.set(index, piece);
    // A failed read is not kept: whoever asks again tries again.
    if (!found) piece.catch(() => kept.get(index) === piece && kept.delete(index));
    const oldest = kept.keys().next();
    if (kept.size > pieces && !oldest.done) kept.delete(oldest.value);
    return piece;
  };
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    async read(offsetBytes, target) {
      if (!(offsetBytes >= 0 && offsetBytes + target.length <= device.sizeBytes)) {
        throw new DiskError('DISK_OUT_OF_RANGE', `bytes ${offsetBytes}+${target.length} lie outside the volume`);
      }
      if (target.length >= pieceBytes) return device.read(offsetBytes, target);
      for (let done = 0; done < target.length; ) {
        const index = Math.floor((offsetBytes + done) / pieceBytes);
        const from = offsetBytes + done - index * pieceBytes;
        const part = (await load(index)).subarray(from, from + target.length - done);
        target.set(part, done);
        done += part.length;
      }
    },
    async close() {},
  };
}

async function readPiece(device: BlockDevice, offsetBytes: number, pieceBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(pieceBytes, device.sizeBytes - offsetBytes));
  await device.read(offsetBytes, bytes);
  return bytes;
}
