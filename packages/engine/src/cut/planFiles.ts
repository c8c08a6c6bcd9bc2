/** From the files of each volume to chunks of each disk; which of them are read is decided later, by `assembleCut`. */
import { DiskError, type Extent, intersectExtents, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import { type FileLayout, FilesystemError } from '@diskfleet/filesystem';
import { FileChunker } from './chunkFiles.ts';
import { chunkRest, type RestChunks } from './chunkRest.ts';
import { type CutOptions, defaultCut, mostChunks, mostFileChunks } from './fileCut.ts';
import type { PieceList } from './pieceList.ts';
import { type Settled, settle } from './settle.ts';

/** A volume whose files can be told. */
export interface VolumeToCut {
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly layouts: AsyncIterable<FileLayout> | Iterable<FileLayout>;
  /** Which of its files are known not to have changed; absent: none. Asked once for each file. */
  readonly isUnchanged?: (layout: FileLayout) => boolean;
}

export interface DiskToCut {
  /** Sorted, disjoint. */
  readonly used: readonly Extent[];
  readonly volumes: readonly VolumeToCut[];
}

/** All pieces and chunks of one disk. */
export interface DiskPlan {
  readonly pieces: DiskPieces;
  /** Length of each chunk. */
  readonly chunkBytes: Uint32Array<ArrayBuffer>;
  /** 1 for each chunk with anything in it but files known not to have changed. */
  readonly doubtful: Uint8Array<ArrayBuffer>;
  /** Work for the grid: what lies in no volume that is cut here, and long ranges without a file. */
  readonly others: readonly Extent[];
  /** Why files of a volume are not cut as such. They are saved all the same. */
  readonly notes: readonly string[];
}

/** In the order of the disk, disjoint. */
export interface DiskPieces {
  readonly offset: Float64Array<ArrayBuffer>;
  readonly bytes: Uint32Array<ArrayBuffer>;
  readonly chunk: Uint32Array<ArrayBuffer>;
  /** Where each lies in its chunk. */
  readonly at: Uint32Array<ArrayBuffer>;
}

export async function planFiles({ used, volumes }: DiskToCut, options: CutOptions = defaultCut): Promise<DiskPlan> {
  const notes: string[] = [];
  const places = volumes.map(({ startBytes, sizeBytes }) => ({ offsetBytes: startBytes, lengthBytes: sizeBytes }));
  places.sort((a, b) => a.offsetBytes - b.offsetBytes);
  const mine = intersectExtents(used, places);
  const chunker = new FileChunker(options, mostFileChunks(sumBytes(mine)));
  for (const volume of volumes) await addVolume(chunker, volume, notes);
  const settled = settle(chunker.pieces, mine);
  const rest = chunkRest(settled.rest);
  if (chunker.chunkCount + rest.chunkBytes.length > mostChunks(sumBytes(mine), sumBytes(places))) {
    notes.push('its files and what lies between them are so scattered that all is cut by its place');
    return { ...nothing(), others: used, notes };
  }
  const others = mergeExtents([...subtractExtents(used, places), ...rest.others]);
  return { ...join(settled, chunker, rest), others, notes };
}

function nothing(): Pick<DiskPlan, 'pieces' | 'chunkBytes' | 'doubtful'> {
  const pieces = { offset: new Float64Array(), bytes: new Uint32Array(), chunk: new Uint32Array(), at: new Uint32Array() };
  return { pieces, chunkBytes: new Uint32Array(), doubtful: new Uint8Array() };
}

/** Numbers the chunks of the rest behind those of files. */
function join(
  { pieces, disputed }: Settled,
  { chunkCount, chunkBytes: ofFiles, doubtful: doubtfulFiles }: FileChunker,
  rest: RestChunks,
): Pick<DiskPlan, 'pieces' | 'chunkBytes' | 'doubtful'> {
  const chunkBytes = new Uint32Array(chunkCount + rest.chunkBytes.length);
  chunkBytes.set(ofFiles.subarray(0, chunkCount));
  chunkBytes.set(rest.chunkBytes, chunkCount);
  const doubtful = new Uint8Array(chunkBytes.length).fill(1, chunkCount);
  doubtful.set(doubtfulFiles.subarray(0, chunkCount));
  for (const chunk of disputed) doubtful[chunk] = 1;
  return { pieces: merge(pieces, rest, chunkCount), chunkBytes, doubtful };
}

async function addVolume(chunker: FileChunker, volume: VolumeToCut, notes: string[]): Promise<void> {
  chunker.endBundle();
  try {
    for await (const layout of volume.layouts) {
      const trusted = volume.isUnchanged?.(layout) ?? false;
      if (chunker.add(layout, { volumeStart: volume.startBytes, trusted })) continue;
      notes.push('there are more files than the file cutter keeps in mind; the last ones are cut by their place');
      return;
    }
  } catch (error) {
    if (!(error instanceof FilesystemError || error instanceof DiskError)) throw error;
    notes.push(`not all files could be told, so some are cut by their place: ${error.message}`);
  }
}

/** Both in the order of the disk, and so is the result. */
function merge(files: PieceList, { pieces: rest }: RestChunks, fileChunks: number): DiskPieces {
  const length = files.length + rest.length;
  const merged = {
    offset: new Float64Array(length),
    bytes: new Uint32Array(length),
    chunk: new Uint32Array(length),
    at: new Uint32Array(length),
  };
  for (let index = 0, file = 0, other = 0; index < length; index++) {
    const fileNext = file < files.length && (other >= rest.length || (files.offset[file] ?? 0) < (rest.offset[other] ?? 0));
    const from = fileNext ? files : rest;
    const piece = fileNext ? file++ : other++;
    merged.offset[index] = from.offset[piece] ?? 0;
    merged.bytes[index] = from.bytes[piece] ?? 0;
    merged.chunk[index] = (from.chunk[piece] ?? 0) + (fileNext ? 0 : fileChunks);
    merged.at[index] = from.at[piece] ?? 0;
  }
  return merged;
}

/** The pieces of chunks that have a 1 in `chosen`, as extents: sorted, disjoint. */
export function extentsOf({ pieces: { offset, bytes, chunk } }: DiskPlan, chosen: Uint8Array): Extent[] {
  const extents: { offsetBytes: number; lengthBytes: number }[] = [];
  for (const [piece, offsetBytes] of offset.entries()) {
    if (chosen[chunk[piece] ?? 0] !== 1) continue;
    const last = extents.at(-1);
    const lengthBytes = bytes[piece] ?? 0;
    if (last !== undefined && last.offsetBytes + last.lengthBytes === offsetBytes) last.lengthBytes += lengthBytes;
    else extents.push({ offsetBytes, lengthBytes });
  }
  return extents;
}

/** 1 for each chunk with a byte in `extents` (sorted, disjoint). */
export function touchedChunks(
  { pieces: { offset, bytes, chunk }, chunkBytes }: DiskPlan,
  extents: readonly Extent[],
): Uint8Array {
  const touched = new Uint8Array(chunkBytes.length);
  let next = 0;
  for (let piece = 0; piece < offset.length; piece++) {
    const from = offset[piece] ?? 0;
    for (; next < extents.length; next++) {
      const extent = extents[next];
      if (extent !== undefined && extent.offsetBytes + extent.lengthBytes > from) break;
    }
    const extent = extents[next];
    if (extent === undefined) break;
    if (extent.offsetBytes < from + (bytes[piece] ?? 0)) touched[chunk[piece] ?? 0] = 1;
  }
  return touched;
}
