/** Puts the chunks of all disks that are to be read into the order in which they are, and into shared memory. */
import { type FileCut, GROUP_BYTES } from './fileCut.ts';
import type { DiskPieces, DiskPlan } from './planFiles.ts';

/** One disk, in its final order; chunk numbers count from its own first. */
interface AssembledDisk extends DiskPieces {
  readonly chunkBytes: Uint32Array;
  /** The first chunk of each group. */
  readonly groups: readonly number[];
}

const NONE = 0xffffffff;

const none = new Uint32Array();
const NOTHING = { pieces: { offset: new Float64Array(), bytes: none, chunk: none, at: none }, chunkBytes: none };

/** @param wanted per disk 1 for each chunk to take; null: all of them. Of a disk without a plan nothing is taken. */
export function assembleCut(plans: readonly (DiskPlan | null)[], wanted: readonly (Uint8Array | null)[] = []): FileCut {
  const disks = plans.map((plan, disk) => number(plan ?? NOTHING, wanted[disk] ?? null));
  const pieceCount = disks.reduce((sum, { offset }) => sum + offset.length, 0);
  const chunkCount = disks.reduce((sum, { chunkBytes }) => sum + chunkBytes.length, 0);
  const groups: number[] = [];
  const firstOfDisk: number[] = [];
  const cut = {
    chunkBytes: sharedNumbers(chunkCount),
    pieceOffset: new Float64Array(new SharedArrayBuffer(Math.max(1, pieceCount) * 8)),
    pieceBytes: sharedNumbers(pieceCount),
    pieceChunk: sharedNumbers(pieceCount),
    pieceAt: sharedNumbers(pieceCount),
    mapOrder: sharedNumbers(pieceCount),
  };
  let [firstChunk, firstPiece, usedBytes, totalBytes] = [0, 0, 0, 0];
  for (const [disk, assembled] of disks.entries()) {
    firstOfDisk.push(firstPiece);
    const starts = place(cut, assembled, { firstChunk, firstPiece });
    for (const [group, chunk] of assembled.groups.entries()) groups.push(disk, firstChunk + chunk, starts[group] ?? 0);
    cut.chunkBytes.set(assembled.chunkBytes, firstChunk);
    for (const bytes of assembled.bytes) usedBytes += bytes;
    for (const bytes of assembled.chunkBytes) totalBytes += bytes;
    firstChunk += assembled.chunkBytes.length;
    firstPiece += assembled.offset.length;
  }
  firstOfDisk.push(firstPiece);
  const groupCount = groups.length / 3;
  groups.push(disks.length, firstChunk, firstPiece);
  const shared = sharedNumbers(groups.length);
  shared.set(groups);
  return { ...cut, groups: shared, groupCount, chunkCount, firstOfDisk, usedBytes, totalBytes };
}

type Chunks = Pick<DiskPlan, 'pieces' | 'chunkBytes'>;

/** Chunks get their final numbers, in the order of their first bytes on the disk; those without pieces and those not wanted go. */
function number({ pieces: merged, chunkBytes: bytesOf }: Chunks, wanted: Uint8Array | null): AssembledDisk {
  const pieces = wanted === null ? merged : piecesOf(merged, wanted);
  const numbers = new Uint32Array(bytesOf.length).fill(NONE);
  const chunk = new Uint32Array(pieces.chunk.length);
  let chunkCount = 0;
  for (let piece = 0; piece < chunk.length; piece++) {
    const before = pieces.chunk[piece] ?? 0;
    if (numbers[before] === NONE) numbers[before] = chunkCount++;
    chunk[piece] = numbers[before] ?? 0;
  }
  const chunkBytes = new Uint32Array(chunkCount);
  for (const [before, bytes] of bytesOf.entries()) {
    const final = numbers[before] ?? NONE;
    if (final !== NONE) chunkBytes[final] = bytes;
  }
  return { ...pieces, chunk, chunkBytes, groups: groupsOf(chunkBytes) };
}

/** Those of chunks that are wanted; a disk has millions, so they are counted before they are copied, and not at all when all are. */
function piecesOf(merged: DiskPieces, wanted: Uint8Array): DiskPieces {
  let count = 0;
  for (const chunk of merged.chunk) if (wanted[chunk] !== 0) count++;
  if (count === merged.chunk.length) return merged;
  const kept = {
    offset: new Float64Array(count),
    bytes: new Uint32Array(count),
    chunk: new Uint32Array(count),
    at: new Uint32Array(count),
  };
  for (let piece = 0, next = 0; piece < merged.chunk.length; piece++) {
    const chunk = merged.chunk[piece] ?? 0;
    if (wanted[chunk] === 0) continue;
    kept.offset[next] = merged.offset[piece] ?? 0;
    kept.bytes[next] = merged.bytes[piece] ?? 0;
    kept.chunk[next] = chunk;
    kept.at[next] = merged.at[piece] ?? 0;
    next += 1;
  }
  return kept;
}

function groupsOf(chunkBytes: Uint32Array): number[] {
  const groups: number[] = [];
  let filled = GROUP_BYTES;
  for (const [chunk, bytes] of chunkBytes.entries()) {
    if (filled + bytes > GROUP_BYTES) {
      groups.push(chunk);
      filled = 0;
    }
    filled += bytes;
  }
  return groups;
}

type Places = Pick<FileCut, 'pieceOffset' | 'pieceBytes' | 'pieceChunk' | 'pieceAt' | 'mapOrder'>;

/** Sorts the pieces of a disk by group, which keeps the order of the disk within each. @returns the first piece of each group */
function place(
  cut: Places,
  disk: AssembledDisk,
  { firstChunk, firstPiece }: { firstChunk: number; firstPiece: number },
): number[] {
  const groupOf = new Uint32Array(disk.chunkBytes.length);
  for (const [group, first] of disk.groups.entries()) groupOf.fill(group, first, disk.groups[group + 1] ?? groupOf.length);
  const next = new Uint32Array(disk.groups.length + 1);
  for (const chunk of disk.chunk) next[(groupOf[chunk] ?? 0) + 1] = (next[(groupOf[chunk] ?? 0) + 1] ?? 0) + 1;
  for (let group = 1; group < next.length; group++) next[group] = (next[group] ?? 0) + (next[group - 1] ?? 0);
  const starts = Array.from(next.subarray(0, disk.groups.length), (start) => firstPiece + start);
  for (let piece = 0; piece < disk.offset.length; piece++) {
    const chunk = disk.chunk[piece] ?? 0;
    const group = groupOf[chunk] ?? 0;
    const at = firstPiece + (next[group] ?? 0);
    next[group] = (next[group] ?? 0) + 1;
    cut.pieceOffset[at] = disk.offset[piece] ?? 0;
    cut.pieceBytes[at] = disk.bytes[piece] ?? 0;
    cut.pieceChunk[at] = firstChunk + chunk;
    cut.pieceAt[at] = disk.at[piece] ?? 0;
    cut.mapOrder[firstPiece + piece] = at;
  }
  return starts;
}

function sharedNumbers(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(Math.max(1, length) * 4));
}
