/**
 * Compressed files. Content is cut into units (16 clusters as Windows writes them). A unit with all its clusters is stored
 * as it is, one with none is zero, one with some is an LZNT1 stream in those. Units are read ahead in windows, since the
 * clusters of neighbouring units mostly lie side by side; the window last read is kept.
 */
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import { decompressLznt1 } from './lznt1.ts';
import { coveredClusters, findRun, HOLE, type Run } from './runList.ts';
import { checkFileRange, type NtfsSource, type RunLayout, readVolume } from './stream.ts';

const LARGEST_UNIT_BYTES = 4 * 1024 * 1024;
const WINDOW_BYTES = 1024 * 1024;

interface Piece {
  readonly lcn: number;
  readonly clusters: number;
}

interface Window {
  readonly index: number;
  readonly bytes: Buffer;
}

export function compressedStream(source: NtfsSource, layout: RunLayout, unitClusters: number): FileReader {
  const unitBytes = unitClusters * source.geometry.clusterBytes;
  if (unitBytes > LARGEST_UNIT_BYTES) {
    throw new FilesystemError('FS_UNSUPPORTED', `The file is compressed in units of ${unitBytes} bytes.`);
  }
  const windowUnits = Math.max(1, Math.floor(WINDOW_BYTES / unitBytes));
  const windowBytes = windowUnits * unitBytes;
  let kept: Window | null = null;

  const load = async (index: number): Promise<Window> => {
    if (kept?.index === index) return kept;
    const length = Math.min(windowBytes, Math.ceil((layout.initialisedBytes - index * windowBytes) / unitBytes) * unitBytes);
    const window = { index, bytes: Buffer.alloc(length) };
    await fillUnits({ source, runs: layout.runs, unitClusters }, index * windowUnits, window.bytes);
    kept = window;
    return window;
  };

  return {
    sizeBytes: layout.sizeBytes,
    async read(offsetBytes, target) {
      checkFileRange(layout.sizeBytes, offsetBytes, target.length);
      const written = Math.max(0, Math.min(target.length, layout.initialisedBytes - offsetBytes));
      target.fill(0, written);
      for (let done = 0; done < written; ) {
        const at = offsetBytes + done;
        const window = await load(Math.floor(at / windowBytes));
        const inside = at - window.index * windowBytes;
        const length = Math.min(written - done, window.bytes.length - inside);
        target.set(window.bytes.subarray(inside, inside + length), done);
        done += length;
      }
    },
  };
}

interface UnitSource {
  readonly source: NtfsSource;
  readonly runs: readonly Run[];
  readonly unitClusters: number;
}

/** Fills `target`, a whole number of units, from unit `firstUnit` on. */
async function fillUnits(units: UnitSource, firstUnit: number, target: Buffer): Promise<void> {
  const { source, runs, unitClusters } = units;
  const { clusterBytes } = source.geometry;
  const unitBytes = unitClusters * clusterBytes;
  const firstVcn = firstUnit * unitClusters;
  const raw = await readAllocated(source, allocatedPieces(runs, firstVcn, (target.length / unitBytes) * unitClusters));
  let from = 0;
  for (let unit = 0; unit * unitBytes < target.length; unit++) {
    const vcn = firstVcn + unit * unitClusters;
    const stored = allocatedPieces(runs, vcn, unitClusters).reduce((sum, piece) => sum + piece.clusters, 0) * clusterBytes;
    const content = target.subarray(unit * unitBytes, (unit + 1) * unitBytes);
    const bytes = raw.subarray(from, from + stored);
    // The last unit of a file that is stored plainly may end with the file rather than with the unit.
    const plain = stored === unitBytes || vcn + stored / clusterBytes === coveredClusters(runs);
    if (stored > 0 && plain) content.set(bytes);
    else if (stored > 0) decompressLznt1(bytes, content);
    from += stored;
  }
}

function allocatedPieces(runs: readonly Run[], firstVcn: number, clusters: number): Piece[] {
  const pieces: Piece[] = [];
  const endVcn = firstVcn + clusters;
  const firstRun = findRun(runs, firstVcn);
  if (firstRun < 0) throw new FilesystemError('FS_DAMAGED', 'A compressed file is longer than its clusters.');
  for (let index = firstRun; index < runs.length; index++) {
    const run = runs[index];
    if (run === undefined || run.vcn >= endVcn) break;
    if (run.lcn === HOLE) continue;
    const from = Math.max(run.vcn, firstVcn);
    pieces.push({ lcn: run.lcn + from - run.vcn, clusters: Math.min(run.vcn + run.clusters, endVcn) - from });
  }
  return pieces;
}

/** The clusters of `pieces` one after the other; pieces that touch on the volume are read together. */
async function readAllocated(source: NtfsSource, pieces: readonly Piece[]): Promise<Buffer> {
  const { clusterBytes } = source.geometry;
  const bytes = Buffer.alloc(pieces.reduce((sum, piece) => sum + piece.clusters, 0) * clusterBytes);
  let filled = 0;
  for (let index = 0; index < pieces.length; ) {
    const first = pieces[index];
    if (first === undefined) break;
    let clusters = 0;
    for (; pieces[index]?.lcn === first.lcn + clusters; index++) clusters += pieces[index]?.clusters ?? 0;
    const length = clusters * clusterBytes;
    await readVolume(source, first.lcn * clusterBytes, bytes.subarray(filled, filled + length));
    filled += length;
  }
  return bytes;
}
