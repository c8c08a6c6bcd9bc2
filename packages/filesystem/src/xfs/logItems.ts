/**
 * A volume that was not unmounted has changes in its log which the next mount will write to their places, trees of free space
 * among them. Replaying is not our business; knowing which groups such a change can touch is. Nothing is allocated without a
 * change to the header of its group, and both are logged together: a group whose header is not named in the log has its trees on
 * the disk as they will be. So a volume frozen for a snapshot, whose log names the superblock alone, is read without loss.
 *
 * What recovery does after the replay (finishing frees, dropping unlinked files) only ever allocates what it then writes itself.
 */

import { readBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { isDamage } from '../soundParts.ts';
import { type LogRecord, type LogRing, type LogState, parseHeader, readRecordData } from './log.ts';
import type { Superblock } from './superblock.ts';
import type { Volume } from './volume.ts';

const transactionMagic = 0x5452414e;
const itemType = { first: 0x1236, buffer: 0x123c, last: 0x124f };
const operationFlag = { start: 0x1, commit: 0x2, continued: 0x8 };
const operationHeaderBytes = 12;
/** Enough of a region for every item's head and for the geometry in a superblock. */
const keptBytes = 96;
const mostTransactions = 1000;
/** Following more than this is not worth the time. */
const mostLogBytes = 256 << 20;

/** The groups whose free space the log may change; empty when nothing is to be replayed. */
export async function groupsNamedByLog(volume: Volume, state: LogState): Promise<ReadonlySet<number> | 'unknown'> {
  if (state.kind === 'clean') return new Set();
  if (state.kind !== 'dirty') return 'unknown';
  try {
    const named = new NamedGroups(volume.superblock, await readBytes(volume.device, 0, keptBytes));
    await followLog(state.log, state.last, named);
    return named.groups;
  } catch (error) {
    if (isDamage(error)) return 'unknown';
    throw error;
  }
}

function lost(what: string): never {
  throw new FilesystemError('FS_DAMAGED', `the log cannot be followed: ${what}`);
}

/** Record after record from the tail to the last one. */
async function followLog(log: LogRing, last: LogRecord, named: NamedGroups): Promise<void> {
  const transactions = new Map<number, Transaction>();
  let { position, cycle } = last.tail;
  for (let blocks = 0; ; ) {
    const record = parseHeader(log, await log.read(position, 1), position);
    if (record === null || record.cycle !== cycle) lost('a record is missing');
    blocks += record.headerBlocks + record.dataBlocks;
    if (blocks > log.blocks || blocks * 512 > mostLogBytes) lost('there is too much of it');
    followRecord(await readRecordData(log, record), { record, transactions, named });
    if (position === last.position && cycle === last.cycle) break;
    position += record.headerBlocks + record.dataBlocks;
    if (position >= log.blocks) {
      position -= log.blocks;
      cycle += 1;
    }
  }
  for (const transaction of transactions.values()) transaction.finish();
}

interface Following {
  readonly record: LogRecord;
  readonly transactions: Map<number, Transaction>;
  readonly named: NamedGroups;
}

function followRecord(data: Buffer, { record, transactions, named }: Following): void {
  let at = 0;
  for (let operation = 0; operation < record.operations; operation++) {
    if (at + operationHeaderBytes > data.length) lost('a record is shorter than it says');
    const id = data.readUInt32BE(at);
    const length = data.readUInt32BE(at + 4);
    const flags = data.readUInt8(at + 9);
    const region = data.subarray(at + operationHeaderBytes, at + operationHeaderBytes + length);
    if (region.length !== length) lost('an entry is longer than its record');
    at += operationHeaderBytes + length;
    if ((flags & operationFlag.start) !== 0) {
      if (transactions.size >= mostTransactions) lost('too many changes at once');
      transactions.set(id, new Transaction(named, record.littleEndianItems));
    }
    // What began before the tail is in its place already.
    const transaction = transactions.get(id);
    if (!transaction) continue;
    if ((flags & operationFlag.commit) !== 0) {
      transaction.finish();
      transactions.delete(id);
    } else if ((flags & operationFlag.continued) !== 0) {
      transaction.extend(region);
    } else if (length > 0) {
      transaction.add(region);
    }
  }
}

/** One transaction: a header, then items, each a head that says of how many regions it consists and these regions. */
class Transaction {
  private readonly named: NamedGroups;
  private readonly littleEndian: boolean;
  private kept: Buffer = Buffer.alloc(0);
  private hasHeader = false;
  private regionsLeft = 0;
  private isSuperblock = false;

  constructor(named: NamedGroups, littleEndian: boolean) {
    this.named = named;
    this.littleEndian = littleEndian;
  }

  add(region: Buffer): void {
    this.finish();
    this.kept = region.subarray(0, keptBytes);
  }

  /** The rest of a region that did not fit into its record. */
  extend(more: Buffer): void {
    const missing = keptBytes - this.kept.length;
    if (missing > 0) this.kept = Buffer.concat([this.kept, more.subarray(0, missing)]);
  }

  /** Looks at the region that is now complete. */
  finish(): void {
    const region = this.kept;
    if (region.length === 0) return;
    this.kept = Buffer.alloc(0);
    if (!this.hasHeader) {
      if (this.u32(region, 0) !== transactionMagic) lost('a change has no head');
      this.hasHeader = true;
    } else if (this.regionsLeft > 0) {
      this.regionsLeft -= 1;
      if (this.isSuperblock) this.named.checkGrowth(region);
      this.isSuperblock = false;
    } else {
      this.beginItem(region);
    }
  }

  private beginItem(head: Buffer): void {
    const type = this.u16(head, 0);
    const regions = this.u16(head, 2);
    if (type < itemType.first || type > itemType.last || regions < 1) lost('an entry is of an unknown kind');
    this.regionsLeft = regions - 1;
    if (type !== itemType.buffer) return;
    const lengthSectors = this.u16(head, 6);
    const [low, high] = this.littleEndian ? [8, 12] : [12, 8];
    const firstSector = this.u32(head, low) + this.u32(head, high) * 2 ** 32;
    this.named.addBuffer(firstSector, lengthSectors);
    this.isSuperblock = firstSector === 0;
  }

  private u16(bytes: Buffer, at: number): number {
    if (at + 2 > bytes.length) lost('an entry is cut short');
    return this.littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  }

  private u32(bytes: Buffer, at: number): number {
    if (at + 4 > bytes.length) lost('an entry is cut short');
    return this.littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }
}

/** Collects the groups in whose header (second sector: free space, fourth: free list) a logged buffer lies. Counts in units of 512 bytes. */
class NamedGroups {
  readonly groups = new Set<number>();
  private readonly superblock: Superblock;
  private readonly geometry: Buffer;

  constructor(superblock: Superblock, geometry: Buffer) {
    this.superblock = superblock;
    this.geometry = geometry;
  }

  addBuffer(firstSector: number, lengthSectors: number): void {
    const { blockBytes, sectorBytes, groupBlocks, groupCount } = this.superblock;
    const groupSectors = (groupBlocks * blockBytes) / 512;
    const perSector = sectorBytes / 512;
    const group = Math.floor(firstSector / groupSectors);
    const place = firstSector % groupSectors;
    if (group >= groupCount) lost('it names a place outside the volume');
    const touches = (sector: number) => place < (sector + 1) * perSector && place + lengthSectors > sector * perSector;
    if (touches(1) || touches(3)) this.groups.add(group);
  }

  /** The volume was made larger or smaller, and its superblock does not say so yet. */
  checkGrowth(region: Buffer): void {
    const same = (from: number, to: number) => region.subarray(from, to).equals(this.geometry.subarray(from, to));
    if (region.length < keptBytes || region.readUInt32BE(0) !== 0x58465342) return;
    if (!same(4, 16) || !same(84, 92)) lost('it changes the size of the volume');
  }
}
