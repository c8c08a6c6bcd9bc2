/** Writes a GPT for a disk of a given size: protective (or the kept hybrid) MBR, primary copy, backup at that disk's end. */
import { crc32 } from 'node:zlib';
import { encodeMbrSector } from '../mbr/encodeMbrSector.ts';
import { decodeMbrSector, SLOTS_OFFSET } from '../mbr/mbrSector.ts';
import { checkLayout, doesNotFit, sectorsOf } from '../table/checkLayout.ts';
import type { GptTable, Partition } from '../table/partitionTable.ts';
import type { TableWrite } from '../table/tableWrite.ts';
import { EMPTY_GUID, encodeGuid, GPT_ENTRY_BYTES, GPT_HEADER_BYTES, GPT_NAME_BYTES, GPT_SIGNATURE, isGuid } from './gptLayout.ts';

const REVISION = 0x00010000;
const MAX_ENTRIES = 1024;
const MAX_ENTRY_BYTES = 4096;
const PROTECTIVE_TYPE = 0xee;

interface Places {
  readonly sectorBytes: number;
  readonly lastLba: number;
  readonly entriesLba: number;
  readonly backupEntriesLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
}

/** @throws DiskError `TABLE_DOES_NOT_FIT` */
export function encodeGpt(table: GptTable, diskSizeBytes: number): TableWrite[] {
  const places = findPlaces(table, diskSizeBytes);
  const { sectorBytes } = places;
  checkLayout(table.partitions, {
    startBytes: places.firstUsableLba * sectorBytes,
    endBytes: (places.lastUsableLba + 1) * sectorBytes,
    sectorBytes,
  });
  const entries = encodeEntries(table, sectorBytes);
  const write = (lba: number, bytes: Uint8Array) => ({ offsetBytes: lba * sectorBytes, bytes });
  const header = (side: 'primary' | 'backup') => encodeHeader(table, places, { side, entries });
  // The backup first: whenever this is cut short, one copy is whole.
  return [
    write(places.backupEntriesLba, padToSector(entries, sectorBytes)),
    write(places.lastLba, header('backup')),
    write(0, encodeFirstSector(table, places)),
    write(places.entriesLba, padToSector(entries, sectorBytes)),
    write(1, header('primary')),
  ];
}

function findPlaces(table: GptTable, diskSizeBytes: number): Places {
  const { sectorBytes, entryCount, entryBytes } = table;
  const sane = Number.isInteger(entryCount) && entryCount >= 1 && entryCount <= MAX_ENTRIES;
  if (!sane || entryBytes < GPT_ENTRY_BYTES || entryBytes > MAX_ENTRY_BYTES || entryBytes % 8 !== 0) {
    throw doesNotFit('the table has an impossible number or size of entries');
  }
  const entrySectors = Math.ceil((entryCount * entryBytes) / sectorBytes);
  const lastLba = Math.floor(diskSizeBytes / sectorBytes) - 1;
  const entriesLba = sectorsOf(table.entriesOffsetBytes, sectorBytes, 'the list of partitions');
  const firstUsableLba = sectorsOf(table.firstUsableBytes, sectorBytes, 'the usable range');
  const backupEntriesLba = lastLba - entrySectors;
  if (entriesLba < 2 || firstUsableLba < entriesLba + entrySectors || backupEntriesLba <= firstUsableLba) {
    throw doesNotFit(`a GPT does not fit on a disk of ${diskSizeBytes} bytes`);
  }
  return { sectorBytes, lastLba, entriesLba, backupEntriesLba, firstUsableLba, lastUsableLba: backupEntriesLba - 1 };
}

function padToSector(bytes: Buffer, sectorBytes: number): Buffer {
  const padded = Buffer.alloc(Math.ceil(bytes.length / sectorBytes) * sectorBytes);
  bytes.copy(padded);
  return padded;
}

function encodeEntries(table: GptTable, sectorBytes: number): Buffer {
  const entries = Buffer.alloc(table.entryCount * table.entryBytes);
  for (const partition of table.partitions) {
    if (partition.number < 1 || partition.number > table.entryCount) {
      throw doesNotFit(`partition ${partition.number} has no slot in a table of ${table.entryCount}`);
    }
    encodeEntry(partition, entries.subarray((partition.number - 1) * table.entryBytes), sectorBytes);
  }
  return entries;
}

function encodeEntry(partition: Partition, entry: Buffer, sectorBytes: number): void {
  const { number, type, id, attributes } = partition;
  if (!isGuid(type) || type === EMPTY_GUID || id === null || !isGuid(id)) {
    throw doesNotFit(`partition ${number} needs a type GUID and a GUID of its own to stand in a GPT`);
  }
  if (!/^\d{1,20}$/.test(attributes) || BigInt(attributes) >= 1n << 64n)
    throw doesNotFit(`partition ${number} has impossible attributes`);
  const first = partition.startBytes / sectorBytes;
  encodeGuid(type).copy(entry, 0);
  encodeGuid(id).copy(entry, 16);
  entry.writeBigUInt64LE(BigInt(first), 32);
  entry.writeBigUInt64LE(BigInt(first + partition.sizeBytes / sectorBytes - 1), 40);
  entry.writeBigUInt64LE(BigInt(attributes), 48);
  Buffer.from(partition.name, 'utf16le').copy(entry, 56, 0, GPT_NAME_BYTES);
}

function encodeHeader(table: GptTable, places: Places, copy: { side: 'primary' | 'backup'; entries: Buffer }): Buffer {
  if (!isGuid(table.diskId)) throw doesNotFit('the disk id of a GPT is a GUID');
  const [ownLba, otherLba, entriesLba] =
    copy.side === 'primary' ? [1, places.lastLba, places.entriesLba] : [places.lastLba, 1, places.backupEntriesLba];
  const sector = Buffer.alloc(places.sectorBytes);
  sector.write(GPT_SIGNATURE, 0, 'latin1');
  sector.writeUInt32LE(REVISION, 8);
  sector.writeUInt32LE(GPT_HEADER_BYTES, 12);
  sector.writeBigUInt64LE(BigInt(ownLba), 24);
  sector.writeBigUInt64LE(BigInt(otherLba), 32);
  sector.writeBigUInt64LE(BigInt(places.firstUsableLba), 40);
  sector.writeBigUInt64LE(BigInt(places.lastUsableLba), 48);
  encodeGuid(table.diskId).copy(sector, 56);
  sector.writeBigUInt64LE(BigInt(entriesLba), 72);
  sector.writeUInt32LE(table.entryCount, 80);
  sector.writeUInt32LE(table.entryBytes, 84);
  sector.writeUInt32LE(crc32(copy.entries), 88);
  sector.writeUInt32LE(crc32(sector.subarray(0, GPT_HEADER_BYTES)), 16);
  return sector;
}

function encodeFirstSector(table: GptTable, places: Places): Buffer {
  const sectorCount = Math.min(places.lastLba, 0xffffffff);
  const protective = { active: false, type: PROTECTIVE_TYPE, startSector: 1, sectorCount, absoluteSector: 1 };
  const sector = encodeMbrSector([protective], {
    sectorBytes: places.sectorBytes,
    bootCodeHex: table.bootCodeHex,
    signature: table.mbrSignature,
    chsBeyond: 'gpt',
  });
  if (!table.hybrid || table.hybridSlotsHex === '') return sector;
  Buffer.from(table.hybridSlotsHex, 'hex').copy(sector, SLOTS_OFFSET, 0, 64);
  for (const slot of decodeMbrSector(sector).slots) {
    if (slot.type !== 0 && slot.type !== PROTECTIVE_TYPE && slot.startSector + slot.sectorCount > places.lastLba) {
      throw doesNotFit('a slot of the hybrid MBR reaches past the end of the disk');
    }
  }
  return sector;
}
