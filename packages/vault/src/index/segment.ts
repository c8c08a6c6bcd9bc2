/** [F13] Index segments: immutable, sorted, content-named lists of which chunk lies where. */
import { ByteReader, ByteWriter } from '../bytes.ts';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac, sha256 } from '../keys/derive.ts';
import type { SealedPack } from '../types.ts';
import { entryBytes } from './entry.ts';
import type { PackRow } from './locationTable.ts';

const magic = 'DFINDEX1';
const version = 1;
const headerBytes = 64;
const macBytes = 32;
/** A run with more chunks than this writes several segments: 12 MiB each, so that a reader's memory stays small. */
const maxEntries = 1 << 18;

export const indexEpoch = '00000000';

export interface SegmentKey {
  readonly vaultId: string;
  readonly idKey: Uint8Array;
}

export interface Segment {
  readonly packs: readonly PackRow[];
  /** Names (hex) of segments this one replaces. */
  readonly superseded: readonly string[];
  readonly entryCount: number;
  /** `entryCount` × 48 bytes. */
  readonly entries: Buffer;
}

export function segmentObjectName(hash: string): string {
  return `index/${indexEpoch}/${hash}`;
}

function vaultIdBytes(vaultId: string): Buffer {
  return Buffer.from(vaultId.replaceAll('-', ''), 'hex');
}

/** Builds the segments that list `packs`; each comes with its object name. */
export function encodeSegments(packs: readonly SealedPack[], key: SegmentKey): { name: string; bytes: Buffer }[] {
  const groups: SealedPack[][] = [];
  let room = 0;
  for (const pack of packs) {
    const count = pack.entries.length / entryBytes;
    const group = groups.at(-1);
    if (group !== undefined && count <= room) {
      group.push(pack);
      room -= count;
    } else {
      groups.push([pack]);
      room = maxEntries - count;
    }
  }
  return groups.map((group) => {
    const bytes = encodeSegment(group, key);
    return { name: segmentObjectName(sha256(bytes).toString('hex')), bytes };
  });
}

function encodeSegment(packs: readonly SealedPack[], key: SegmentKey): Buffer {
  const ordered = [...packs].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows: Buffer[] = [];
  ordered.forEach((pack, ordinal) => {
    const entries = Buffer.from(pack.entries);
    for (let at = 0; at < entries.length; at += entryBytes) {
      entries.writeUInt32LE(ordinal, at + 32);
      rows.push(entries.subarray(at, at + entryBytes));
    }
  });
  rows.sort((a, b) => a.compare(b, 0, 32, 0, 32) || a.readUInt32LE(32) - b.readUInt32LE(32));
  const out = new ByteWriter();
  out.text(magic).u16(version).u16(entryBytes).u32(ordered.length).u32(0).u32(rows.length).raw(vaultIdBytes(key.vaultId));
  out.zeros(headerBytes - out.length);
  for (const pack of ordered) {
    out
      .raw(Buffer.from(pack.name, 'hex'))
      .u64(pack.sizeBytes)
      .u8(pack.kind === 'data' ? 1 : 2)
      .zeros(7);
  }
  for (const row of rows) out.raw(row);
  out.raw(hmac(deriveKey(key.idKey, key.vaultId, 'index'), out.bytes()));
  return Buffer.from(out.bytes());
}

/**
 * Reads a segment. With the id key its MAC is checked, without it only its name.
 * @throws VaultError `VAULT_DAMAGED`.
 */
export function decodeSegment(bytes: Buffer, name: string, key: { vaultId: string; idKey: Uint8Array | null }): Segment {
  const reader = new ByteReader(bytes, name, 'VAULT_DAMAGED');
  if (!name.endsWith(`/${sha256(bytes).toString('hex')}`)) reader.fail('its bytes do not have the hash it is named by');
  reader.magic(magic);
  if (reader.u16() !== version)
    throw new VaultError('VAULT_TOO_NEW', `${name} has a version this program (version 1) does not know`);
  if (reader.u16() !== entryBytes) reader.fail('its entries have another size');
  const packCount = reader.u32();
  const supersededCount = reader.u32();
  const entryCount = reader.u32();
  if (!reader.take(16).equals(vaultIdBytes(key.vaultId))) reader.fail('it belongs to another vault');
  reader.zeros(headerBytes - reader.position);
  if (key.idKey !== null) {
    const mac = hmac(deriveKey(key.idKey, key.vaultId, 'index'), bytes.subarray(0, -macBytes));
    if (!mac.equals(bytes.subarray(-macBytes))) reader.fail('it was not written by a writer of this vault');
  }
  const packs: PackRow[] = [];
  for (let at = 0; at < packCount; at += 1) packs.push(readPackRow(reader));
  const superseded: string[] = [];
  for (let at = 0; at < supersededCount; at += 1) superseded.push(reader.take(32).toString('hex'));
  const entries = reader.take(entryCount * entryBytes);
  reader.take(macBytes);
  reader.end();
  for (let at = 0; at < entries.length; at += entryBytes) {
    if (entries.readUInt32LE(at + 32) >= packCount) reader.fail('an entry names a pack that is not in its table');
  }
  return { packs, superseded, entryCount, entries };
}

function readPackRow(reader: ByteReader): PackRow {
  const hash = reader.take(32).toString('hex');
  const sizeBytes = reader.u64();
  const kind = reader.u8();
  if (kind !== 1 && kind !== 2) reader.fail(`pack kind ${kind} is unknown`);
  reader.zeros(7);
  return { name: hash, sizeBytes, kind: kind === 1 ? 'data' : 'meta' };
}
