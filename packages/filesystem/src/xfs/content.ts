/** Reading a file by its map: each run that is contiguous on the disk is one read straight into the caller's buffer. */
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import type { Inode } from './inodes.ts';
import { type ContentRun, mapFile } from './mapping.ts';
import type { Volume } from './volume.ts';

/** @throws FilesystemError `FS_UNSUPPORTED`, `FS_DAMAGED`. */
export async function openContent(volume: Volume, inode: Inode): Promise<FileReader> {
  if (inode.realtime) {
    throw new FilesystemError('FS_UNSUPPORTED', `the content of inode ${inode.number} lies on a realtime device`);
  }
  const { sizeBytes } = inode;
  const runs = await mapFile(volume, inode);
  return {
    sizeBytes,
    async read(offsetBytes, target) {
      if (!(Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + target.length <= sizeBytes)) {
        throw new FilesystemError(
          'FS_OUT_OF_RANGE',
          `bytes ${offsetBytes}+${target.length} lie outside a file of ${sizeBytes} bytes`,
        );
      }
      await readMapped(volume, runs, { offsetBytes, target });
    },
  };
}

/** Fills `target` with what `runs` map from `offsetBytes` of the file; what they do not map is zero. */
export async function readMapped(
  volume: Volume,
  runs: readonly ContentRun[],
  wanted: { offsetBytes: number; target: Uint8Array },
): Promise<void> {
  const { blockBytes } = volume.superblock;
  const { offsetBytes, target } = wanted;
  const end = offsetBytes + target.length;
  let at = offsetBytes;
  for (let index = firstRunEndingAfter(runs, Math.floor(offsetBytes / blockBytes)); at < end; index++) {
    const run = runs[index];
    const runStart = run ? Math.min(run.logical * blockBytes, end) : end;
    if (runStart > at) {
      target.fill(0, at - offsetBytes, runStart - offsetBytes);
      at = runStart;
    }
    if (!run || at >= end) return;
    const pieceEnd = Math.min((run.logical + run.count) * blockBytes, end);
    const source = run.physical * blockBytes + (at - run.logical * blockBytes);
    await volume.device.read(source, target.subarray(at - offsetBytes, pieceEnd - offsetBytes));
    at = pieceEnd;
  }
}

/** Index of the first run that ends behind `block`; `runs.length` when none does. */
function firstRunEndingAfter(runs: readonly ContentRun[], block: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle];
    if (run && run.logical + run.count <= block) low = middle + 1;
    else high = middle;
  }
  return low;
}
