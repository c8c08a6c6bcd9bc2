/**
 * Reading a file by its map. Plain runs go straight into the caller's buffer; a compressed extent is expanded whole and kept until
 * another is needed. Data checksums are not looked at: what the medium returns is what a reader of a damaged disk wants to see.
 */
import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import { expand } from './compression.ts';
import { type FileRun, mapFile } from './fileMap.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** @throws FilesystemError `FS_ENCRYPTED_FILE`, `FS_UNSUPPORTED`, `FS_DAMAGED`. */
export async function openContent(volume: Volume, inode: Inode): Promise<FileReader> {
  const { sizeBytes } = inode;
  const runs = await mapFile(volume, inode);
  const expanded = new Expanded(volume);
  return {
    sizeBytes,
    async read(offsetBytes, target) {
      if (!(Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + target.length <= sizeBytes)) {
        throw new FilesystemError(
          'FS_OUT_OF_RANGE',
          `bytes ${offsetBytes}+${target.length} lie outside a file of ${sizeBytes} bytes`,
        );
      }
      const end = offsetBytes + target.length;
      let at = offsetBytes;
      for (let index = firstRunEndingAfter(runs, at); at < end; index++) {
        const run = runs[index];
        const runStart = run ? Math.min(run.start, end) : end;
        if (runStart > at) {
          target.fill(0, at - offsetBytes, runStart - offsetBytes);
          at = runStart;
        }
        if (!run || at >= end) return;
        const pieceEnd = Math.min(run.start + run.lengthBytes, end);
        await fillFromRun({ volume, expanded, run }, at - run.start, target.subarray(at - offsetBytes, pieceEnd - offsetBytes));
        at = pieceEnd;
      }
    },
  };
}

/** The extent expanded last. */
class Expanded {
  private readonly volume: Volume;
  private run: FileRun | null = null;
  private bytes: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));

  constructor(volume: Volume) {
    this.volume = volume;
  }

  get(run: Exclude<FileRun, { kind: 'plain' }>): Promise<Buffer> {
    if (this.run !== run) {
      this.run = run;
      this.bytes = expandRun(this.volume, run);
    }
    return this.bytes;
  }
}

async function expandRun(volume: Volume, run: Exclude<FileRun, { kind: 'plain' }>): Promise<Buffer> {
  const { sectorBytes } = volume.superblock;
  if (run.kind === 'inline') {
    const { stored, compression, lengthBytes } = run;
    if (compression !== null) return expand(stored, { compression, expandedBytes: lengthBytes, sectorBytes });
    const content = Buffer.alloc(lengthBytes);
    stored.copy(content);
    return content;
  }
  const stored = Buffer.alloc(run.storedBytes);
  await readLogical(volume, run.logical, stored);
  return expand(stored, { compression: run.compression, expandedBytes: run.expandedBytes, sectorBytes });
}

async function fillFromRun(
  source: { volume: Volume; expanded: Expanded; run: FileRun },
  offset: number,
  target: Uint8Array,
): Promise<void> {
  const { volume, expanded, run } = source;
  if (run.kind === 'plain') return readLogical(volume, run.logical + offset, target);
  const start = offset + (run.kind === 'compressed' ? run.skipBytes : 0);
  target.set((await expanded.get(run)).subarray(start, start + target.length));
}

/** Fills `target` from a logical address, from the first copy the medium can read. */
async function readLogical(volume: Volume, logical: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { lengthBytes, copies } = volume.nodes.chunks.place(logical + done, 'a file');
    const piece = target.subarray(done, Math.min(target.length, done + lengthBytes));
    if (copies.length === 0) throw new FilesystemError('FS_UNSUPPORTED', 'the content of this file lies on other devices too');
    await readOneOf(volume, copies, piece);
    done += piece.length;
  }
}

async function readOneOf(volume: Volume, copies: readonly number[], target: Uint8Array): Promise<void> {
  let failure: unknown = null;
  for (const offset of copies) {
    try {
      return await volume.device.read(offset, target);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Index of the first run that ends behind `offset`; `runs.length` when none does. */
function firstRunEndingAfter(runs: readonly FileRun[], offset: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle];
    if (run && run.start + run.lengthBytes <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
