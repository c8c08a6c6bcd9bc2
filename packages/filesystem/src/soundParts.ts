import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from './errors.ts';

const PART_BYTES = 4096;

/** The volume is damaged there, or its medium: a reason to do without, not a fault of ours. */
export function isDamage(error: unknown): error is FilesystemError | DiskError {
  return error instanceof FilesystemError || error instanceof DiskError;
}

/** A stretch of what was to be read, from its start. */
export interface LostPart {
  readonly from: number;
  readonly lengthBytes: number;
  readonly reason: string;
}

/**
 * Fills as much of `target` as can be read: in one go, or, where that fails, in parts of 4 KiB. What cannot be read is filled with
 * `filler` and returned, in order.
 */
export async function readSoundParts(
  read: (offsetBytes: number, target: Uint8Array) => Promise<void>,
  wanted: { offsetBytes: number; target: Uint8Array; filler: number },
): Promise<LostPart[]> {
  const { offsetBytes, target, filler } = wanted;
  const whole = await reasonNotRead(() => read(offsetBytes, target));
  if (whole === null) return [];
  const lost: LostPart[] = [];
  for (let from = 0; from < target.length; from += PART_BYTES) {
    const part = target.subarray(from, from + PART_BYTES);
    const reason = await reasonNotRead(() => read(offsetBytes + from, part));
    if (reason === null) continue;
    part.fill(filler);
    lost.push({ from, lengthBytes: part.length, reason });
  }
  return lost;
}

async function reasonNotRead(read: () => Promise<void>): Promise<string | null> {
  try {
    await read();
    return null;
  } catch (error) {
    if (isDamage(error)) return error.message;
    throw error;
  }
}
