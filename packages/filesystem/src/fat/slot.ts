/**
 * A 32-byte slot of a directory.
 *
 * | at | bytes | short entry |          | at | bytes | piece of a long name |
 * | 0  | 11 | 8.3 name, space-padded |  | 0  | 1  | order, 0x40 on the last piece (which comes first) |
 * | 11 | 1  | attributes |              | 1  | 10 | 5 UTF-16 units |
 * | 12 | 1  | 08: base, 10: extension in lower case | 11 | 1 | 0F |
 * | 20 | 2  | first cluster, high (FAT32) | 13 | 1 | checksum of the 8.3 name |
 * | 22 | 2  | time |                    | 14 | 12 | 6 units |
 * | 24 | 2  | date |                    | 26 | 2  | 0 |
 * | 26 | 2  | first cluster, low |      | 28 | 4  | 2 units |
 * | 28 | 4  | size |
 */
import { decodeCodepage437 } from './codepage437.ts';

export const SLOT_BYTES = 32;
const SHORT_NAME_BYTES = 11;

const ATTRIBUTE_LABEL = 0x08;
const ATTRIBUTE_DIRECTORY = 0x10;
const ATTRIBUTE_LONG_NAME = 0x0f;

export type SlotKind = 'end' | 'deleted' | 'longName' | 'label' | 'dot' | 'entry';

/** @param slot exactly 32 bytes */
export function slotKind(slot: Buffer): SlotKind {
  const [first, attributes] = [slot.readUInt8(0), slot.readUInt8(11)];
  if (first === 0) return 'end';
  if (first === 0xe5) return 'deleted';
  if ((attributes & 0x3f) === ATTRIBUTE_LONG_NAME) return 'longName';
  if (attributes & ATTRIBUTE_LABEL) return 'label';
  const name = slot.toString('latin1', 0, SHORT_NAME_BYTES).trimEnd();
  return name === '.' || name === '..' ? 'dot' : 'entry';
}

export function isDirectorySlot(slot: Buffer): boolean {
  return (slot.readUInt8(11) & ATTRIBUTE_DIRECTORY) !== 0;
}

/** @param wide FAT32, where the cluster's upper half is valid (OS/2 kept something else there) */
export function slotFirstCluster(slot: Buffer, wide: boolean): number {
  return slot.readUInt16LE(26) + (wide ? slot.readUInt16LE(20) * 0x10000 : 0);
}

export function slotSizeBytes(slot: Buffer): number {
  return slot.readUInt32LE(28);
}

/** Local time of whoever wrote it, which the volume does not name: taken as UTC. Null when it is no date. */
export function slotModifiedAtMs(slot: Buffer): number | null {
  const [time, date] = [slot.readUInt16LE(22), slot.readUInt16LE(24)];
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  const [hours, minutes, seconds] = [time >> 11, (time >> 5) & 63, (time & 31) * 2];
  if (month < 1 || month > 12 || day < 1 || hours > 23 || minutes > 59 || seconds > 59) return null;
  const at = new Date(Date.UTC(year, month - 1, day, hours, minutes, seconds));
  return at.getUTCDate() === day ? at.getTime() : null;
}

/** The label of a volume: 11 characters without an extension. */
export function decodeLabel(bytes: Buffer): string {
  const label = decodeCodepage437(bytes).replaceAll('\0', ' ').trimEnd();
  return label === 'NO NAME' ? '' : label;
}

export interface SlotName {
  readonly name: string;
  readonly bytes: Buffer;
}

export function decodeShortName(slot: Buffer): SlotName {
  const raw = Buffer.from(slot.subarray(0, SHORT_NAME_BYTES));
  // E5 marks a deleted slot, so a name that begins with that byte has 05 instead.
  if (raw.readUInt8(0) === 0x05) raw.writeUInt8(0xe5, 0);
  const part = (from: number, to: number): Buffer => {
    let end = to;
    while (end > from && raw.readUInt8(end - 1) === 0x20) end -= 1;
    return raw.subarray(from, end);
  };
  const [base, extension] = [part(0, 8), part(8, 11)];
  const flags = slot.readUInt8(12);
  const text = (bytes: Buffer, lower: boolean) => (lower ? decodeCodepage437(bytes).toLowerCase() : decodeCodepage437(bytes));
  const shown = [text(base, (flags & 0x08) !== 0), ...(extension.length > 0 ? [text(extension, (flags & 0x10) !== 0)] : [])];
  const bytes = extension.length > 0 ? Buffer.concat([base, Buffer.from('.'), extension]) : base;
  return { name: cleanName(shown.join('.')), bytes: bytes.length > 0 ? bytes : raw };
}

/** Names must be one component of a path whatever the disk says. */
function cleanName(text: string): string {
  const name = text.toWellFormed().replaceAll(/[/\0]/g, '\ufffd');
  return name === '' || name === '.' || name === '..' ? '\ufffd'.repeat(Math.max(1, name.length)) : name;
}

/** Collects the pieces of a long name, which stand before their short entry, last piece first. */
export class LongName {
  private pieces: Buffer[] = [];
  private expected = 0;
  private checksum = 0;

  add(slot: Buffer): void {
    const order = slot.readUInt8(0);
    const checksum = slot.readUInt8(13);
    if (order & 0x40) {
      const count = order & 0x3f;
      this.pieces = [];
      this.expected = count >= 1 && count <= 20 ? count : 0;
      this.checksum = checksum;
    } else if (order !== this.expected || checksum !== this.checksum) {
      this.clear();
    }
    if (this.expected === 0) return;
    this.pieces.unshift(Buffer.concat([slot.subarray(1, 11), slot.subarray(14, 26), slot.subarray(28, 32)]));
    this.expected -= 1;
  }

  clear(): void {
    this.pieces = [];
    this.expected = 0;
  }

  /** The long name of `short`, or null when there is none that belongs to it. Starts anew. */
  take(short: Buffer): SlotName | null {
    const pieces = this.pieces;
    const whole = pieces.length > 0 && this.expected === 0 && this.checksum === shortNameChecksum(short);
    this.clear();
    if (!whole) return null;
    const units = Buffer.concat(pieces);
    let end = 0;
    while (end < units.length && units.readUInt16LE(end) !== 0) end += 2;
    if (end === 0) return null;
    const bytes = units.subarray(0, end);
    return { name: cleanName(bytes.toString('utf16le')), bytes };
  }
}

/** Ties a long name to its short one: a program that knows only short names breaks the tie when it renames. */
function shortNameChecksum(slot: Buffer): number {
  let sum = 0;
  for (let at = 0; at < SHORT_NAME_BYTES; at += 1) sum = (((sum & 1) << 7) + (sum >> 1) + slot.readUInt8(at)) & 0xff;
  return sum;
}
