/**
 * A device of a ZFS pool (ZFS On-Disk Specification). Its first label: at 16 KiB a list of names and values in XDR, at 128 KiB a
 * ring of uberblocks of 1 KiB or more, each with its magic in the byte order of whoever wrote it.
 *
 * A pair: | 0 | 4 | its bytes | 8 | 4 | bytes of the name | 12 | … | name, padded to 4 | type | count | value |
 */
import type { ByteReader } from '../byteReader.ts';
import type { Recogniser } from './recogniser.ts';

const LIST_OFFSET_BYTES = 16 << 10;
const LIST_BYTES = 112 << 10;
const RING_OFFSET_BYTES = 128 << 10;
const MAX_UBERBLOCKS = 128;
const TYPE_UINT64 = 8;
const TYPE_STRING = 9;
const MAX_PAIRS = 100;

const MAGICS = ['\x0c\xb1\xba\x00\x00\x00\x00\x00', '\x00\x00\x00\x00\x00\xba\xb1\x0c'];

export const zfs: Recogniser = {
  kind: 'zfs',
  // A pool just made has written only some of the ring.
  magics: Array.from({ length: MAX_UBERBLOCKS }, (_, index) =>
    MAGICS.map((bytes) => ({ atBytes: RING_OFFSET_BYTES + index * 1024, bytes })),
  ).flat(),
  async describe(volume) {
    const list = await volume.at(LIST_OFFSET_BYTES, LIST_BYTES);
    // 1: XDR.
    if (list === null || list.u8(0) !== 1) return null;
    return pairs(list);
  },
};

function pairs(list: ByteReader): { label: string; uuid: string } {
  let [label, uuid, at] = ['', '', 12];
  for (let count = 0; count < MAX_PAIRS; count += 1) {
    const pairBytes = list.u32be(at);
    if (pairBytes < 24) break;
    const nameBytes = list.u32be(at + 8);
    const name = list.slice(at + 12, nameBytes).toString('latin1');
    const typeAt = at + 12 + Math.ceil(nameBytes / 4) * 4;
    const type = list.u32be(typeAt);
    if (name === 'name' && type === TYPE_STRING) {
      label = list.slice(typeAt + 12, list.u32be(typeAt + 8)).toString('utf8');
    } else if (name === 'pool_guid' && type === TYPE_UINT64) {
      uuid = String(list.u64bigbe(typeAt + 8));
    }
    at += pairBytes;
  }
  return { label, uuid };
}
