import { crc32 } from 'node:zlib';
import { type BlockDevice, type Extent, readBytes } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { decodeGuid, GPT_ENTRY_BYTES, GPT_HEADER_BYTES, GPT_SIGNATURE } from './gptLayout.ts';

/** No tool makes more than 128; a larger claim is damage or an attack on our memory. */
const MAX_ENTRIES = 1024;
const MAX_ENTRY_BYTES = 4096;

/** One of the two copies of a GPT, its checksums proven. */
export interface GptCopy {
  readonly ok: true;
  readonly lba: number;
  readonly otherLba: bigint;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly diskId: string;
  readonly entriesOffsetBytes: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly entries: Buffer;
  /** The header's sector and the entries. */
  readonly extents: readonly Extent[];
}

/** Why there is no usable copy at a place. `present`: something that calls itself a GPT header is there. */
export interface NoGptCopy {
  readonly ok: false;
  readonly present: boolean;
  readonly tooLarge: boolean;
  readonly reason: string;
}

function no(reason: string, options: { present?: boolean; tooLarge?: boolean } = {}): NoGptCopy {
  return { ok: false, present: options.present ?? true, tooLarge: options.tooLarge ?? false, reason };
}

async function readOrNull(device: BlockDevice, offsetBytes: number, lengthBytes: number): Promise<Buffer | null> {
  try {
    return await readBytes(device, offsetBytes, lengthBytes);
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'DISK_READ_FAILED' || error.code === 'DISK_OUT_OF_RANGE')) return null;
    throw error;
  }
}

/** Reads and proves the copy whose header is at `lba`. Never throws on hostile bytes. */
export async function readGptCopy(device: BlockDevice, sectorBytes: number, lba: number): Promise<GptCopy | NoGptCopy> {
  const headerOffsetBytes = lba * sectorBytes;
  if (lba < 1 || headerOffsetBytes + sectorBytes > device.sizeBytes) return no('it lies outside the disk', { present: false });
  const sector = await readOrNull(device, headerOffsetBytes, sectorBytes);
  if (sector === null) return no('its sector cannot be read', { present: false });
  if (sector.toString('latin1', 0, 8) !== GPT_SIGNATURE) return no('its signature is missing', { present: false });
  const headerBytes = sector.readUInt32LE(12);
  if (headerBytes < GPT_HEADER_BYTES || headerBytes > sectorBytes) return no('its header has an impossible length');
  const header = Buffer.from(sector.subarray(0, headerBytes));
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== sector.readUInt32LE(16)) return no('the checksum of its header is wrong');
  if (sector.readBigUInt64LE(24) !== BigInt(lba)) return no('it says it belongs at another place');
  const entryCount = sector.readUInt32LE(80);
  const entryBytes = sector.readUInt32LE(84);
  if (entryCount > MAX_ENTRIES || entryBytes > MAX_ENTRY_BYTES) return no('it claims too many entries', { tooLarge: true });
  if (entryCount === 0 || entryBytes < GPT_ENTRY_BYTES || entryBytes % 8 !== 0) return no('its entries have an impossible size');
  const limitLba = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / sectorBytes));
  const [first, last, entriesLba] = [sector.readBigUInt64LE(40), sector.readBigUInt64LE(48), sector.readBigUInt64LE(72)];
  if (first >= limitLba || last >= limitLba || entriesLba >= limitLba) return no('it points absurdly far');
  if (first > last + 1n) return no('its usable range is turned around');
  const entriesExtent = { offsetBytes: Number(entriesLba) * sectorBytes, lengthBytes: entryCount * entryBytes };
  const entries = await readOrNull(device, entriesExtent.offsetBytes, entriesExtent.lengthBytes);
  if (entries === null) return no('its entries cannot be read');
  if (crc32(entries) !== sector.readUInt32LE(88)) return no('the checksum of its entries is wrong');
  return {
    ok: true,
    lba,
    otherLba: sector.readBigUInt64LE(32),
    firstUsableLba: Number(first),
    lastUsableLba: Number(last),
    diskId: decodeGuid(sector, 56),
    entriesOffsetBytes: entriesExtent.offsetBytes,
    entryCount,
    entryBytes,
    entries,
    extents: [{ offsetBytes: headerOffsetBytes, lengthBytes: sectorBytes }, entriesExtent],
  };
}
