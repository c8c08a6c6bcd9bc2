/**
 * Which bytes of an exFAT volume hold something: everything before the cluster heap (both boot regions, FATs, the gaps between),
 * every cluster the allocation bitmap calls used, and the few sectors behind the last cluster. The bitmap alone says what is
 * used: the FAT is void for contiguous files. The per cent in use of the boot sector is a rounded hint and is not looked at.
 *
 * Taken whole, with a warning: the volume when there is no bitmap to be believed (none is named, its clusters are not there, or
 * it calls free what must be in use: its own clusters, the up-case table's, the root directory's), and the clusters a short
 * bitmap does not speak of. TexFAT has two bitmaps, of which one may lie in the past: what either calls used is taken.
 *
 * This equals what partclone.exfat 0.3.23 takes, but for the sectors behind the last cluster, which it leaves out.
 */
import type { Chain } from '../clusterChain.ts';
import type { UsedMap } from '../filesystem.ts';
import { MapBuilder } from '../mapBuilder.ts';
import { isDamage, readSoundParts } from '../soundParts.ts';
import { rootChain } from './directory.ts';
import type { RootDirectory } from './rootDirectory.ts';
import type { ExfatVolume } from './volume.ts';

const PIECE_BYTES = 1 << 20;

/** @param endBytes the volume's end on this device, which may be cut short */
export async function readUsedMap(volume: ExfatVolume, root: RootDirectory, endBytes: number): Promise<UsedMap> {
  const warnings: string[] = [];
  if (root.damage !== null) warnings.push(`The root directory is damaged: ${root.damage}`);
  const map = await fromBitmap(volume, root, { endBytes, warnings }).catch((error: unknown) => {
    if (isDamage(error)) return `The allocation bitmap cannot be read: ${error.message}`;
    throw error;
  });
  if (typeof map !== 'string') return { ...map, warnings };
  warnings.push(`${map}; the volume is taken whole.`);
  return { extents: [{ offsetBytes: 0, lengthBytes: endBytes }], usedBytes: endBytes, warnings };
}

interface Limits {
  readonly endBytes: number;
  readonly warnings: string[];
}

type Built = Omit<UsedMap, 'warnings'>;

/** @returns why the bitmap cannot be believed, when it cannot */
async function fromBitmap(volume: ExfatVolume, root: RootDirectory, { endBytes, warnings }: Limits): Promise<Built | string> {
  const { geometry } = volume;
  const reachable = Math.max(0, Math.floor((endBytes - geometry.dataOffsetBytes) / geometry.clusterBytes));
  const clusterCount = Math.min(geometry.clusterCount, reachable);
  const chains: Chain[] = [];
  for (const { firstCluster, lengthBytes } of root.bitmaps) {
    const heldBytes = Math.min(lengthBytes, Math.ceil(geometry.clusterCount / 8));
    const chain = await volume.locate(firstCluster, heldBytes, false);
    if (chain.end !== 'whole' || chain.clusterCount * geometry.clusterBytes < heldBytes)
      return 'The cluster chain of the allocation bitmap is damaged';
    chains.push(chain);
  }
  const spokenOf = Math.min(clusterCount, ...root.bitmaps.map(({ lengthBytes }) => lengthBytes * 8));
  if (chains.length === 0) return 'There is no allocation bitmap';
  const required = await clustersInUse(volume, root, clusterCount);
  const builder = new MapBuilder(endBytes);
  builder.add(0, geometry.dataOffsetBytes);
  let lostBytes = 0;
  for (let first = 0; first < spokenOf; first += PIECE_BYTES * 8) {
    const count = Math.min(PIECE_BYTES * 8, spokenOf - first);
    const { bits, lost } = await readBits(volume, chains, { firstByte: first / 8, bytes: Math.ceil(count / 8) });
    lostBytes += lost;
    const free = required.find((index) => index >= first && index < first + count && !isSet(bits, index - first));
    if (free !== undefined) return 'The allocation bitmap calls clusters free that are in use';
    addSetBits(builder, bits, { first, count, geometry });
  }
  if (lostBytes > 0) {
    warnings.push(`${lostBytes} bytes of the allocation bitmap cannot be read; the clusters they speak of are taken.`);
  }
  if (spokenOf < clusterCount) {
    warnings.push(`The allocation bitmap is short; the last ${clusterCount - spokenOf} clusters are taken whole.`);
  }
  const restBytes = geometry.dataOffsetBytes + spokenOf * geometry.clusterBytes;
  const tailBytes = geometry.dataOffsetBytes + geometry.clusterCount * geometry.clusterBytes;
  const behind = spokenOf < clusterCount || reachable < geometry.clusterCount ? restBytes : tailBytes;
  builder.add(behind, Math.max(0, endBytes - behind));
  return builder.finish(warnings);
}

/** Clusters (0 = the first) that are in use for certain: those of the bitmaps, the up-case table and the root directory. */
async function clustersInUse(volume: ExfatVolume, root: RootDirectory, clusterCount: number): Promise<number[]> {
  const chains = [await rootChain(volume)];
  for (const { firstCluster, lengthBytes } of [...root.bitmaps, ...(root.upcase === null ? [] : [root.upcase])]) {
    chains.push(await volume.locate(firstCluster, Math.min(lengthBytes, PIECE_BYTES), false));
  }
  const clusters: number[] = [];
  for (const { at, start, clusterCount: length } of chains) {
    for (const [run, first] of start.entries()) {
      const end = first + (at[run + 1] ?? length) - (at[run] ?? 0);
      for (let cluster = first; cluster < end; cluster += 1) clusters.push(cluster - 2);
    }
  }
  return clusters.filter((index) => index < clusterCount);
}

/** The same piece of every bitmap, one laid over the other; ones, and counted, where one cannot be read. */
async function readBits(
  volume: ExfatVolume,
  chains: readonly Chain[],
  piece: { firstByte: number; bytes: number },
): Promise<{ bits: Buffer; lost: number }> {
  const bits = Buffer.alloc(piece.bytes);
  let lost = 0;
  for (const [index, chain] of chains.entries()) {
    const own = index === 0 ? bits : Buffer.alloc(piece.bytes);
    const read = (offsetBytes: number, target: Uint8Array) => volume.read(chain, offsetBytes, target);
    for (const part of await readSoundParts(read, { offsetBytes: piece.firstByte, target: own, filler: 0xff })) {
      lost += part.lengthBytes;
    }
    if (index > 0) for (const [at, byte] of own.entries()) bits[at] = (bits[at] ?? 0) | byte;
  }
  return { bits, lost };
}

function isSet(bits: Buffer, index: number): boolean {
  return (bits.readUInt8(index >> 3) & (1 << (index & 7))) !== 0;
}

function addSetBits(
  builder: MapBuilder,
  bits: Buffer,
  options: { first: number; count: number; geometry: ExfatVolume['geometry'] },
): void {
  const { first, count } = options;
  const { dataOffsetBytes, clusterBytes } = options.geometry;
  for (let index = 0; index < count; index += 1) {
    const byte = bits.readUInt8(index >> 3);
    const whole = (index & 7) === 0 && index + 8 <= count;
    if (whole && byte === 0) {
      index += 7;
    } else if (whole && byte === 0xff) {
      builder.add(dataOffsetBytes + (first + index) * clusterBytes, 8 * clusterBytes);
      index += 7;
    } else if (byte & (1 << (index & 7))) {
      builder.add(dataOffsetBytes + (first + index) * clusterBytes, clusterBytes);
    }
  }
}
