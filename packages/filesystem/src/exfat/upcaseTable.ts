/**
 * The volume's own idea of capital letters, one UTF-16 unit at a time. Stored as the capital of unit 0, 1, 2…; FFFF followed by
 * a count stands for that many units that are their own capitals. Source: exFAT specification, 7.2.
 */
import { tableChecksum } from './checksums.ts';

const UNITS = 0x10000;
/** An uncompressed table; compressed ones are smaller. */
export const MAX_TABLE_BYTES = UNITS * 2;

export interface UpcaseTable {
  /** The capitals of a name: two names are the same when theirs are. */
  readonly upcase: (name: string) => string;
}

/** What most volumes say, for those whose table is damaged. */
export const usualUpcaseTable: UpcaseTable = {
  upcase: (name) =>
    mapUnits(name, (unit) => {
      const capital = String.fromCharCode(unit).toUpperCase();
      return capital.length === 1 ? capital.charCodeAt(0) : unit;
    }),
};

/** @returns null when the table is damaged */
export function decodeUpcaseTable(bytes: Buffer, checksum: number): UpcaseTable | null {
  if (bytes.length === 0 || bytes.length % 2 !== 0 || tableChecksum(bytes) !== checksum) return null;
  const capitals = Uint16Array.from({ length: UNITS }, (_, unit) => unit);
  let unit = 0;
  for (let at = 0; at < bytes.length && unit < UNITS; at += 2) {
    const value = bytes.readUInt16LE(at);
    if (value === 0xffff && at + 2 < bytes.length) {
      at += 2;
      unit += bytes.readUInt16LE(at);
    } else {
      capitals[unit] = value;
      unit += 1;
    }
  }
  return { upcase: (name) => mapUnits(name, (given) => capitals[given] ?? given) };
}

function mapUnits(name: string, capital: (unit: number) => number): string {
  let text = '';
  for (let at = 0; at < name.length; at += 1) text += String.fromCharCode(capital(name.charCodeAt(at)));
  return text;
}
