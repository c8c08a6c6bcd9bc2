/**
 * Reads the pages of the kernel's trace ring buffer as `per_cpu/cpuN/trace_pipe_raw` hands them out. Layouts of page and event are
 * the kernel's own words (`events/header_page`, `events/…/format`), the coding of records is `struct ring_buffer_event` of
 * include/linux/ring_buffer.h: a 32-bit word of 5 bits type or length and 27 bits of time, then data. Total on any bytes: what
 * does not add up is reported as damaged, which the caller takes for lost writes.
 */
import type { Extent } from '@diskfleet/disk';

export interface PageLayout {
  readonly commitOffset: number;
  readonly dataOffset: number;
  readonly pageBytes: number;
}

/** Where the fields of `block_rq_complete` lie in a record. */
export interface EventLayout {
  readonly id: number;
  readonly dev: number;
  readonly sector: number;
  readonly sectors: number;
  readonly rwbs: number;
  readonly bytes: number;
}

/** One finished request. Sectors are 512 bytes whatever the disk's are. */
export interface Completion {
  /** Of the whole disk, as the kernel keeps it inside: major << 20 | minor. */
  readonly dev: number;
  readonly sector: number;
  readonly sectors: number;
  readonly isRead: boolean;
}

export interface PageContent {
  /** Records of any kind, as the kernel's statistics count them. */
  readonly records: number;
  /** The kernel had no room for records before this page, or the page makes no sense. */
  readonly lost: boolean;
}

const SECTOR_BYTES = 512;
const COMMIT_MASK = 0xfffff;
const MISSED_EVENTS = 2 ** 31;
const padding = 29;
const timeExtend = 30;

export function parsePageLayout(text: string): PageLayout | null {
  const commit = fieldOf(text, 'commit');
  const data = fieldOf(text, 'data');
  if (commit === null || data === null || data.size < 64) return null;
  return { commitOffset: commit.offset, dataOffset: data.offset, pageBytes: data.offset + data.size };
}

export function parseEventLayout(text: string): EventLayout | null {
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  const [dev, sector, sectors, rwbs] = ['dev', 'sector', 'nr_sector', 'rwbs'].map((name) => fieldOf(text, name));
  if (!id || !dev || !sector || !sectors || !rwbs) return null;
  if (dev.size !== 4 || sector.size !== 8 || sectors.size !== 4 || rwbs.size < 2) return null;
  const bytes = Math.max(...[dev, sector, sectors, rwbs].map(({ offset, size }) => offset + size));
  return { id: Number(id), dev: dev.offset, sector: sector.offset, sectors: sectors.offset, rwbs: rwbs.offset, bytes };
}

/** A line such as `field:sector_t sector;	offset:16;	size:8;	signed:0;`. */
function fieldOf(text: string, name: string): { offset: number; size: number } | null {
  const match = new RegExp(`field: ?[^;]*?\\b${name}(?:\\[\\d+\\])?;\\s*offset:(\\d+);\\s*size:(\\d+);`).exec(text);
  return match === null ? null : { offset: Number(match[1]), size: Number(match[2]) };
}

/** Calls `onCompletion` for every finished request the page tells of. */
export function readPage(
  page: DataView,
  layouts: { page: PageLayout; event: EventLayout },
  onCompletion: (completion: Completion) => void,
): PageContent {
  const { commitOffset, dataOffset, pageBytes } = layouts.page;
  if (page.byteLength < pageBytes) return { records: 0, lost: true };
  const commit = page.getUint32(commitOffset, true);
  const end = dataOffset + (commit % (COMMIT_MASK + 1));
  let lost = commit >= MISSED_EVENTS;
  let records = 0;
  if (end > pageBytes) return { records, lost: true };
  for (let at = dataOffset; at < end; ) {
    const record = recordAt(page, at, end);
    if (record === null) return { records, lost: true };
    if (record.kind === 'end') break;
    if (record.kind === 'data') {
      records += 1;
      const known = completionAt(page, record, layouts.event);
      if (known === 'damaged') lost = true;
      else if (known !== null) onCompletion(known);
    }
    at = record.next;
  }
  return { records, lost };
}

interface Record {
  readonly kind: 'data' | 'other' | 'end';
  readonly from: number;
  readonly next: number;
}

/** Null when the record reaches over the end of what was committed. */
function recordAt(page: DataView, at: number, end: number): Record | null {
  if (at + 4 > end) return null;
  const word = page.getUint32(at, true);
  const type = word & 31;
  if (type === padding && word >>> 5 === 0) return { kind: 'end', from: at, next: end };
  if (type === timeExtend || type === 31) return inside({ kind: 'other', from: at, next: at + 8 }, end);
  if (type !== 0 && type !== padding) return inside({ kind: 'data', from: at + 4, next: at + 4 + type * 4 }, end);
  if (at + 8 > end) return null;
  const length = page.getUint32(at + 4, true);
  if (length < 4 || length % 4 !== 0) return null;
  // Padding of a length is a record the kernel took back.
  return inside({ kind: type === padding ? 'other' : 'data', from: at + 8, next: at + 4 + length }, end);
}

function inside(record: Record, end: number): Record | null {
  return record.next > end ? null : record;
}

function completionAt(page: DataView, { from, next }: Record, layout: EventLayout): Completion | 'damaged' | null {
  if (from + 2 > next) return 'damaged';
  if (page.getUint16(from, true) !== layout.id) return null;
  if (from + layout.bytes > next) return 'damaged';
  return {
    dev: page.getUint32(from + layout.dev, true),
    sector: Number(page.getBigUint64(from + layout.sector, true)),
    sectors: page.getUint32(from + layout.sectors, true),
    isRead: page.getUint8(from + layout.rwbs) === 'R'.charCodeAt(0),
  };
}

/**
 * The bytes of the disk a request may have changed, or null. Only what the kernel calls a read is none: older kernels have no letter
 * for "write zeroes", and a request that failed may have written all the same. A flush has no bytes and no place.
 */
export function changedBytes({ sector, sectors, isRead }: Completion): Extent | null {
  if (isRead || sectors === 0 || sector >= 2 ** 43) return null;
  return { offsetBytes: sector * SECTOR_BYTES, lengthBytes: sectors * SECTOR_BYTES };
}
