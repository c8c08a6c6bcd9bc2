/**
 * Finding the end of the log, and whether the last thing written there is "unmounted". The log is a ring of 512-byte blocks; each
 * begins with the number of the round it was written in (its cycle), so the end is where that number falls by one.
 * Layout: "XFS Algorithms & Data Structures", chapter Journaling Log.
 */
import { DiskError } from '@diskfleet/disk';
import { ByteReader } from '../byteReader.ts';
import { toVolumeBlock, type Volume } from './volume.ts';

const logBlockBytes = 512;
const recordMagic = 0xfeedbabe;
const unmountFlag = 0x20;
const wordsPerHeader = 64;
const bytesPerHeader = 32768;
/** The largest record (256 KiB and its headers, rounded up to the stripe of the log) with room to spare. */
const largestRecordBlocks = 2048;
const scanBlocks = 128;

/** A record of the log: a header (of several blocks when it is long) and data. */
export interface LogRecord {
  readonly position: number;
  readonly cycle: number;
  readonly headerBlocks: number;
  readonly dataBlocks: number;
  readonly dataBytes: number;
  readonly operations: number;
  readonly tail: { readonly cycle: number; readonly position: number };
  /** The items inside are in the byte order of the machine that wrote them. */
  readonly littleEndianItems: boolean;
}

export type LogState =
  | { readonly kind: 'clean' | 'elsewhere' | 'unknown' }
  /** To be replayed: from the tail of `last` up to and including `last`. */
  | { readonly kind: 'dirty'; readonly log: LogRing; readonly last: LogRecord };

/** The log as a ring; positions count blocks of 512 bytes. */
export class LogRing {
  readonly blocks: number;
  private readonly volume: Volume;
  private readonly startBytes: number;

  constructor(volume: Volume, startBytes: number, blocks: number) {
    this.volume = volume;
    this.startBytes = startBytes;
    this.blocks = blocks;
  }

  /** `count` blocks from `position`, wrapping at the end. */
  async read(position: number, count: number): Promise<ByteReader> {
    const bytes = Buffer.alloc(count * logBlockBytes);
    const from = position % this.blocks;
    const before = Math.min(count, this.blocks - from);
    const split = before * logBlockBytes;
    await this.volume.device.read(this.startBytes + from * logBlockBytes, bytes.subarray(0, split));
    if (before < count) await this.volume.device.read(this.startBytes, bytes.subarray(split));
    return new ByteReader(bytes, 'the log');
  }

  async cycleAt(position: number): Promise<number> {
    const raw = await this.read(position, 1);
    return raw.u32be(0) === recordMagic ? raw.u32be(4) : raw.u32be(0);
  }
}

/** @throws DiskError only: a log that makes no sense is `unknown`. */
export async function readLogState(volume: Volume): Promise<LogState> {
  try {
    return await findState(volume);
  } catch (error) {
    // A log the medium does not give may hold anything.
    if (error instanceof DiskError) return { kind: 'unknown' };
    throw error;
  }
}

async function findState(volume: Volume): Promise<LogState> {
  const { superblock } = volume;
  if (superblock.logStart === 0) return { kind: 'elsewhere' };
  const blocks = (superblock.logBlocks * superblock.blockBytes) / logBlockBytes;
  const start = logStartBytes(volume);
  if (start === null || blocks < 2) return { kind: 'unknown' };
  const log = new LogRing(volume, start, blocks);
  const firstCycle = await log.cycleAt(0);
  // A log never written to, as old versions of mkfs leave it.
  if (firstCycle === 0) return { kind: (await log.cycleAt(blocks - 1)) === 0 ? 'clean' : 'unknown' };
  const head = await findHead(log, firstCycle);
  const last = await lastRecord(log, head);
  if (last === null) return { kind: 'unknown' };
  return (await isUnmount(log, last, head)) ? { kind: 'clean' } : { kind: 'dirty', log, last };
}

function logStartBytes(volume: Volume): number | null {
  const { superblock } = volume;
  try {
    const block = toVolumeBlock(superblock, superblock.logStart, { count: superblock.logBlocks, what: 'the superblock' });
    return block * superblock.blockBytes;
  } catch {
    return null;
  }
}

/** The first block of an older round; the length of the log when there is none. */
async function findHead(log: LogRing, firstCycle: number): Promise<number> {
  if ((await log.cycleAt(log.blocks - 1)) === firstCycle) return log.blocks;
  let low = 0;
  let high = log.blocks - 1;
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await log.cycleAt(middle)) === firstCycle) low = middle;
    else high = middle;
  }
  return high;
}

/** The record that begins last before `head`. Only headers begin with the magic: in data the cycle replaces each first word. */
async function lastRecord(log: LogRing, head: number): Promise<LogRecord | null> {
  const most = Math.min(log.blocks, largestRecordBlocks);
  for (let back = 0; back < most; back += scanBlocks) {
    const count = Math.min(scanBlocks, most - back);
    const start = (head - back - count + log.blocks) % log.blocks;
    const raw = await log.read(start, count);
    for (let index = count - 1; index >= 0; index--) {
      if (raw.u32be(index * logBlockBytes) !== recordMagic) continue;
      const header = new ByteReader(raw.slice(index * logBlockBytes, logBlockBytes), 'the log');
      return parseHeader(log, header, (start + index) % log.blocks);
    }
  }
  return null;
}

/** A record's header; null when it is none of this round or contradicts itself. */
export function parseHeader(log: LogRing, raw: ByteReader, position: number): LogRecord | null {
  if (raw.u32be(0) !== recordMagic || raw.u32be(20) !== position) return null;
  const cycle = raw.u32be(4);
  const dataBytes = raw.u32be(12);
  const headerBytes = raw.u32be(320);
  const headerBlocks = (raw.u32be(8) & 2) !== 0 ? Math.max(1, Math.ceil(headerBytes / bytesPerHeader)) : 1;
  const dataBlocks = Math.ceil(dataBytes / logBlockBytes);
  const order = raw.u32be(300);
  const sane = raw.u32be(16) === cycle && dataBlocks <= headerBlocks * wordsPerHeader && (order === 1 || order === 2);
  const tail = { cycle: raw.u32be(24), position: raw.u32be(28) };
  if (!sane || headerBlocks + dataBlocks > Math.min(log.blocks, largestRecordBlocks) || tail.position >= log.blocks) return null;
  const operations = raw.u32be(40);
  return { position, cycle, headerBlocks, dataBlocks, dataBytes, operations, tail, littleEndianItems: order === 1 };
}

async function isUnmount(log: LogRing, last: LogRecord, head: number): Promise<boolean> {
  const end = last.position + last.headerBlocks + last.dataBlocks;
  if (last.operations !== 1 || end % log.blocks !== head % log.blocks || last.dataBlocks < 1) return false;
  const data = await log.read(last.position + last.headerBlocks, 1);
  return (data.u8(9) & unmountFlag) !== 0;
}

/** The data of a record, with the words restored that the cycle numbers displaced. */
export async function readRecordData(log: LogRing, record: LogRecord): Promise<Buffer> {
  const { headerBlocks, dataBlocks } = record;
  const raw = await log.read(record.position, headerBlocks + dataBlocks);
  const data = raw.slice(headerBlocks * logBlockBytes, dataBlocks * logBlockBytes);
  for (let block = 0; block < dataBlocks; block++) {
    const header = Math.floor(block / wordsPerHeader);
    // The first header has its words behind other fields, the others right behind their cycle.
    const words = header === 0 ? 44 : header * logBlockBytes + 4;
    data.writeUInt32BE(raw.u32be(words + (block % wordsPerHeader) * 4), block * logBlockBytes);
  }
  return data.subarray(0, record.dataBytes);
}
