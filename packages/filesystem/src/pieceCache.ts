/**
 * Small reads out of large ones. A walk over a whole filesystem asks for a few hundred bytes here and there, mostly near each
 * other: inodes, folders, trees of blocks. Each miss reads one large aligned piece, and the last pieces stay in memory.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';

/** A piece in memory or on its way there. `users` wait for it: its memory is theirs until they have copied what they want. */
interface Piece {
  readonly bytes: Promise<Uint8Array>;
  memory: Uint8Array | null;
  users: number;
}

/**
 * Reads of at least a piece go straight through. Closing the result leaves `device` open. The memory of pieces is used again: fresh
 * buffers for each would cost more in collecting them than reading does.
 */
export function pieceCache(device: BlockDevice, { pieceBytes, pieces }: { pieceBytes: number; pieces: number }): BlockDevice {
  const kept = new Map<number, Piece>();
  const spare: Uint8Array[] = [];
  const start = (index: number): Piece => {
    const memory = spare.pop() ?? new Uint8Array(pieceBytes);
    const offsetBytes = index * pieceBytes;
    const bytes = memory.subarray(0, Math.min(pieceBytes, device.sizeBytes - offsetBytes));
    const piece: Piece = { bytes: device.read(offsetBytes, bytes).then(() => bytes), memory: null, users: 0 };
    piece.bytes.then(
      () => {
        piece.memory = memory;
      },
      // A failed read is not kept: whoever asks again tries again.
      () => kept.get(index) === piece && kept.delete(index),
    );
    return piece;
  };
  const load = (index: number): Piece => {
    const piece = kept.get(index) ?? start(index);
    kept.delete(index);
    kept.set(index, piece);
    const oldest = kept.entries().next();
    if (kept.size > pieces && !oldest.done) {
      const [number, { memory, users }] = oldest.value;
      kept.delete(number);
      if (memory !== null && users === 0) spare.push(memory);
    }
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
        const wanted = target.subarray(done, done + pieceBytes - from);
        const piece = load(index);
        piece.users += 1;
        try {
          wanted.set((await piece.bytes).subarray(from, from + wanted.length));
        } catch (error) {
          if (!(error instanceof DiskError)) throw error;
          // One bad sector must not cost all that is near it.
          await device.read(offsetBytes + done, wanted);
        } finally {
          piece.users -= 1;
        }
        done += wanted.length;
      }
    },
    async close() {},
  };
}
