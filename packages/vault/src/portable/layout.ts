/** [F31] [F32] Headers of parts, directory and footer of a portable file, in bytes. */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { VaultError } from '../errors.ts';
import { sha256 } from '../keys/derive.ts';
import { checkName } from '../stores/names.ts';

const version = 1;
export const partHeaderBytes = 64;
export const footerBytes = 88;
const idBytes = 16;
const smallestPartBytes = 4096;
const entryFixedBytes = 18;
/** More than two million packs; keeps a hostile file from eating the memory of whoever opens it. */
const largestDirectoryBytes = 1 << 28;

export interface PartHeader {
  readonly number: number;
  readonly fileId: Buffer;
  /** Size of every part but the last, or 0 when there is only one. */
  readonly partBytes: number;
}

export interface Footer {
  readonly objects: number;
  readonly directoryOffset: number;
  readonly directoryBytes: number;
  readonly streamBytes: number;
  readonly fileId: Buffer;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export function encodePartHeader({ number, fileId, partBytes }: PartHeader): Buffer {
  const out = new ByteWriter().text('DFFILE01').u16(version).u16(0).u32(number).raw(fileId).u64(partBytes).zeros(20);
  return Buffer.from(out.u32(crc32(out.bytes())).bytes());
}

/** @throws VaultError `PORTABLE_DAMAGED`, `VAULT_TOO_NEW`. */
export function decodePartHeader(bytes: Uint8Array, what: string): PartHeader {
  const reader = new ByteReader(bytes, what, 'PORTABLE_DAMAGED');
  reader.magic('DFFILE01');
  refuseNewer(reader);
  reader.zeros(2);
  const number = reader.u32();
  const fileId = Buffer.from(reader.take(idBytes));
  const partBytes = reader.u64();
  reader.zeros(20);
  if (reader.u32() !== crc32(reader.bytes.subarray(0, 60))) reader.fail('the checksum of its header does not match');
  reader.end();
  if (partBytes === 0 ? number !== 0 : partBytes < smallestPartBytes) reader.fail('its header contradicts itself');
  return { number, fileId, partBytes };
}

/** `entries` sorted by name. */
export function encodeDirectory(entries: readonly DirectoryEntry[]): Buffer {
  const out = new ByteWriter();
  for (const { name, offsetBytes, lengthBytes } of entries) {
    out.u16(name.length).text(name).u64(offsetBytes).u64(lengthBytes);
  }
  return Buffer.from(out.bytes());
}

export function encodeFooter(footer: Footer, directory: Uint8Array): Buffer {
  const out = new ByteWriter().text('DFFOOT01').u16(version).u16(0).u32(footer.objects);
  out.u64(footer.directoryOffset).u64(footer.directoryBytes).u64(footer.streamBytes).raw(footer.fileId);
  return Buffer.from(out.raw(sha256(directory, out.bytes())).bytes());
}

/** Null when these bytes are no footer at all: then the end of the file is missing. @throws VaultError `PORTABLE_DAMAGED`, `VAULT_TOO_NEW`. */
export function decodeFooter(bytes: Uint8Array, what: string): Footer | null {
  const reader = new ByteReader(bytes, `the footer of ${what}`, 'PORTABLE_DAMAGED');
  if (reader.take(8).toString('latin1') !== 'DFFOOT01') return null;
  refuseNewer(reader);
  reader.zeros(2);
  const objects = reader.u32();
  const directoryOffset = reader.u64();
  const directoryBytes = reader.u64();
  const streamBytes = reader.u64();
  const fileId = Buffer.from(reader.take(idBytes));
  if (directoryOffset + directoryBytes + footerBytes !== streamBytes) reader.fail('its lengths do not add up');
  if (directoryBytes > largestDirectoryBytes) reader.fail('its directory is absurdly large');
  if (objects * entryFixedBytes > directoryBytes) reader.fail('it counts more objects than its directory can hold');
  return { objects, directoryOffset, directoryBytes, streamBytes, fileId };
}

function refuseNewer(reader: ByteReader): void {
  const found = reader.u16();
  if (found > version) {
    const text = `${reader.what} has version ${found}; this program reads version ${version}: update Diskfleet`;
    throw new VaultError('VAULT_TOO_NEW', text);
  }
  if (found !== version) reader.fail(`its version is ${found}`);
}

/** Objects by name, in the bytes of the directory itself: 20 bytes more an object. */
export class Directory {
  private readonly bytes: Buffer;
  private readonly starts: Uint32Array;

  /** @throws VaultError `PORTABLE_DAMAGED` unless hash, order, names and places are all as [F32] wants them. */
  constructor(bytes: Buffer, footer: Footer, source: { footerBytes: Buffer; what: string }) {
    const reader = new ByteReader(bytes, `the directory of ${source.what}`, 'PORTABLE_DAMAGED');
    const hash = sha256(bytes, source.footerBytes.subarray(0, 56));
    if (!hash.equals(source.footerBytes.subarray(56))) reader.fail('its checksum does not match');
    this.bytes = bytes;
    this.starts = new Uint32Array(footer.objects);
    let before = '';
    for (let at = 0; at < footer.objects; at += 1) {
      this.starts[at] = reader.position;
      const name = reader.take(reader.u16()).toString('latin1');
      if (!isName(name)) reader.fail(`object ${at} has no object name`);
      if (at > 0 && name <= before) reader.fail(`${name} is out of order`);
      before = name;
      reader.u64();
      reader.u64();
    }
    reader.end();
    this.checkCover(reader, footer.directoryOffset);
  }

  /** [F33] Every byte before the directory belongs to exactly one object. */
  private checkCover(reader: ByteReader, end: number): void {
    const order = Uint32Array.from(this.starts, (_, at) => at);
    const places = Array.from(order, (at) => this.entry(at));
    order.sort((a, b) => compare(places[a], places[b]));
    let covered = 0;
    for (const at of order) {
      const place = places[at];
      if (place === undefined || place.offsetBytes !== covered) reader.fail(`there is a gap or an overlap at byte ${covered}`);
      covered += place.lengthBytes;
    }
    if (covered !== end) reader.fail('its objects do not reach to it');
  }

  get size(): number {
    return this.starts.length;
  }

  entry(at: number): DirectoryEntry {
    const start = this.starts[at] ?? 0;
    const nameEnd = start + 2 + this.bytes.readUInt16LE(start);
    return {
      name: this.bytes.toString('latin1', start + 2, nameEnd),
      offsetBytes: Number(this.bytes.readBigUInt64LE(nameEnd)),
      lengthBytes: Number(this.bytes.readBigUInt64LE(nameEnd + 8)),
    };
  }

  /** Index of the first name that is not below `name`. */
  lowerBound(name: string): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entry(middle).name < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  find(name: string): DirectoryEntry | null {
    const at = this.lowerBound(name);
    const entry = at < this.size ? this.entry(at) : null;
    return entry?.name === name ? entry : null;
  }
}

function compare(a: DirectoryEntry | undefined, b: DirectoryEntry | undefined): number {
  if (a === undefined || b === undefined) return 0;
  return a.offsetBytes - b.offsetBytes || a.lengthBytes - b.lengthBytes;
}

function isName(name: string): boolean {
  try {
    checkName(name);
    return true;
  } catch {
    return false;
  }
}
