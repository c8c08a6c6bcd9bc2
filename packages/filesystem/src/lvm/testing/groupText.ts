/**
 * The text LVM keeps a volume group in, for kinds of volumes its tools make only with device-mapper at hand, and physical volumes
 * by hand for tests that have no tools at all. That LVM takes the text is tested in kinds.test.ts; that the hand-made bytes are
 * what LVM writes, in hostile.test.ts.
 */
import { lvmChecksum } from '../label.ts';

export interface TextVolume {
  readonly name: string;
  readonly status?: readonly string[];
  /** Lines of each piece behind its start and length. */
  readonly pieces: readonly { readonly extents: number; readonly lines: readonly string[] }[];
}

const SHOWN = ['READ', 'WRITE', 'VISIBLE'];
export const HIDDEN: readonly string[] = ['READ', 'WRITE'];

/** On one physical volume. */
export function linear(
  name: string,
  member: string,
  first: number,
  extents: number,
  status: readonly string[] = SHOWN,
): TextVolume {
  return {
    name,
    status,
    pieces: [{ extents, lines: ['type = "striped"', 'stripe_count = 1', `stripes = [ "${member}", ${first} ]`] }],
  };
}

export function volume(name: string, extents: number, lines: readonly string[], status: readonly string[] = SHOWN): TextVolume {
  return { name, status, pieces: [{ extents, lines }] };
}

/** The section of all volumes. Their ids follow from their place. */
export function volumesText(volumes: readonly TextVolume[]): string {
  const texts = volumes.map(({ name, status = SHOWN, pieces }, index) => {
    let start = 0;
    const segments = pieces.map(({ extents, lines }, piece) => {
      const text = `segment${piece + 1} {\nstart_extent = ${start}\nextent_count = ${extents}\n${lines.join('\n')}\n}`;
      start += extents;
      return text;
    });
    const id = `000000-0000-0000-0000-0000-0000-${String(index).padStart(6, '0')}`;
    const words = status.map((word) => `"${word}"`).join(', ');
    const head = `id = "${id}"\nstatus = [${words}]\nflags = []\ncreation_time = 1\ncreation_host = "pc"\nsegment_count = ${pieces.length}`;
    return `${name} {\n${head}\n${segments.join('\n')}\n}`;
  });
  return `logical_volumes {\n${texts.join('\n')}\n}`;
}

/** All kinds of volumes on two physical volumes `pv0` and `pv1` of 39 extents of 1 MiB. */
export const everyKind: readonly TextVolume[] = [
  linear('plain', 'pv0', 0, 2),
  // A snapshot and what it is of.
  linear('base', 'pv0', 2, 2),
  linear('snap', 'pv0', 4, 1),
  volume('snapshot0', 2, ['type = "snapshot"', 'chunk_size = 8', 'origin = "base"', 'cow_store = "snap"'], HIDDEN),
  // RAID 1.
  linear('mirrored_rmeta_0', 'pv0', 5, 1, HIDDEN),
  linear('mirrored_rimage_0', 'pv0', 6, 2, HIDDEN),
  linear('mirrored_rmeta_1', 'pv1', 5, 1, HIDDEN),
  linear('mirrored_rimage_1', 'pv1', 6, 2, HIDDEN),
  volume('mirrored', 2, [
    'type = "raid1"',
    'device_count = 2',
    'region_size = 4096',
    'raids = [ "mirrored_rmeta_0", "mirrored_rimage_0", "mirrored_rmeta_1", "mirrored_rimage_1" ]',
  ]),
  // A thin pool, a thin volume of it, and one that begins as another volume was.
  linear('pool_tmeta', 'pv0', 10, 4, HIDDEN),
  linear('pool_tdata', 'pv1', 10, 8, HIDDEN),
  linear('lvol0_pmspare', 'pv1', 30, 4, HIDDEN),
  volume('pool', 8, [
    'type = "thin-pool"',
    'metadata = "pool_tmeta"',
    'pool = "pool_tdata"',
    'transaction_id = 2',
    'chunk_size = 128',
    'discards = "passdown"',
    'zero_new_blocks = 1',
  ]),
  linear('template', 'pv0', 20, 2, ['READ', 'VISIBLE']),
  volume('thin', 100, ['type = "thin"', 'thin_pool = "pool"', 'transaction_id = 0', 'device_id = 1']),
  volume('copy', 2, [
    'type = "thin"',
    'thin_pool = "pool"',
    'transaction_id = 1',
    'device_id = 2',
    'external_origin = "template"',
  ]),
];

const EXTENT_SECTORS = 2048;
export const MEMBER_IDS = ['000000-0000-0000-0000-0000-0000-membe0', '000000-0000-0000-0000-0000-0000-membe1'];

/** A group `office` with extents of 1 MiB on members `pv0`, `pv1`… of so many extents. */
export function groupText(extentCounts: readonly number[], volumes: readonly TextVolume[], seqno = 3): string {
  const members = extentCounts.map((count, index) => {
    const size = (count + 1) * EXTENT_SECTORS;
    const lines = [`id = "${MEMBER_IDS[index]}"`, 'status = ["ALLOCATABLE"]', 'flags = []', `dev_size = ${size}`];
    return `pv${index} {\n${lines.join('\n')}\npe_start = 2048\npe_count = ${count}\n}`;
  });
  const head = `id = "000000-0000-0000-0000-0000-0000-office"\nseqno = ${seqno}\nformat = "lvm2"\nstatus = ["RESIZEABLE", "READ", "WRITE"]`;
  const body = `${head}\nflags = []\nextent_size = ${EXTENT_SECTORS}\nmax_lv = 0\nmax_pv = 0\nmetadata_copies = 0`;
  const group = `office {\n${body}\nphysical_volumes {\n${members.join('\n')}\n}\n${volumesText(volumes)}\n}`;
  return `${group}\n# by hand\ncontents = "Text Format Volume Group"\nversion = 1\ndescription = "a \\"test\\""\ncreation_host = "pc"\ncreation_time = 1\n`;
}

/** A physical volume with one metadata area, extents from 1 MiB on. `text` null: no group has it. */
export function physicalVolume(id: string, extentCount: number, text: string | null): Buffer {
  const bytes = Buffer.alloc((extentCount + 1) << 20);
  const [area, areaBytes] = [4096, (1 << 20) - 4096];
  const label = bytes.subarray(512, 1024);
  label.write('LABELONE');
  label.writeBigUInt64LE(1n, 8);
  label.writeUInt32LE(32, 20);
  label.write('LVM2 001', 24);
  label.write(id.replaceAll('-', ''), 32);
  for (const [index, value] of [bytes.length, 1 << 20, 0, 0, 0, area, areaBytes].entries()) {
    label.writeBigUInt64LE(BigInt(value), 64 + index * 8);
  }
  label.writeUInt32LE(2, 32 + 40 + 64);
  label.writeUInt32LE(lvmChecksum(label.subarray(20)), 16);
  writeText(bytes, text);
  return bytes;
}

/** Puts a text into the metadata area of `physicalVolume`. */
export function writeText(bytes: Buffer, text: string | null, options: { prepared?: boolean; notInUse?: boolean } = {}): void {
  const [area, areaBytes] = [4096, (1 << 20) - 4096];
  const header = bytes.subarray(area, area + 512);
  header.fill(0);
  header.write(' LVM2 x[5A%r0N*>', 4);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(area), 24);
  header.writeBigUInt64LE(BigInt(areaBytes), 32);
  if (text !== null) {
    const content = Buffer.from(`${text}\0`);
    content.copy(bytes, area + 512);
    header.writeBigUInt64LE(512n, 40);
    header.writeBigUInt64LE(BigInt(content.length), 48);
    header.writeUInt32LE(lvmChecksum(content), 56);
    header.writeUInt32LE(options.notInUse === true ? 1 : 0, 60);
  }
  if (options.prepared === true) header.writeBigUInt64LE(8192n, 64);
  header.writeUInt32LE(lvmChecksum(header.subarray(4)), 0);
}
