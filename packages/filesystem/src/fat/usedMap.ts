/**
 * Which bytes of a FAT volume hold something: boot sectors, FATs and fixed root directory whole, then every cluster whose entry
 * is neither free nor marked bad, then the few sectors behind the last cluster. Lost chains (allocated, but in no directory) count
 * as used. The free count of FSInfo is only a hint to drivers and is not looked at.
 *
 * This equals what partclone.fat 0.3.23 takes, but for three things: it reads the 12-bit entries of a FAT12 as if they were 16
 * bits wide and so misses used clusters; it takes a FAT32 entry for used when only its four reserved bits are set; it looks at
 * the first copy of the FAT alone.
 */
import type { BlockDevice } from '@diskfleet/disk';
import type { UsedMap } from '../filesystem.ts';
import { MapBuilder } from '../mapBuilder.ts';
import { type LostPart, readSoundParts } from '../soundParts.ts';
import { entryFormat } from './fatEntries.ts';
import type { FatVolume } from './volume.ts';

const PIECE_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(PIECE_BYTES);

export interface FatUsedMap extends UsedMap {
  /** What entry 1 of the FAT says: unmounted cleanly, no hard errors. */
  readonly clean: boolean;
}

/** @param endBytes the volume's end on this device, which may be cut short */
export async function readUsedMap(volume: FatVolume, endBytes: number): Promise<FatUsedMap> {
  const { device, geometry } = volume;
  const format = entryFormat(geometry);
  const builder = new MapBuilder(endBytes);
  builder.add(0, geometry.dataOffsetBytes);
  const warnings: string[] = [];
  const copies =
    geometry.activeFat === null ? Array.from({ length: geometry.fatCount }, (_, index) => index) : [geometry.activeFat];
  const entryCount = geometry.clusterCount + 2;
  const perPiece = geometry.kind === 'fat12' ? entryCount : PIECE_BYTES / format.bytesFor(1);
  let differ = 0;
  let lostBytes = 0;
  let clean = true;
  for (let firstEntry = 0; firstEntry < entryCount; firstEntry += perPiece) {
    const count = Math.min(perPiece, entryCount - firstEntry);
    const offsetBytes = geometry.fatOffsetBytes + format.bytesFor(firstEntry);
    const places = copies.map((copy) => offsetBytes + copy * geometry.fatBytes);
    const { pieces, lost } = await readCopies(device, places, format.bytesFor(count));
    lostBytes += lost;
    const [first, ...others] = pieces;
    if (first === undefined) break;
    if (firstEntry === 0) clean = (format.get(first, 1) & format.cleanBits) === format.cleanBits;
    const rivals = others.filter((other) => !other.equals(first));
    if (rivals.length === 0 && first.equals(ZEROS.subarray(0, first.length))) continue;
    for (let index = Math.max(0, 2 - firstEntry); index < count; index += 1) {
      const value = format.get(first, index);
      let used = value !== 0 && value !== format.bad;
      for (const rival of rivals) {
        const other = format.get(rival, index);
        if (other === value) continue;
        differ += 1;
        used ||= other !== 0 && other !== format.bad;
      }
      if (used) builder.add(geometry.dataOffsetBytes + (firstEntry + index - 2) * geometry.clusterBytes, geometry.clusterBytes);
    }
  }
  if (lostBytes > 0) {
    warnings.push(`${lostBytes} bytes of the FAT cannot be read; what no copy of it can tell is taken.`);
  }
  if (differ > 0) warnings.push(`The copies of the FAT differ in ${differ} entries; what any of them calls used is taken.`);
  const clustersEndBytes = geometry.dataOffsetBytes + geometry.clusterCount * geometry.clusterBytes;
  builder.add(clustersEndBytes, Math.max(0, endBytes - clustersEndBytes));
  return { ...builder.finish(warnings), warnings, clean: clean && lostBytes === 0 };
}

/** The same piece of every copy. What one cannot give another does; what none can is the end of a chain in all: in use. */
async function readCopies(
  device: BlockDevice,
  places: readonly number[],
  lengthBytes: number,
): Promise<{ pieces: Buffer[]; lost: number }> {
  const read = (at: number, part: Uint8Array) => device.read(at, part);
  const pieces: Buffer[] = [];
  const gaps: LostPart[][] = [];
  for (const offsetBytes of places) {
    const target = Buffer.alloc(lengthBytes);
    gaps.push(await readSoundParts(read, { offsetBytes, target, filler: 0xff }));
    pieces.push(target);
  }
  let lost = 0;
  for (const [index, piece] of pieces.entries()) {
    for (const { from, lengthBytes: partBytes } of gaps[index] ?? []) {
      lost += partBytes;
      const whole = pieces.find((_, other) => !(gaps[other] ?? []).some((gap) => gap.from === from));
      whole?.copy(piece, from, from, from + partBytes);
    }
  }
  return { pieces, lost };
}
