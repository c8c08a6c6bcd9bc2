/**
 * Used clusters by $Bitmap (MFT record 6): one bit per cluster, lowest bit first. What lies behind the last whole cluster -
 * normally just the backup boot sector, which NTFS keeps outside its clusters - counts as used too. Whatever part of the
 * bitmap cannot be read is taken as used, and said. partclone reads the same bits, but leaves out what lies behind the last
 * whole cluster.
 */
import { type Extent, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { FileReader, UsedMap } from '../filesystem.ts';
import { isDamage, readSoundParts } from '../soundParts.ts';
import { ATTRIBUTE } from './attribute.ts';
import { openAttribute } from './fileContent.ts';
import type { Mft } from './mft.ts';
import type { NtfsSource } from './stream.ts';

const BITMAP_RECORD = 6;
const PIECE_BYTES = 1024 * 1024;

/** Called with used clusters in ascending order; neighbours may come in several calls. */
type OnUsed = (firstCluster: number, clusters: number) => void;

/** Bytes of the volume: its sectors and the backup boot sector, as far as the device reaches. */
export function volumeEnd({ device, geometry }: NtfsSource): number {
  return Math.min(device.sizeBytes, geometry.volumeBytes + geometry.sectorBytes);
}

export async function readUsedMap(mft: Mft): Promise<UsedMap> {
  const { clusterBytes } = mft.source.geometry;
  const endBytes = volumeEnd(mft.source);
  const extents: Extent[] = [];
  let openFrom = 0;
  let openTo = 0;
  let usedBytes = 0;
  const close = () => {
    const end = Math.min(openTo * clusterBytes, endBytes);
    const offsetBytes = openFrom * clusterBytes;
    if (end <= offsetBytes) return;
    extents.push({ offsetBytes, lengthBytes: end - offsetBytes });
    usedBytes += end - offsetBytes;
  };
  const warnings = await scanUsed(mft, (firstCluster, clusters) => {
    if (firstCluster !== openTo) {
      close();
      openFrom = firstCluster;
    }
    openTo = firstCluster + clusters;
  });
  close();
  const vital = mft.vitalRuns().map(({ lcn, clusters }) => ({
    offsetBytes: lcn * clusterBytes,
    lengthBytes: Math.max(0, Math.min(clusters * clusterBytes, endBytes - lcn * clusterBytes)),
  }));
  const { device, geometry } = mft.source;
  if (geometry.volumeBytes > device.sizeBytes) {
    warnings.push(
      `The volume says it has ${geometry.volumeBytes} bytes, but its partition only ${device.sizeBytes}; the rest is missing.`,
    );
  }
  if (vital.every((extent) => isInside(extents, extent))) return { extents, usedBytes, warnings };
  const missing = subtractExtents(vital, extents);
  warnings.push(`$Bitmap calls ${sumBytes(missing)} bytes of the boot sector or $MFT free; they were taken as used.`);
  return { extents: mergeExtents([...extents, ...missing]), usedBytes: usedBytes + sumBytes(missing), warnings };
}

/** Whether `wanted` lies inside one of the sorted, merged `extents`. */
function isInside(extents: readonly Extent[], wanted: Extent): boolean {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((extents[middle]?.offsetBytes ?? 0) <= wanted.offsetBytes) low = middle + 1;
    else high = middle;
  }
  const found = extents[low - 1];
  const end = wanted.offsetBytes + wanted.lengthBytes;
  return wanted.lengthBytes === 0 || (found !== undefined && end <= found.offsetBytes + found.lengthBytes);
}

/** As `readUsedMap`, without keeping the extents: a large fragmented volume has millions. */
export async function countUsedBytes(mft: Mft): Promise<number> {
  const { clusterBytes } = mft.source.geometry;
  const endBytes = volumeEnd(mft.source);
  let usedBytes = 0;
  await scanUsed(mft, (firstCluster, clusters) => {
    const end = Math.min((firstCluster + clusters) * clusterBytes, endBytes);
    usedBytes += Math.max(0, end - firstCluster * clusterBytes);
  });
  return usedBytes;
}

async function scanUsed(mft: Mft, onUsed: OnUsed): Promise<string[]> {
  const { geometry } = mft.source;
  const allClusters = Math.ceil(volumeEnd(mft.source) / geometry.clusterBytes);
  const clusters = Math.min(geometry.clusterCount, allClusters);
  const warnings: string[] = [];
  let known = 0;
  const lost: string[] = [];
  try {
    const bitmap = await openBitmap(mft);
    const piece = new Uint32Array(PIECE_BYTES / 4);
    const read = (offset: number, target: Uint8Array) => bitmap.read(offset, target);
    const bitmapBytes = Math.min(bitmap.sizeBytes, Math.ceil(clusters / 8));
    for (let offset = 0; offset < bitmapBytes; offset += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, bitmapBytes - offset);
      const bytes = new Uint8Array(piece.buffer, 0, length);
      // Clusters nobody can read of are taken as used.
      for (const { from, reason } of await readSoundParts(read, { offsetBytes: offset, target: bytes, filler: 0xff })) {
        lost.push(`from cluster ${(offset + from) * 8}: ${reason}`);
      }
      if (length < PIECE_BYTES) new Uint8Array(piece.buffer).fill(0, length);
      const count = Math.min(length * 8, clusters - offset * 8);
      scanBits(piece, count, (first, run) => onUsed(offset * 8 + first, run));
      known += count;
    }
    if (lost.length > 0) {
      const places = lost.length === 1 ? 'a place' : `${lost.length} places`;
      warnings.push(`$Bitmap cannot be read in ${places}; what it says of there was taken as used (${lost[0]}).`);
    }
    if (known < clusters) warnings.push(`$Bitmap ends at cluster ${known} of ${clusters}; the rest was taken as used.`);
  } catch (error) {
    if (!isDamage(error)) throw error;
    warnings.push(`$Bitmap cannot be read from cluster ${known} on, so all from there was taken as used: ${error.message}`);
  }
  if (known < clusters) onUsed(known, clusters - known);
  if (geometry.clusterCount < allClusters) onUsed(geometry.clusterCount, allClusters - geometry.clusterCount);
  return warnings;
}

async function openBitmap(mft: Mft): Promise<FileReader> {
  const record = await mft.record(BITMAP_RECORD);
  const bitmap = record.inUse ? await mft.attribute(record, ATTRIBUTE.data) : null;
  if (bitmap === null) throw new FilesystemError('FS_DAMAGED', '$Bitmap has no content.');
  return openAttribute(mft, record, bitmap);
}

/** Calls `onUsed` for each run of set bits among the first `bits`; little-endian words, as on every machine Node runs on. */
export function scanBits(words: Uint32Array, bits: number, onUsed: OnUsed): void {
  let start = -1;
  for (let index = 0; index * 32 < bits; index++) {
    const word = words[index] ?? 0;
    const base = index * 32;
    if (word === (start < 0 ? 0 : 0xffffffff)) continue;
    let rest = word;
    let bit = 0;
    while (bit < 32) {
      // Looks for the next bit unlike the current state; `rest` holds the bits not yet passed, at the bottom.
      const wanted = start < 0 ? rest : ~rest;
      const step = wanted === 0 ? 32 : 31 - Math.clz32(wanted & -wanted);
      bit += step;
      if (bit >= 32) break;
      rest >>= step;
      if (start < 0) start = base + bit;
      else {
        if (start < bits) onUsed(start, Math.min(base + bit, bits) - start);
        start = -1;
      }
    }
  }
  if (start >= 0 && start < bits) onUsed(start, bits - start);
}
