/** What macOS formats. */
import { createHash } from 'node:crypto';
import { formatUuid, type Recogniser, type VolumeBytes, wideTextOf } from './recogniser.ts';

/** APFS container (Apple File System Reference): | 32 | 4 | NXSB | 36 | 4 | block size | 40 | 8 | blocks | 72 | 16 | uuid |. Labels are its volumes'. */
export const apfs: Recogniser = {
  kind: 'apfs',
  magics: [{ atBytes: 32, bytes: 'NXSB' }],
  async describe(volume) {
    const block = await volume.at(0, 128);
    if (block === null || block.u32(36) < 4096 || block.u32(36) > 65_536) return null;
    return { uuid: formatUuid(block.slice(72, 16)), totalBytes: block.u32(36) * block.u64(40) };
  },
};

const HEADER_OFFSET_BYTES = 1024;
/** The id macOS shows is a hash of this name space and the eight bytes the header has. */
const ID_NAMESPACE = Buffer.from('b3e20f39f29211d697a400306543ecac', 'hex');

/**
 * HFS+ and HFSX (TN1150), big-endian, at 1 KiB: | 0 | 2 | H+ or HX | 2 | 2 | version 4 or 5 | 40 | 4 | block size | 44 | 4 | blocks |
 * 104 | 8 | id | 288 | 8 each | extents of the catalog |
 */
export const hfsplus: Recogniser = {
  kind: 'hfsplus',
  magics: ['H+\0\x04', 'HX\0\x05'].map((bytes) => ({ atBytes: HEADER_OFFSET_BYTES, bytes })),
  async describe(volume) {
    const header = await volume.at(HEADER_OFFSET_BYTES, 512);
    if (header === null) return null;
    const blockBytes = header.u32be(40);
    if (blockBytes < 512 || !Number.isInteger(Math.log2(blockBytes))) return null;
    const catalogOffsetBytes = header.u32be(288) * blockBytes;
    return {
      uuid: idOf(header.slice(104, 8)),
      label: (await rootName(volume, catalogOffsetBytes)) ?? '',
      totalBytes: blockBytes * header.u32be(44),
    };
  },
};

function idOf(finderId: Buffer): string {
  if (finderId.every((byte) => byte === 0)) return '';
  const id = createHash('md5').update(ID_NAMESPACE).update(finderId).digest();
  id.writeUInt8((id.readUInt8(6) & 0x0f) | 0x30, 6);
  id.writeUInt8((id.readUInt8(8) & 0x3f) | 0x80, 8);
  return formatUuid(id);
}

/**
 * The label is the name of the root folder: the first record of the catalog's first leaf, which we look for in the catalog's
 * first extent only. Header node: | 24 | 4 | first leaf | 32 | 2 | node size |. Record: | 2 | 4 | parent: 1 | 6 | 2 | units | name |
 */
async function rootName(volume: VolumeBytes, catalogOffsetBytes: number): Promise<string | null> {
  const header = await volume.at(catalogOffsetBytes, 128);
  if (header === null || header.u8(8) !== 1) return null;
  const leaf = await volume.at(catalogOffsetBytes + header.u32be(24) * header.u16be(32), 1024);
  if (leaf === null || leaf.u8(8) !== 0xff || leaf.u32be(16) !== 1) return null;
  return wideTextOf(leaf.slice(22, Math.min(leaf.u16be(20), 255) * 2), 'be');
}
