/** What the root directory says of the volume: its label, its allocation bitmaps, its up-case table. */
import { isDamage } from '../soundParts.ts';
import { readSets, rootChain } from './directory.ts';
import { decodeLabel, SLOT } from './slotSet.ts';
import { decodeUpcaseTable, MAX_TABLE_BYTES, type UpcaseTable, usualUpcaseTable } from './upcaseTable.ts';
import type { ExfatVolume } from './volume.ts';

/** A stretch of clusters the root directory names. */
export interface Allocation {
  readonly firstCluster: number;
  readonly lengthBytes: number;
}

export interface RootDirectory {
  readonly label: string;
  /** One, or two with TexFAT. */
  readonly bitmaps: readonly Allocation[];
  readonly upcase: Allocation | null;
  readonly upcaseTable: UpcaseTable;
  /** What is wrong with it, for people; null when nothing is. */
  readonly damage: string | null;
}

/** Never fails on damage, of the medium either: a volume must be backed up all the same. */
export async function readRootDirectory(volume: ExfatVolume): Promise<RootDirectory> {
  const bitmaps: Allocation[] = [];
  let [label, checksum] = ['', 0];
  let upcase: Allocation | null = null;
  let damage: string | null = null;
  try {
    for await (const { bytes: slot } of readSets(volume, await rootChain(volume))) {
      const type = slot.readUInt8(0);
      if (type === SLOT.label) label = decodeLabel(slot);
      else if (type === SLOT.bitmap && bitmaps.length < volume.geometry.fatCount) bitmaps.push(allocation(slot));
      else if (type === SLOT.upcase && upcase === null) {
        upcase = allocation(slot);
        checksum = slot.readUInt32LE(4);
      }
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    damage = error.message;
  }
  const upcaseTable = upcase === null ? null : await readUpcaseTable(volume, upcase, checksum);
  return { label, bitmaps, upcase, upcaseTable: upcaseTable ?? usualUpcaseTable, damage };
}

function allocation(slot: Buffer): Allocation {
  const length = slot.readBigUInt64LE(24);
  return {
    firstCluster: slot.readUInt32LE(20),
    lengthBytes: length > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(length),
  };
}

async function readUpcaseTable(volume: ExfatVolume, place: Allocation, checksum: number): Promise<UpcaseTable | null> {
  if (place.lengthBytes === 0 || place.lengthBytes > MAX_TABLE_BYTES) return null;
  const bytes = Buffer.alloc(place.lengthBytes);
  try {
    const chain = await volume.locate(place.firstCluster, place.lengthBytes, false);
    if (chain.clusterCount * volume.geometry.clusterBytes < place.lengthBytes) return null;
    await volume.read(chain, 0, bytes);
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
  return decodeUpcaseTable(bytes, checksum);
}
