/** The content of one attribute: random access over a resident value or over clusters, holes and unwritten tails included. */
import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import type { NtfsGeometry } from './bootSector.ts';
import { coveredClusters, findRun, HOLE, type Run } from './runList.ts';

export interface NtfsSource {
  readonly device: BlockDevice;
  readonly geometry: NtfsGeometry;
}

/** Where a non-resident stream lies. */
export interface RunLayout {
  readonly runs: readonly Run[];
  readonly sizeBytes: number;
  /** Content behind this reads as zero. */
  readonly initialisedBytes: number;
}

export function residentStream(value: Buffer): FileReader {
  return {
    sizeBytes: value.length,
    async read(offsetBytes, target) {
      checkFileRange(value.length, offsetBytes, target.length);
      target.set(value.subarray(offsetBytes, offsetBytes + target.length));
    },
  };
}

/** Reads each stretch of neighbouring clusters with one read of the device. */
export function runStream(source: NtfsSource, layout: RunLayout): FileReader {
  return {
    sizeBytes: layout.sizeBytes,
    async read(offsetBytes, target) {
      checkFileRange(layout.sizeBytes, offsetBytes, target.length);
      const written = Math.max(0, Math.min(target.length, layout.initialisedBytes - offsetBytes));
      target.fill(0, written);
      await readRuns(source, layout.runs, { offsetBytes, target: target.subarray(0, written) });
    },
  };
}

interface RunRead {
  readonly offsetBytes: number;
  readonly target: Uint8Array;
}

/** Fills `target` from the clusters of a stream, without regard to its size. @throws FilesystemError `FS_DAMAGED`. */
export async function readRuns(source: NtfsSource, runs: readonly Run[], want: RunRead): Promise<void> {
  const { clusterBytes } = source.geometry;
  let done = 0;
  let index = want.target.length === 0 ? 0 : findRun(runs, Math.floor(want.offsetBytes / clusterBytes));
  while (done < want.target.length) {
    const run = runs[index];
    if (index < 0 || run === undefined) {
      throw new FilesystemError('FS_DAMAGED', `A file is longer than its ${coveredClusters(runs)} clusters.`);
    }
    const inRun = want.offsetBytes + done - run.vcn * clusterBytes;
    const length = Math.min(want.target.length - done, run.clusters * clusterBytes - inRun);
    const piece = want.target.subarray(done, done + length);
    if (run.lcn === HOLE) piece.fill(0);
    else await readVolume(source, run.lcn * clusterBytes + inRun, piece);
    done += length;
    index += 1;
  }
}

/** @throws FilesystemError `FS_DAMAGED` when the volume claims to be larger than the device that holds it. */
export async function readVolume(source: NtfsSource, offsetBytes: number, target: Uint8Array): Promise<void> {
  if (offsetBytes + target.length > source.device.sizeBytes) {
    throw new FilesystemError('FS_DAMAGED', 'The volume is cut short: it points behind the end of its partition.');
  }
  await source.device.read(offsetBytes, target);
}

/** @throws FilesystemError `FS_OUT_OF_RANGE`. */
export function checkFileRange(sizeBytes: number, offsetBytes: number, lengthBytes: number): void {
  if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || offsetBytes + lengthBytes > sizeBytes) {
    throw new FilesystemError('FS_OUT_OF_RANGE', `Bytes ${offsetBytes}+${lengthBytes} lie outside a file of ${sizeBytes} bytes.`);
  }
}
