/** Formats of discs, which live on sticks and in files too. */
import type { ByteReader } from '../byteReader.ts';
import { type Recogniser, textOf, type VolumeBytes, wideTextOf } from './recogniser.ts';

const DESCRIPTORS_OFFSET_BYTES = 32 << 10;
const SECTOR_BYTES = 2048;
const MAX_DESCRIPTORS = 32;
const DESCRIPTOR_JOLIET = 2;
const DESCRIPTOR_END = 255;
/** Joliet names have 16 units; a longer plain name says more. */
const JOLIET_NAME_UNITS = 16;

/**
 * ISO 9660 (ECMA-119), descriptors from 32 KiB on: | 0 | 1 | type | 1 | 5 | CD001 | 40 | 32 | volume id | 80 | 4 | blocks | 128 | 2 | block size |
 * 813 | 17 | created | 830 | 17 | modified |. It has no id; its date stands for one. Joliet repeats the id in UTF-16.
 */
export const iso9660: Recogniser = {
  kind: 'iso9660',
  magics: [{ atBytes: DESCRIPTORS_OFFSET_BYTES + 1, bytes: 'CD001' }],
  async describe(volume) {
    const primary = await volume.at(DESCRIPTORS_OFFSET_BYTES, SECTOR_BYTES);
    if (primary?.u8(0) !== 1) return null;
    const plain = textOf(primary.slice(40, 32));
    const joliet = plain.length > JOLIET_NAME_UNITS ? '' : await jolietName(volume);
    return {
      label: joliet || plain,
      uuid: dateOf(primary.slice(830, 17)) || dateOf(primary.slice(813, 17)),
      totalBytes: primary.u32(80) * primary.u16(128),
    };
  },
};

async function jolietName(volume: VolumeBytes): Promise<string> {
  for (let index = 1; index < MAX_DESCRIPTORS; index += 1) {
    const descriptor = await volume.at(DESCRIPTORS_OFFSET_BYTES + index * SECTOR_BYTES, SECTOR_BYTES);
    if (descriptor === null || descriptor.u8(0) === DESCRIPTOR_END) break;
    const characterSet = descriptor.slice(88, 3).toString('latin1');
    if (descriptor.u8(0) === DESCRIPTOR_JOLIET && ['%/@', '%/C', '%/E'].includes(characterSet))
      return wideTextOf(descriptor.slice(40, 32), 'be');
  }
  return '';
}

/** `YYYYMMDDHHMMSScc` in digits and an offset; zeros stand for no date. */
function dateOf(stamp: Buffer): string {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(stamp.toString('latin1'));
  return match === null || /^0+$/.test(match[0]) ? '' : match.slice(1).join('-');
}

const UDF_BLOCK_SIZES = [2048, 512, 1024, 4096];
const ANCHOR_BLOCK = 256;
const TAG = { primary: 1, anchor: 2, logical: 6, end: 8 } as const;
const MAX_SEQUENCE_BLOCKS = 64;

/**
 * UDF (ECMA-167, OSTA UDF 2.60). The anchor in block 256 names the descriptor sequence: | 16 | 4 | bytes | 20 | 4 | block |.
 * Primary: | 72 | 128 | volume set id |. Logical: | 84 | 128 | label |. All begin with the number of their tag.
 */
export const udf: Recogniser = {
  kind: 'udf',
  magics: ['BEA01', 'NSR02', 'NSR03'].flatMap((bytes) =>
    [0, 1, 2, 3, 4, 5].map((index) => ({ atBytes: DESCRIPTORS_OFFSET_BYTES + index * SECTOR_BYTES + 1, bytes })),
  ),
  async describe(volume) {
    for (const blockBytes of UDF_BLOCK_SIZES) {
      const anchor = await volume.at(ANCHOR_BLOCK * blockBytes, 512);
      if (anchor?.u16(0) !== TAG.anchor || anchor.u32(12) !== ANCHOR_BLOCK) continue;
      return readSequence(volume, { firstBlock: anchor.u32(20), blocks: anchor.u32(16) / blockBytes, blockBytes });
    }
    return null;
  },
};

interface Sequence {
  readonly firstBlock: number;
  readonly blocks: number;
  readonly blockBytes: number;
}

async function readSequence(volume: VolumeBytes, { firstBlock, blocks, blockBytes }: Sequence) {
  let [label, uuid] = ['', ''];
  for (let index = 0; index < Math.min(blocks, MAX_SEQUENCE_BLOCKS); index += 1) {
    const descriptor = await volume.at((firstBlock + index) * blockBytes, 512);
    const tag = descriptor?.u16(0);
    if (!descriptor || tag === TAG.end) break;
    if (tag === TAG.primary) uuid = idOfSet(dstring(descriptor, 72));
    else if (tag === TAG.logical) label = dstring(descriptor, 84);
  }
  return { label, uuid };
}

/** 128 bytes: 8 for Latin-1 or 16 for UTF-16BE, the text, and in the last byte how many of them count. */
function dstring(descriptor: ByteReader, at: number): string {
  const field = descriptor.slice(at, 128);
  const text = field.subarray(1, Math.min(field.readUInt8(127), 127));
  if (field.readUInt8(0) === 8) return text.toString('latin1').replace(/\0.*$/s, '');
  return field.readUInt8(0) === 16 ? wideTextOf(text, 'be') : '';
}

/** As blkid: 16 hexadecimal digits of the volume set id, or what of it is none put into digits. */
function idOfSet(setId: string): string {
  const bytes = Buffer.from(setId, 'utf8');
  if (bytes.length < 8) return '';
  const digits = /^[0-9a-fA-F]*/.exec(setId)?.[0].length ?? 0;
  if (digits < 8) return bytes.toString('hex', 0, 8);
  if (digits < 16) return setId.slice(0, 8).toLowerCase() + bytes.toString('hex', 8, 12);
  return setId.slice(0, 16).toLowerCase();
}
