/**
 * The label of an LVM2 physical volume (lvm2 lib/label/label.h, lib/format_text/layout.h): one sector of 512 bytes, whatever the disk's
 * sectors are, in any of the first four.
 *
 * | 0 | 8 | LABELONE | 8 | 8 | sector | 16 | 4 | CRC from 20 on | 20 | 4 | where the PV header begins | 24 | 8 | LVM2 001 |
 *
 * PV header: | 0 | 32 | uuid | 32 | 8 | bytes of the device | 40 | | areas for data, then areas for metadata | then | 4 | version |
 * | 4 | flags |, and from version 1 on the areas for a boot loader. A list of areas is pairs of offset and size in bytes, 8 each,
 * behind which stands a pair with offset 0.
 */
import { crc32 } from 'node:zlib';
import type { BlockDevice, Extent } from '@diskfleet/disk';
import { readBytes } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';

export const LABEL_MAGIC = 'LABELONE';
export const LABEL_PLACES_BYTES = [0, 512, 1024, 1536];
const LABEL_BYTES = 512;
const CHECKED_FROM = 20;
const LAST_VERSION_KNOWN = 2;

export interface PvHeader {
  /** As LVM prints it: `MjnmRZ-d1UC-D08B-MG0h-YIwq-PKaP-Rqlzbh`. */
  readonly uuid: string;
  readonly deviceBytes: number;
  /** A length of 0 means: to the end. */
  readonly dataAreas: readonly Extent[];
  readonly metadataAreas: readonly Extent[];
  readonly bootAreas: readonly Extent[];
}

/** The usual CRC-32 with a start of its own and not inverted at the end. */
export function lvmChecksum(...parts: readonly Uint8Array[]): number {
  let sum = ~0xf597a6cf >>> 0;
  for (const part of parts) sum = crc32(part, sum);
  return ~sum >>> 0;
}

/**
 * @param sector 512 bytes at `atBytes` of the volume
 * @returns null when they are no label, or one that does not check
 * @throws FilesystemError `FS_DAMAGED` when a label that checks says what cannot be
 */
export function parseLabel(sector: ByteReader, atBytes: number): PvHeader | null {
  const text = (at: number, length: number) => sector.slice(at, length).toString('latin1');
  if (text(0, 8) !== LABEL_MAGIC || text(24, 8) !== 'LVM2 001' || sector.u64big(8) !== BigInt(atBytes / LABEL_BYTES)) return null;
  if (sector.u32(16) !== lvmChecksum(sector.slice(CHECKED_FROM, LABEL_BYTES - CHECKED_FROM))) return null;
  const start = sector.u32(20);
  const data = readAreas(sector, start + 40);
  const metadata = readAreas(sector, data.end);
  // Before version 1 there are zeros.
  const version = metadata.end + 8 <= LABEL_BYTES ? sector.u32(metadata.end) : 0;
  const boot = version >= 1 && version <= LAST_VERSION_KNOWN ? readAreas(sector, metadata.end + 8).areas : [];
  return {
    uuid: formatId(text(start, 32)),
    deviceBytes: sector.u64(start + 32),
    dataAreas: data.areas,
    metadataAreas: metadata.areas,
    bootAreas: boot,
  };
}

/** The first sector that is a label, or null. @throws DiskError */
export async function readLabel(device: BlockDevice): Promise<PvHeader | null> {
  for (const atBytes of LABEL_PLACES_BYTES) {
    if (atBytes + LABEL_BYTES > device.sizeBytes) return null;
    const header = parseLabel(new ByteReader(await readBytes(device, atBytes, LABEL_BYTES), 'the label of LVM'), atBytes);
    if (header !== null) return header;
  }
  return null;
}

function formatId(id: string): string {
  return id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}

/** Ends by itself: the list cannot leave the sector. */
function readAreas(sector: ByteReader, start: number): { areas: Extent[]; end: number } {
  const areas: Extent[] = [];
  let at = start;
  for (; sector.u64(at) !== 0; at += 16) areas.push({ offsetBytes: sector.u64(at), lengthBytes: sector.u64(at + 8) });
  return { areas, end: at + 16 };
}
