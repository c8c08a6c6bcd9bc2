/**
 * Decides which bytes of which file become one chunk, file after file as a filesystem tells them. A large file is cut every 256 KiB
 * from its start. Small files, and short ends of large ones, share bundles; where a bundle ends is decided by the names of the file
 * and its folder alone, so one file more or less changes the bundle it is in, perhaps the next, and none behind.
 */
import type { FileExtent, FileLayout } from '@diskfleet/filesystem';
import { type CutOptions, FILE_CHUNK_BYTES, PAGE_BYTES } from './fileCut.ts';
import { grown, PieceList } from './pieceList.ts';

/** More would cost more memory (24 bytes each, twice for a moment) than bundling them saves: what comes then stays with the rest. */
const MOST_PIECES = 2_000_000;

export class FileChunker {
  readonly pieces = new PieceList();
  chunkCount = 0;
  /** Length of each chunk. */
  chunkBytes = new Uint32Array(1024);
  /** 1 for each chunk with a file whose metadata is not believed. */
  doubtful = new Uint8Array(1024);
  readonly #options: CutOptions;
  readonly #mostChunks: number;
  /** The bundle under way and how much of it is filled; -1: none. */
  #bundle = -1;
  #filled = 0;

  constructor(options: CutOptions, mostChunks: number) {
    this.#options = options;
    this.#mostChunks = mostChunks;
  }

  /**
   * @param where.volumeStart where its volume begins on the disk; volumes come after each other
   * @param where.trusted its metadata says, and is believed, that it is as the last point has it
   * @returns false when no more files fit
   */
  add(layout: FileLayout, { volumeStart, trusted }: { readonly volumeStart: number; readonly trusted: boolean }): boolean {
    const { sizeBytes, extents, path } = layout;
    if (!(Number.isSafeInteger(sizeBytes) && sizeBytes > 0)) return true;
    const paddedBytes = Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
    const wholeBytes = paddedBytes - (paddedBytes % FILE_CHUNK_BYTES);
    const tailBytes = paddedBytes - wholeBytes;
    // What is cut off is bundled; a tail worth a chunk has its own.
    const cutBytes = tailBytes < this.#options.smallFileBytes ? wholeBytes : paddedBytes;
    const file: FileToCut = { volumeStart, trusted, paddedBytes, cutBytes, chunk: -1, index: -1, tailAt: -1, end: 0 };
    for (const extent of extents) {
      if (this.#isFull) return false;
      this.#addExtent(file, extent);
    }
    if (file.tailAt >= 0 && endsBundle(path, (paddedBytes - cutBytes) / this.#options.bundleBytes)) this.#bundle = -1;
    return true;
  }

  get #isFull(): boolean {
    return this.pieces.length >= MOST_PIECES || this.chunkCount >= this.#mostChunks;
  }

  /** The next file does not share a bundle with those before. */
  endBundle(): void {
    this.#bundle = -1;
  }

  #addExtent(file: FileToCut, { fileOffsetBytes, volumeOffsetBytes, lengthBytes }: FileExtent): void {
    // A filesystem may claim anything. In one chunk two pieces must never meet, so a file has to go forward.
    if (!(fileOffsetBytes >= file.end && lengthBytes > 0 && volumeOffsetBytes >= 0)) return;
    const end = Math.min(fileOffsetBytes + lengthBytes, file.paddedBytes);
    if (!(Number.isSafeInteger(fileOffsetBytes) && Number.isSafeInteger(volumeOffsetBytes) && Number.isSafeInteger(end))) return;
    file.end = Math.max(file.end, end);
    for (let from = fileOffsetBytes; from < end && !this.#isFull; ) {
      const to = Math.min(end, (Math.floor(from / FILE_CHUNK_BYTES) + 1) * FILE_CHUNK_BYTES);
      const place = from < file.cutBytes ? this.#ownChunk(file, from) : this.#inBundle(file, from);
      this.pieces.add(file.volumeStart + volumeOffsetBytes + (from - fileOffsetBytes), to - from, place);
      if (!file.trusted) this.doubtful[place.chunk] = 1;
      from = to;
    }
  }

  #ownChunk(file: FileToCut, from: number): { chunk: number; at: number } {
    const index = Math.floor(from / FILE_CHUNK_BYTES);
    if (index !== file.index) {
      file.index = index;
      file.chunk = this.#newChunk(Math.min(FILE_CHUNK_BYTES, file.cutBytes - index * FILE_CHUNK_BYTES));
    }
    return { chunk: file.chunk, at: from - index * FILE_CHUNK_BYTES };
  }

  #inBundle(file: FileToCut, from: number): { chunk: number; at: number } {
    if (file.tailAt < 0) {
      const tailBytes = file.paddedBytes - file.cutBytes;
      if (this.#bundle < 0 || this.#filled + tailBytes > FILE_CHUNK_BYTES) {
        this.#bundle = this.#newChunk(0);
        this.#filled = 0;
      }
      file.tailAt = this.#filled;
      file.chunk = this.#bundle;
      this.#filled += tailBytes;
      this.chunkBytes[this.#bundle] = this.#filled;
    }
    return { chunk: file.chunk, at: file.tailAt + (from - file.cutBytes) };
  }

  #newChunk(bytes: number): number {
    if (this.chunkCount === this.chunkBytes.length) {
      this.chunkBytes = grown(this.chunkBytes, this.chunkCount * 2);
      const doubtful = new Uint8Array(this.chunkCount * 2);
      doubtful.set(this.doubtful);
      this.doubtful = doubtful;
    }
    this.chunkBytes[this.chunkCount] = bytes;
    return this.chunkCount++;
  }
}

/** One file on its way: `cutBytes` in chunks of its own, the rest up to `paddedBytes` in a bundle. */
interface FileToCut {
  readonly volumeStart: number;
  readonly trusted: boolean;
  readonly paddedBytes: number;
  readonly cutBytes: number;
  /** The chunk under way, and which one of the file it is. */
  chunk: number;
  index: number;
  /** Where its end lies in the bundle; -1 before it is there. */
  tailAt: number;
  /** Up to where the file has been told. */
  end: number;
}

/** True for a `share` of all files, the same ones everywhere: by a hash (FNV-1a, then mixed) of the last two names of the path. */
function endsBundle(path: string, share: number): boolean {
  const from = path.lastIndexOf('/', path.lastIndexOf('/') - 1) + 1;
  let hash = 0x811c9dc5;
  for (let index = from; index < path.length; index++) hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0 < share * 2 ** 32;
}
