/**
 * Run lists ("mapping pairs"): which clusters of the volume hold which clusters of a stream. Each run is one byte of two
 * nibbles (bytes of the length, bytes of the distance), the length, and the signed distance from the previous run's first
 * cluster; no distance bytes mean a hole.
 */
import { FilesystemError } from '../errors.ts';
import type { NtfsGeometry } from './bootSector.ts';

export const HOLE = -1;

/** Above what an attribute list of 256 KiB over 1 KiB records can name; keeps hostile volumes from filling memory. */
const MOST_RUNS = 4_000_000;

/** Clusters of a stream, counted from 0 (`vcn`), that lie at `lcn` of the volume or are a `HOLE`. */
export interface Run {
  readonly vcn: number;
  readonly lcn: number;
  readonly clusters: number;
}

/** Appends the decoded runs to `runs`, joining physical neighbours. @throws FilesystemError `FS_DAMAGED`. */
export function appendRuns(runs: Run[], mappingPairs: Buffer, geometry: NtfsGeometry): void {
  let position = 0;
  let lcn = 0;
  for (;;) {
    const header = mappingPairs[position];
    if (header === undefined) throw damaged('has no end');
    if (header === 0) return;
    const lengthBytes = header & 15;
    const distanceBytes = header >> 4;
    position += 1;
    const clusters = signed(mappingPairs, position, lengthBytes);
    position += lengthBytes;
    if (clusters <= 0) throw damaged(`has a run of ${clusters} clusters`);
    if (distanceBytes > 0) {
      lcn += signed(mappingPairs, position, distanceBytes);
      position += distanceBytes;
      if (lcn < 0 || lcn + clusters > geometry.clusterCount) throw damaged('points outside the volume');
    }
    pushRun(runs, distanceBytes > 0 ? lcn : HOLE, clusters);
  }
}

/** Clusters that `runs` cover, holes included. */
export function coveredClusters(runs: readonly Run[]): number {
  const last = runs.at(-1);
  return last === undefined ? 0 : last.vcn + last.clusters;
}

/** Index of the run that holds `vcn`; -1 behind the last. */
export function findRun(runs: readonly Run[], vcn: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle];
    if (run === undefined) break;
    if (vcn < run.vcn) high = middle - 1;
    else if (vcn >= run.vcn + run.clusters) low = middle + 1;
    else return middle;
  }
  return -1;
}

function pushRun(runs: Run[], lcn: number, clusters: number): void {
  const vcn = coveredClusters(runs);
  if (!Number.isSafeInteger(vcn + clusters)) throw damaged('covers an absurd number of clusters');
  const last = runs.at(-1);
  const joins = last !== undefined && (lcn === HOLE ? last.lcn === HOLE : last.lcn !== HOLE && last.lcn + last.clusters === lcn);
  if (joins) runs[runs.length - 1] = { vcn: last.vcn, lcn: last.lcn, clusters: last.clusters + clusters };
  else {
    if (runs.length >= MOST_RUNS)
      throw new FilesystemError('FS_TOO_LARGE', 'A file of this NTFS volume has over 4 million fragments.');
    runs.push({ vcn, lcn, clusters });
  }
}

function signed(bytes: Buffer, offset: number, length: number): number {
  if (length < 1 || length > 8 || offset + length > bytes.length) throw damaged('is cut off');
  if (length <= 6) return bytes.readIntLE(offset, length);
  const high = bytes.readIntLE(offset + 6, length - 6);
  return bytes.readUIntLE(offset, 6) + high * 2 ** 48;
}

function damaged(reason: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `A run list of this NTFS volume ${reason}.`);
}
