/**
 * What the file cutter makes: chunks that follow files and not the disk, so that the same files on two disks become the same chunks
 * wherever they lie. Pure arithmetic over typed arrays in shared memory: a worker needs no message to know its work.
 *
 * A chunk is up to 256 KiB of zeros with pieces of the disk laid over them. Pieces of one chunk never overlap in it, and every used
 * byte of a volume that is cut lies in exactly one piece (property-tested), whatever a filesystem claims: where files lie is a hint
 * that decides what becomes one chunk, never what is saved. So the bytes behind a file's end, in its last block, are kept too.
 */

/** Largest chunk: as the cells of the grid, for the same reasons. */
export const FILE_CHUNK_BYTES = 256 * 1024;
/** Chunk bytes a worker reads at once. */
export const GROUP_BYTES = 4 * 1024 * 1024;
/** Files begin at multiples of this in a bundle: what small blocks leave over then does not part disks of different block sizes. */
export const PAGE_BYTES = 4096;

/** Numbers per group in `FileCut.groups`: disk number, first chunk, first piece. One row more than there are groups ends the last. */
export const GROUP_FIELDS = 3;

export interface FileCut {
  readonly groupCount: number;
  readonly groups: Uint32Array;
  readonly chunkCount: number;
  /** Length of each chunk: a multiple of `PAGE_BYTES`. Chunks of a group follow each other. */
  readonly chunkBytes: Uint32Array;
  /** Pieces group after group, in the order of the disk within each: its first byte on the disk, … */
  readonly pieceOffset: Float64Array;
  /** … its length, … */
  readonly pieceBytes: Uint32Array;
  /** … its chunk, and where it lies in the chunk. */
  readonly pieceChunk: Uint32Array;
  readonly pieceAt: Uint32Array;
  /** Numbers of all pieces in the order of the disk, disks after each other. */
  readonly mapOrder: Uint32Array;
  /** Where each disk begins in `mapOrder`, and the total at the end. */
  readonly firstOfDisk: readonly number[];
  /** Bytes of all pieces: what is read of the disks. */
  readonly usedBytes: number;
  /** Bytes of all chunks. */
  readonly totalBytes: number;
}

/** How files become chunks. Not part of the format: a vault may hold points of any. */
export interface CutOptions {
  /** Files (and ends of files) below this are bundled. */
  readonly smallFileBytes: number;
  /** How long a bundle is if nothing else ends it, on average. */
  readonly bundleBytes: number;
}

export const defaultCut: CutOptions = { smallFileBytes: 64 * 1024, bundleBytes: 128 * 1024 };

/**
 * No cut has more chunks than this: what a vault has to be ready for before files are looked at, at 9 bytes each. What would come to
 * more is left to the grid. `usedBytes` and `sizeBytes` of all that is cut.
 */
export function mostChunks(usedBytes: number, sizeBytes: number): number {
  return mostFileChunks(usedBytes) + Math.ceil(sizeBytes / REST_RANGE_BYTES) + 1;
}

/** Files make no more: those of a million holes are left to the rest. */
export function mostFileChunks(usedBytes: number): number {
  return Math.ceil(usedBytes / (96 * 1024)) + 4096;
}

/** Largest range of the disk whose metadata becomes one chunk. */
export const REST_RANGE_BYTES = 16 * 1024 * 1024;
