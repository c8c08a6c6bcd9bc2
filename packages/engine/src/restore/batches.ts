/**
 * The map of a saved disk comes in device order; a vault is best read in storage order. So the map is taken in batches of a
 * bounded number of pieces, each batch sorted by where its chunks lie, and cut into groups a worker thread takes one at a time.
 * Every chunk of a batch is fetched and decoded once, however many places of the disk it belongs to.
 */
import { type Extent, subtractExtents } from '@diskfleet/disk';
import { type ChunkLocation, type MapEntry, VaultError } from '@diskfleet/vault';
import { ID_BYTES } from '../backup/cellTable.ts';

/** Pieces per batch: about 16 GiB of disk, a few tens of MB of memory. */
const BATCH_PIECES = 65_536;
/** Chunks per group: large enough for long reads, small enough that all threads end together. */
const MIN_GROUP_CHUNKS = 32;
const MAX_GROUP_CHUNKS = 512;
/** Groups a batch should have at least, so that every thread gets several. */
const GROUPS = 16;

/** Numbers per run: offset on the target, offset in the chunk, length; all in bytes. */
export const RUN_FIELDS = 3;

/** Plain data in shared memory, ready for the threads. */
export interface Batch {
  readonly chunkCount: number;
  readonly ids: Uint8Array;
  /** Plain length of each chunk, in bytes. */
  readonly plainBytes: Float64Array;
  /** Runs of chunk i: `firstRun[i]` up to `firstRun[i + 1]`. */
  readonly firstRun: Uint32Array;
  readonly runs: Float64Array;
  /** First chunk of each group, and `chunkCount` at the end. */
  readonly groups: Uint32Array;
  readonly bytes: number;
}

interface Piece {
  readonly id: Buffer;
  readonly location: ChunkLocation;
  readonly targetOffset: number;
  readonly chunkOffset: number;
  readonly length: number;
}

export interface BatchInput {
  readonly entries: AsyncIterable<MapEntry>;
  readonly locate: (chunkId: Uint8Array) => ChunkLocation | null;
  /** Ranges that are not restored with the rest. */
  readonly withheld: readonly Extent[];
  /** Bytes from here on do not exist on the target. */
  readonly endBytes: number;
  /** Told of every range that must read as zero. */
  readonly onZero: (extent: Extent) => Promise<void>;
  /** Told of every range of the disk no entry covers. */
  readonly onFree: (extent: Extent) => Promise<void>;
  /** Which data entries to take. */
  readonly wanted: (entry: MapEntry & { kind: 'data' }) => boolean;
}

/** @throws VaultError `CHUNK_MISSING` */
export async function* batchesOf(input: BatchInput): AsyncGenerator<Batch> {
  let pieces: Piece[] = [];
  let end = 0;
  for await (const entry of input.entries) {
    if (entry.offsetBytes > end) await input.onFree({ offsetBytes: end, lengthBytes: entry.offsetBytes - end });
    end = entry.offsetBytes + entry.lengthBytes;
    for (const part of partsToRestore(entry, input)) {
      if (entry.kind === 'zero') await input.onZero(part);
      else if (input.wanted(entry)) pieces.push(pieceOf(entry, part, input.locate));
    }
    if (pieces.length >= BATCH_PIECES) {
      yield buildBatch(pieces);
      pieces = [];
    }
  }
  if (end < input.endBytes) await input.onFree({ offsetBytes: end, lengthBytes: input.endBytes - end });
  if (pieces.length > 0) yield buildBatch(pieces);
}

function partsToRestore(entry: MapEntry, { withheld, endBytes }: BatchInput): Extent[] {
  const end = entry.offsetBytes + entry.lengthBytes;
  const touched = withheld.some(
    ({ offsetBytes, lengthBytes }) => offsetBytes < end && offsetBytes + lengthBytes > entry.offsetBytes,
  );
  if (!touched && end <= endBytes) return [entry];
  return subtractExtents([entry], [...withheld, { offsetBytes: endBytes, lengthBytes: Number.MAX_SAFE_INTEGER - endBytes }]);
}

function pieceOf(entry: MapEntry & { kind: 'data' }, part: Extent, locate: BatchInput['locate']): Piece {
  const location = locate(entry.chunkId);
  if (location === null) {
    const id = entry.chunkId.toString('hex');
    throw new VaultError('CHUNK_MISSING', `the vault does not hold chunk ${id}, needed at byte ${entry.offsetBytes} of the disk`);
  }
  const chunkOffset = entry.chunkOffsetBytes + part.offsetBytes - entry.offsetBytes;
  return { id: entry.chunkId, location, targetOffset: part.offsetBytes, chunkOffset, length: part.lengthBytes };
}

function compare(left: Piece, right: Piece): number {
  if (left.location.pack !== right.location.pack) return left.location.pack < right.location.pack ? -1 : 1;
  return left.location.offsetBytes - right.location.offsetBytes || left.targetOffset - right.targetOffset;
}

function buildBatch(pieces: Piece[]): Batch {
  pieces.sort(compare);
  const ids = new Uint8Array(new SharedArrayBuffer(pieces.length * ID_BYTES));
  const plainBytes = new Float64Array(new SharedArrayBuffer(pieces.length * 8));
  const firstRun = new Uint32Array(new SharedArrayBuffer((pieces.length + 1) * 4));
  const runs = new Float64Array(new SharedArrayBuffer(pieces.length * RUN_FIELDS * 8));
  const groups: number[] = [];
  const groupChunks = Math.min(MAX_GROUP_CHUNKS, Math.max(MIN_GROUP_CHUNKS, Math.ceil(pieces.length / GROUPS)));
  let [chunkCount, bytes, groupStart] = [0, 0, 0];
  let previous: Piece | null = null;
  for (const [index, piece] of pieces.entries()) {
    if (previous === null || !previous.id.equals(piece.id)) {
      const newPack = previous !== null && previous.location.pack !== piece.location.pack;
      if (chunkCount === 0 || newPack || chunkCount - groupStart >= groupChunks) {
        groupStart = chunkCount;
        groups.push(chunkCount);
      }
      ids.set(piece.id, chunkCount * ID_BYTES);
      plainBytes[chunkCount] = piece.location.plainBytes;
      firstRun[chunkCount++] = index;
    }
    runs.set([piece.targetOffset, piece.chunkOffset, piece.length], index * RUN_FIELDS);
    bytes += piece.length;
    previous = piece;
  }
  firstRun[chunkCount] = pieces.length;
  const shared = new Uint32Array(new SharedArrayBuffer((groups.length + 1) * 4));
  shared.set([...groups, chunkCount]);
  return { chunkCount, ids, plainBytes, firstRun, runs, groups: shared, bytes };
}
