/**
 * Chunks: which bytes of this device stand for which logical addresses. A chunk has one stripe (single), several equal ones (DUP,
 * RAID1…) or spreads its content over stripes in pieces of 64 KiB (RAID0, 10, 5, 6). Only the stripes on this device count here:
 * what lies on others cannot be read, but what lies here is known.
 * Layout: btrfs documentation "On-disk Format", chapter Chunk; order of stripes as in the kernel's volumes.c.
 */
import type { Extent } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { itemType } from './treeNode.ts';

const stripeUnitBytes = 65536;
/** 4 EiB of the largest chunks there are. */
const mostChunks = 1_000_000;

const raid = { zero: 0x8, ten: 0x40, five: 0x80, six: 0x100 };
const striped = raid.zero | raid.ten | raid.five | raid.six;

export interface Chunk {
  readonly logical: number;
  readonly lengthBytes: number;
  readonly profile: number;
  /** All stripes in order; null in place of those on other devices. */
  readonly stripeOffsets: readonly (number | null)[];
  /** Stripes that hold different content at the same time; 1 unless striped. */
  readonly dataStripes: number;
  /** Copies of each piece in RAID10, else 1. */
  readonly subStripes: number;
}

/** A run of logical bytes that is contiguous on this device, at each of `copies` (empty: on other devices only). */
export interface Place {
  readonly lengthBytes: number;
  readonly copies: readonly number[];
}

export interface DeviceShape {
  readonly deviceId: number;
  readonly deviceBytes: number;
}

/** Bytes of each stripe. */
function stripeBytes(chunk: Chunk): number {
  return Math.floor(chunk.lengthBytes / chunk.dataStripes);
}

/** @throws FilesystemError `FS_DAMAGED` for a chunk that makes no sense or leaves the device. */
export function parseChunk(logical: number, raw: ByteReader, device: DeviceShape): Chunk {
  const count = raw.u16(44);
  const profile = raw.u32(24) & 0x7f8;
  const subStripes = (profile & raid.ten) !== 0 ? raw.u16(46) : 1;
  const stripeOffsets: (number | null)[] = [];
  for (let index = 0; index < count; index++) {
    const at = 48 + index * 32;
    stripeOffsets.push(raw.u64(at) === device.deviceId ? raw.u64(at + 8) : null);
  }
  const parity = (profile & raid.five) !== 0 ? 1 : (profile & raid.six) !== 0 ? 2 : 0;
  const dataStripes = (profile & striped) === 0 ? 1 : (count - parity) / subStripes;
  const chunk: Chunk = { logical, lengthBytes: raw.u64(0), profile, stripeOffsets, dataStripes, subStripes };
  const shaped = count > 0 && chunk.lengthBytes > 0 && raw.u64(16) === stripeUnitBytes && Number.isSafeInteger(endOf(chunk));
  if (!shaped || !Number.isInteger(dataStripes) || dataStripes < 1) {
    throw new FilesystemError('FS_DAMAGED', 'a chunk of this volume has an impossible shape');
  }
  if (stripeOffsets.some((offset) => offset !== null && offset + stripeBytes(chunk) > device.deviceBytes)) {
    throw new FilesystemError('FS_DAMAGED', 'a chunk of this volume lies outside it');
  }
  return chunk;
}

export function endOf(chunk: Chunk): number {
  return chunk.logical + chunk.lengthBytes;
}

/** The few chunks the superblock itself carries: those in which the chunk tree lies. */
export function parseSystemChunks(array: Buffer, device: DeviceShape): ChunkMap {
  const raw = new ByteReader(array, 'the system chunk array');
  const chunks: Chunk[] = [];
  for (let at = 0; at < array.length; ) {
    if (raw.u8(at + 8) !== itemType.chunk) throw new FilesystemError('FS_DAMAGED', 'the system chunk array holds no chunk');
    const lengthBytes = 48 + raw.u16(at + 17 + 44) * 32;
    chunks.push(parseChunk(raw.u64(at + 9), new ByteReader(raw.slice(at + 17, lengthBytes), raw.what), device));
    at += 17 + lengthBytes;
  }
  return new ChunkMap(chunks);
}

/** All chunks, sorted by logical address. */
export class ChunkMap {
  readonly chunks: readonly Chunk[];

  /** @throws FilesystemError `FS_DAMAGED` when two chunks claim the same address. */
  constructor(chunks: readonly Chunk[]) {
    if (chunks.length > mostChunks) throw new FilesystemError('FS_TOO_LARGE', `the volume has more than ${mostChunks} chunks`);
    this.chunks = [...chunks].sort((a, b) => a.logical - b.logical);
    let end = 0;
    for (const chunk of this.chunks) {
      if (chunk.logical < end) throw new FilesystemError('FS_DAMAGED', 'two chunks of this volume claim the same addresses');
      end = endOf(chunk);
    }
  }

  /** Index of the chunk that holds `logical`, or of the first behind it. */
  indexFor(logical: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.chunks[middle];
      if (chunk && endOf(chunk) <= logical) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the bytes from `logical` on lie, as far as they are contiguous. @throws FilesystemError `FS_DAMAGED` when nowhere. */
  place(logical: number, what: string): Place {
    const chunk = this.chunks[this.indexFor(logical)];
    if (!chunk || !(logical >= chunk.logical)) {
      throw new FilesystemError('FS_DAMAGED', `${what} points to address ${logical}, which no chunk holds`);
    }
    return placeIn(chunk, logical - chunk.logical);
  }
}

function placeIn(chunk: Chunk, at: number): Place {
  const { profile, stripeOffsets, dataStripes, subStripes } = chunk;
  const copiesOf = (stripes: readonly (number | null)[], offset: number) =>
    stripes.filter((stripe) => stripe !== null).map((stripe) => stripe + offset);
  if ((profile & striped) === 0) return { lengthBytes: chunk.lengthBytes - at, copies: copiesOf(stripeOffsets, at) };
  const unit = Math.floor(at / stripeUnitBytes);
  const inside = at - unit * stripeUnitBytes;
  const row = Math.floor(unit / dataStripes);
  const column = unit % dataStripes;
  // RAID5 and 6 move every row one stripe further, so that parity is spread over all devices.
  const rotates = (profile & (raid.five | raid.six)) !== 0;
  const first = rotates ? (row + column) % stripeOffsets.length : column * subStripes;
  const lengthBytes = Math.min(stripeUnitBytes - inside, chunk.lengthBytes - at);
  return { lengthBytes, copies: copiesOf(stripeOffsets.slice(first, first + subStripes), row * stripeUnitBytes + inside) };
}

/**
 * The bytes of this device that stand for `lengthBytes` of a chunk from its `from`-th byte on, every copy of them. In striped chunks
 * whole rows are named: their parity belongs to all of the row.
 */
export function physicalExtents(chunk: Chunk, from: number, lengthBytes: number): Extent[] {
  const rows = (chunk.profile & striped) !== 0;
  const rowBytes = chunk.dataStripes * stripeUnitBytes;
  const start = rows ? Math.floor(from / rowBytes) * stripeUnitBytes : from;
  const end = rows ? Math.ceil((from + lengthBytes) / rowBytes) * stripeUnitBytes : from + lengthBytes;
  const cut = Math.min(end, stripeBytes(chunk));
  const extents: Extent[] = [];
  for (const offset of chunk.stripeOffsets) {
    if (offset !== null && cut > start) extents.push({ offsetBytes: offset + start, lengthBytes: cut - start });
  }
  return extents;
}
