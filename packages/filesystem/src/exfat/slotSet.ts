/**
 * Directory slots of 32 bytes. A file is a set of them: one file slot, one stream slot, then its name 15 units at a time.
 * The upper bit of a slot's type says "in use"; deleted sets have it cleared. Source: exFAT specification, 6 and 7.
 *
 * | at | bytes | 85 file |                    | at | bytes | C0 stream |               | at | bytes | C1 name |
 * | 1  | 1 | slots that follow |              | 1  | 1 | 2: contiguous, the FAT is void | 2  | 30 | 15 UTF-16 units |
 * | 2  | 2 | checksum of the set |            | 3  | 1 | length of the name in units
 * | 4  | 2 | attributes, 10: folder |         | 4  | 2 | hash of the name in capitals
 * | 8  | 4 | created |                        | 8  | 8 | valid bytes; behind them it reads as zero
 * | 12 | 4 | modified |                       | 20 | 4 | first cluster
 * | 21 | 1 | modified, 10 ms |                | 24 | 8 | size
 * | 23 | 1 | modified, UTC offset |
 */
import { nameHash, setChecksum } from './checksums.ts';
import type { UpcaseTable } from './upcaseTable.ts';

export const SLOT_BYTES = 32;

export const SLOT = { end: 0x00, bitmap: 0x81, upcase: 0x82, label: 0x83, file: 0x85, stream: 0xc0, name: 0xc1 } as const;

const UNITS_PER_SLOT = 15;
const ATTRIBUTE_DIRECTORY = 0x10;
const FLAG_CONTIGUOUS = 0x02;

export interface FileSet {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly isDirectory: boolean;
  readonly modifiedAtMs: number | null;
  readonly firstCluster: number;
  /** Its clusters follow each other; the FAT says nothing of them. */
  readonly contiguous: boolean;
  readonly sizeBytes: number;
  readonly validBytes: number;
}

/** How many slots follow the file slot; outside 2 to 18 there is no whole set. */
export function secondaryCount(slot: Buffer): number {
  return slot.readUInt8(1);
}

/**
 * @param set the file slot and all that follow it
 * @returns null when it is no whole set, or when neither its checksum nor the hash of its name holds: then a chance pattern or
 *   a mixture of two files is as likely as a damaged date
 */
export function decodeSet(set: Buffer, { upcase }: UpcaseTable): FileSet | null {
  const stream = set.subarray(SLOT_BYTES, 2 * SLOT_BYTES);
  if (stream.length < SLOT_BYTES || stream.readUInt8(0) !== SLOT.stream) return null;
  const units = stream.readUInt8(3);
  const nameBytes = readName(set.subarray(2 * SLOT_BYTES), units);
  if (nameBytes === null) return null;
  const shown = nameBytes.toString('utf16le');
  const capitals = Buffer.from(upcase(shown), 'utf16le');
  if (setChecksum(set) !== set.readUInt16LE(2) && nameHash(capitals) !== stream.readUInt16LE(4)) return null;
  const isDirectory = (set.readUInt16LE(4) & ATTRIBUTE_DIRECTORY) !== 0;
  const [sizeBytes, validBytes] = [stream.readBigUInt64LE(24), stream.readBigUInt64LE(8)];
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return {
    name: cleanName(shown),
    nameBytes,
    isDirectory,
    modifiedAtMs: decodeTime(set.readUInt32LE(12), set.readUInt8(21), set.readUInt8(23)),
    firstCluster: stream.readUInt32LE(20),
    contiguous: (stream.readUInt8(1) & FLAG_CONTIGUOUS) !== 0,
    sizeBytes: Number(sizeBytes),
    validBytes: Math.min(Number(validBytes), Number(sizeBytes)),
  };
}

function readName(slots: Buffer, units: number): Buffer | null {
  const count = Math.ceil(units / UNITS_PER_SLOT);
  if (units === 0 || slots.length < count * SLOT_BYTES) return null;
  const pieces: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const slot = slots.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
    if (slot.readUInt8(0) !== SLOT.name) return null;
    pieces.push(slot.subarray(2));
  }
  return Buffer.concat(pieces).subarray(0, units * 2);
}

/** Names must be one component of a path whatever the disk says. */
function cleanName(text: string): string {
  const name = text.toWellFormed().replaceAll(/[/\0]/g, '\ufffd');
  return name === '.' || name === '..' ? '\ufffd'.repeat(name.length) : name;
}

/**
 * | bits | 0-4 seconds / 2 | 5-10 minutes | 11-15 hours | 16-20 day | 21-24 month | 25-31 year - 1980 |
 *
 * @param hundredths 0 to 199, to be added
 * @param offset quarters of an hour east of UTC in 7 bits, valid when the upper bit is set; without it the time is some local
 *   one the volume does not name, and is taken as UTC
 * @returns null when it is no date
 */
export function decodeTime(stamp: number, hundredths: number, offset: number): number | null {
  const [year, month, day] = [1980 + (stamp >>> 25), (stamp >>> 21) & 15, (stamp >>> 16) & 31];
  const [hours, minutes, seconds] = [(stamp >>> 11) & 31, (stamp >>> 5) & 63, (stamp & 31) * 2];
  if (month < 1 || month > 12 || day < 1 || hours > 23 || minutes > 59 || seconds > 59) return null;
  const at = new Date(Date.UTC(year, month - 1, day, hours, minutes, seconds));
  if (at.getUTCDate() !== day) return null;
  const quarters = offset & 0x80 ? ((offset & 0x7f) ^ 0x40) - 0x40 : 0;
  return at.getTime() + Math.min(hundredths, 199) * 10 - quarters * 15 * 60_000;
}

/** The volume's label: a count and up to 11 UTF-16 units. */
export function decodeLabel(slot: Buffer): string {
  const units = Math.min(slot.readUInt8(1), 11);
  return slot
    .toString('utf16le', 2, 2 + units * 2)
    .toWellFormed()
    .replaceAll('\0', '');
}
