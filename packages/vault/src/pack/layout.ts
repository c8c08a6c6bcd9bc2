/** [F8]–[F11] The bytes of a pack: header, chunk records, trailer table, tail. Shared by the writer and the readers. */
import { crc32 } from 'node:zlib';
import { ByteReader } from '../bytes.ts';
import { type ChunkType, entryBytes, maxPlainBytes, packLength, readEntry, typeCode, typeOfCode } from '../index/entry.ts';
import { sha256 } from '../keys/derive.ts';

const packMagic = 'DFPACK01';
export const packHeaderBytes = 128;
const recordMagic = 0x4b4e4843; // "CHNK"
export const recordHeaderBytes = 64;
export const recordTagBytes = 16;
export const recordOverheadBytes = recordHeaderBytes + recordTagBytes;
const tailMagic = 'DFTRAIL1';
export const tailBytes = 64;

export type PackKind = 'data' | 'meta';

/** [F8] What the first 128 bytes of a pack say. `ephemeralKey` and `sealedKey` are null in an unencrypted vault. */
export interface PackHeader {
  readonly kind: PackKind;
  readonly vaultId: string;
  readonly ephemeralKey: Buffer | null;
  readonly sealedKey: Buffer | null;
}

export function writePackHeader(target: Buffer, header: PackHeader): void {
  target.fill(0, 0, packHeaderBytes);
  target.write(packMagic, 0, 'latin1');
  target.writeUInt16LE(1, 8);
  target.writeUInt8(header.kind === 'data' ? 1 : 2, 10);
  target.writeUInt8(header.sealedKey === null ? 0 : 1, 11);
  target.write(header.vaultId.replaceAll('-', ''), 12, 'hex');
  if (header.ephemeralKey !== null) target.set(header.ephemeralKey, 28);
  if (header.sealedKey !== null) target.set(header.sealedKey, 60);
  target.writeUInt32LE(crc32(target.subarray(0, 124)), 124);
}

/** @throws VaultError `CHUNK_DAMAGED`. */
export function readPackHeader(bytes: Uint8Array, name: string): PackHeader {
  const reader = new ByteReader(bytes, `the header of ${name}`, 'CHUNK_DAMAGED');
  reader.magic(packMagic);
  if (reader.u16() !== 1) reader.fail('its version is not 1');
  const kind = reader.u8();
  const flags = reader.u8();
  const vaultId = reader
    .take(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const ephemeralKey = reader.take(32);
  const sealedKey = reader.take(48);
  reader.zeros(16);
  if (reader.u32() !== crc32(reader.bytes.subarray(0, 124))) reader.fail('its check value is wrong');
  if ((kind !== 1 && kind !== 2) || flags > 1) reader.fail('its kind is unknown');
  const sealed = flags === 1;
  return {
    kind: kind === 1 ? 'data' : 'meta',
    vaultId,
    ephemeralKey: sealed ? ephemeralKey : null,
    sealedKey: sealed ? sealedKey : null,
  };
}

/** What the additional data of a sealed pack key binds it to. */
export function packKeyAad(vaultId: string, kind: PackKind): Buffer {
  return Buffer.from(`${vaultId} ${kind}`);
}

/** [F9] One record's header; `payloadBytes` excludes header and tag. */
export interface RecordHeader {
  readonly type: ChunkType;
  readonly coding: 'raw' | 'zstd';
  readonly plainBytes: number;
  readonly payloadBytes: number;
  readonly sequence: number;
  readonly id: Buffer;
}

export function writeRecordHeader(target: Buffer, at: number, header: RecordHeader): void {
  target.writeUInt32LE(recordMagic, at);
  target.writeUInt8(1, at + 4);
  target.writeUInt8(typeCode(header.type), at + 5);
  target.writeUInt8(header.coding === 'raw' ? 0 : 1, at + 6);
  target.writeUInt8(0, at + 7);
  target.writeUInt32LE(header.plainBytes, at + 8);
  target.writeUInt32LE(header.payloadBytes, at + 12);
  target.writeUInt32LE(header.sequence, at + 16);
  target.set(header.id, at + 20);
  target.writeBigUInt64LE(0n, at + 52);
  target.writeUInt32LE(crc32(target.subarray(at, at + 60)), at + 60);
}

/** Null unless a sound record header starts at `at`. */
export function readRecordHeader(bytes: Buffer, at: number): RecordHeader | null {
  if (at < 0 || at + recordHeaderBytes > bytes.length || bytes.readUInt32LE(at) !== recordMagic) return null;
  if (bytes.readUInt32LE(at + 60) !== crc32(bytes.subarray(at, at + 60))) return null;
  const type = typeOfCode(bytes.readUInt8(at + 5));
  const coding = bytes.readUInt8(at + 6);
  const plainBytes = bytes.readUInt32LE(at + 8);
  const payloadBytes = bytes.readUInt32LE(at + 12);
  if (bytes.readUInt8(at + 4) !== 1 || type === null || coding > 1 || plainBytes > maxPlainBytes) return null;
  return {
    type,
    coding: coding === 0 ? 'raw' : 'zstd',
    plainBytes,
    payloadBytes,
    sequence: bytes.readUInt32LE(at + 16),
    id: bytes.subarray(at + 20, at + 52),
  };
}

/** [F11] Writes the tail behind `tableBytes` of entries ending at `at`; returns the size of the pack. */
export function writeTail(target: Buffer, at: number, tableBytes: number): number {
  target.fill(0, at, at + tailBytes);
  target.write(tailMagic, at, 'latin1');
  target.writeUInt16LE(1, at + 8);
  target.writeUInt32LE(tableBytes / entryBytes, at + 12);
  target.writeBigUInt64LE(BigInt(at - tableBytes), at + 16);
  target.writeBigUInt64LE(BigInt(at + tailBytes), at + 24);
  target.set(sha256(target.subarray(at - tableBytes, at + 32)), at + 32);
  return at + tailBytes;
}

/** What a tail says of its table. @throws VaultError `CHUNK_DAMAGED`. */
export function readTail(tailOfPack: Buffer, packBytes: number, name: string) {
  const tail = new ByteReader(tailOfPack, `the tail of ${name}`, 'CHUNK_DAMAGED');
  tail.magic(tailMagic);
  if (tail.u16() !== 1) tail.fail('its version is not 1');
  tail.zeros(2);
  const count = tail.u32();
  const tableAt = tail.u64();
  if (tail.u64() !== packBytes || tableAt + count * entryBytes + tailBytes !== packBytes)
    tail.fail('its lengths contradict the size of the pack');
  const hash = tail.take(32);
  const checkTable = (table: Buffer) => {
    if (!sha256(table, tail.bytes.subarray(0, 32)).equals(hash)) tail.fail('its hash is wrong');
  };
  return { tableAt, tableBytes: count * entryBytes, checkTable };
}

/** The trailer table of a whole pack. @throws VaultError `CHUNK_DAMAGED`. */
export function readTrailer(pack: Buffer, name: string) {
  const { tableAt, tableBytes, checkTable } = readTail(pack.subarray(Math.max(0, pack.length - tailBytes)), pack.length, name);
  const table = pack.subarray(tableAt, tableAt + tableBytes);
  checkTable(table);
  const reader = new ByteReader(table, `the trailer of ${name}`, 'CHUNK_DAMAGED');
  return Array.from({ length: tableBytes / entryBytes }, () => readEntry(reader));
}

/** [F10] Entries of all records that can be found without a trailer: headers that are sound, not necessarily what follows them. */
export function scanRecords(pack: Buffer): Buffer {
  const found: Buffer[] = [];
  for (let at = packHeaderBytes; at + recordOverheadBytes <= pack.length; ) {
    const header = readRecordHeader(pack, at);
    const end = header === null ? 0 : at + recordOverheadBytes + header.payloadBytes;
    if (header === null || end > pack.length) {
      const next = pack.indexOf('CHNK', at + 1, 'latin1');
      if (next < 0) break;
      at = next;
      continue;
    }
    const entry = Buffer.alloc(entryBytes);
    header.id.copy(entry);
    entry.writeUInt32LE(at, 36);
    entry.writeUInt32LE(end - at, 40);
    entry.writeUInt32LE(packLength(header.plainBytes, header.type), 44);
    found.push(entry);
    at = end;
  }
  return Buffer.concat(found);
}
