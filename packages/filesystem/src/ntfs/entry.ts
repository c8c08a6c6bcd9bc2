/** Directory entries and opening what they name. A file's own record is asked for size and times: the index copy goes stale. */
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, EntryType, FileReader, NamedStream } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { ATTRIBUTE, type Attribute } from './attribute.ts';
import { type IndexEntry, walkDirectory } from './directoryIndex.ts';
import { openAttribute } from './fileContent.ts';
import type { Mft } from './mft.ts';
import type { MftRecord, MftReference } from './mftRecord.ts';
import { openStream, readStreams } from './namedStreams.ts';
import { interpretReparsePoint, type ReparseMeaning } from './reparsePoint.ts';

const ROOT_RECORD = 5;
/** Below this, records belong to NTFS itself ($MFT, $Bitmap, …) or are kept free for it. */
const FIRST_USER_RECORD = 24;
const TICKS_FROM_1601_TO_1970 = 116_444_736_000_000_000n;
const TICKS_PER_MS = 10_000n;
const FILE_ATTRIBUTE = {
  system: 0x4,
  offline: 0x1000,
  recallOnOpen: 0x40000,
  recallOnAccess: 0x400000,
  directory: 0x10000000,
} as const;
const ABSENT = FILE_ATTRIBUTE.offline | FILE_ATTRIBUTE.recallOnOpen | FILE_ATTRIBUTE.recallOnAccess;
const FIRST_BATCH_ENTRIES = 64;
const LARGEST_BATCH_ENTRIES = 4096;
const PREFETCHED_RECORDS = 256;
const LONGEST_INTERIX_BYTES = 8 + 2 * 4096;
const INTERIX_LINK = 'IntxLNK\x01';
const INTERIX_DEVICES = ['IntxCHR\0', 'IntxBLK\0'];

/** What a file is, beyond its names. */
export interface FileFacts {
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number | null;
  readonly linkTarget: string | null;
  readonly data: Attribute | null;
  /** Set when only Windows can produce the content. */
  readonly provider: string | null;
  readonly streams: readonly NamedStream[];
}

export async function rootEntry(mft: Mft): Promise<DirectoryEntry> {
  const record = await mft.record(ROOT_RECORD);
  const { modifiedAtMs, streams } = await readFacts(mft, record);
  const ref = formatRef(record);
  return {
    ...(streams.length > 0 ? { streams } : {}),
    name: '',
    nameBytes: new Uint8Array(),
    type: 'directory',
    sizeBytes: 0,
    modifiedAtMs,
    mode: null,
    ref,
    linkTarget: null,
  };
}

export async function* listDirectory(mft: Mft, directory: DirectoryEntry): AsyncGenerator<DirectoryEntry> {
  const record = await mft.file(parseRef(directory.ref));
  const isLink = record.isDirectory && (await readFacts(mft, record)).type !== 'directory';
  if (!record.isDirectory || isLink) throw new FilesystemError('FS_NOT_A_DIRECTORY', `"${directory.name}" is not a folder.`);
  let batch: IndexEntry[] = [];
  let batchEntries = FIRST_BATCH_ENTRIES;
  for await (const indexed of walkDirectory(mft, record)) {
    if (record.number === ROOT_RECORD && indexed.reference.number < FIRST_USER_RECORD) continue;
    batch.push(indexed);
    if (batch.length < batchEntries) continue;
    yield* await describeAll(mft, batch);
    batch = [];
    batchEntries = Math.min(batchEntries * 8, LARGEST_BATCH_ENTRIES);
  }
  yield* await describeAll(mft, batch);
}

/** Records are visited in the order of the table, whatever the order of the names, so each part of the table is read once. */
async function describeAll(mft: Mft, batch: readonly IndexEntry[]): Promise<DirectoryEntry[]> {
  const order = batch.map((indexed, position) => ({ indexed, position }));
  order.sort((one, other) => one.indexed.reference.number - other.indexed.reference.number);
  const described: DirectoryEntry[] = new Array(batch.length);
  for (let start = 0; start < order.length; start += PREFETCHED_RECORDS) {
    const part = order.slice(start, start + PREFETCHED_RECORDS);
    await mft.prefetch(part.map(({ indexed }) => indexed.reference.number));
    for (const { indexed, position } of part) described[position] = await describe(mft, indexed);
  }
  return described;
}

/** @throws FilesystemError `FS_NOT_A_FILE`, `FS_NOT_FOUND`, `FS_UNSUPPORTED`, `FS_ENCRYPTED_FILE`, `FS_DAMAGED`. */
export async function openEntry(mft: Mft, file: DirectoryEntry, stream?: string): Promise<FileReader> {
  const record = await mft.file(parseRef(file.ref));
  if (stream !== undefined) return openStream(mft, record, { file, stream });
  const { type, data, provider } = await readFacts(mft, record);
  if (type !== 'file') throw new FilesystemError('FS_NOT_A_FILE', `"${file.name}" is not a file but a ${type}.`);
  if (provider !== null) throw new FilesystemError('FS_UNSUPPORTED', `"${file.name}" is ${provider}; only Windows can read it.`);
  return data === null ? { sizeBytes: 0, read: readNothing } : openAttribute(mft, record, data);
}

/** A file whose record is gone or damaged is still listed, by what the folder knows of it. */
async function describe(mft: Mft, indexed: IndexEntry): Promise<DirectoryEntry> {
  const facts = await factsOrIndex(mft, indexed);
  return {
    name: shownName(indexed.nameBytes),
    nameBytes: indexed.nameBytes,
    type: facts.type,
    sizeBytes: facts.sizeBytes,
    modifiedAtMs: facts.modifiedAtMs,
    mode: null,
    ref: formatRef(indexed.reference),
    linkTarget: facts.linkTarget,
    ...(facts.streams.length > 0 ? { streams: facts.streams } : {}),
  };
}

async function factsOrIndex(mft: Mft, indexed: IndexEntry): Promise<FileFacts> {
  try {
    return await readFacts(mft, await mft.file(indexed.reference));
  } catch (error) {
    if (!isDamage(error)) throw error;
    const isDirectory = (indexed.fileAttributes & FILE_ATTRIBUTE.directory) !== 0;
    return {
      type: isDirectory ? 'directory' : 'file',
      sizeBytes: isDirectory ? 0 : clampToSafe(indexed.sizeBytes),
      modifiedAtMs: ticksToMs(indexed.modifiedTicks),
      linkTarget: null,
      data: null,
      provider: null,
      streams: [],
    };
  }
}

export async function readFacts(mft: Mft, record: MftRecord): Promise<FileFacts> {
  const standard = await mft.attribute(record, ATTRIBUTE.standardInformation);
  const known = standard?.resident && standard.value.length >= 36 ? standard.value : null;
  const modifiedAtMs = known === null ? null : ticksToMs(known.readBigUInt64LE(8));
  const fileAttributes = known === null ? 0 : known.readUInt32LE(32);
  const reparse = await readReparse(mft, record, (fileAttributes & ABSENT) !== 0);
  const streams = await readStreams(mft, record);
  const bare = { sizeBytes: 0, modifiedAtMs, linkTarget: null, data: null, provider: null, streams };
  if (reparse?.kind === 'link') return { ...bare, type: 'symlink', linkTarget: reparse.target };
  if (record.isDirectory) return { ...bare, type: 'directory' };
  if (reparse?.kind === 'other') return { ...bare, type: 'other' };
  const data = await mft.attribute(record, ATTRIBUTE.data);
  if (reparse === null && data !== null && (fileAttributes & FILE_ATTRIBUTE.system) !== 0) {
    const interix = await readInterix(mft, record, data);
    if (interix !== null) return { ...bare, ...interix };
  }
  const provider = reparse?.kind === 'provided' ? reparse.by : null;
  return { ...bare, type: 'file', sizeBytes: data?.sizeBytes ?? 0, data, provider };
}

async function readReparse(mft: Mft, record: MftRecord, absent: boolean): Promise<ReparseMeaning | null> {
  const point = await mft.attribute(record, ATTRIBUTE.reparsePoint);
  if (point === null) return null;
  if (point.sizeBytes > LONGEST_INTERIX_BYTES * 2) throw new FilesystemError('FS_DAMAGED', 'A reparse point is too large.');
  const content = await openAttribute(mft, record, point);
  const value = Buffer.alloc(content.sizeBytes);
  await content.read(0, value);
  return interpretReparsePoint(value, absent);
}

/** Links and devices as Services for UNIX and ntfs-3g write them: a system file that begins with a mark. */
async function readInterix(
  mft: Mft,
  record: MftRecord,
  data: Attribute,
): Promise<{ type: EntryType; linkTarget: string | null } | null> {
  if (data.sizeBytes < INTERIX_LINK.length || data.sizeBytes > LONGEST_INTERIX_BYTES || data.encrypted) return null;
  const content = await openAttribute(mft, record, data);
  const value = Buffer.alloc(content.sizeBytes);
  await content.read(0, value);
  const mark = value.toString('latin1', 0, 8);
  if (INTERIX_DEVICES.includes(mark)) return { type: 'other', linkTarget: null };
  return mark === INTERIX_LINK ? { type: 'symlink', linkTarget: value.toString('utf16le', 8).toWellFormed() } : null;
}

async function readNothing(offsetBytes: number, target: Uint8Array): Promise<void> {
  if (offsetBytes !== 0 || target.length > 0) throw new FilesystemError('FS_OUT_OF_RANGE', 'The file is empty.');
}

/** As a reader shows it: one component of a path, whatever the volume says. */
export function shownName(nameBytes: Buffer): string {
  const name = nameBytes.toString('utf16le').toWellFormed();
  return name.replace(/[/\0]/g, '\ufffd');
}

function formatRef({ number, sequence }: MftReference): string {
  return `${number}-${sequence}`;
}

function parseRef(ref: string): MftReference {
  const match = /^(\d{1,15})-(\d{1,5})$/.exec(ref);
  if (match === null) throw new FilesystemError('FS_NOT_FOUND', 'That is not a handle of this NTFS volume.');
  return { number: Number(match[1]), sequence: Number(match[2]) };
}

/** FILETIME: 100 ns ticks since 1601. */
function ticksToMs(ticks: bigint): number {
  const sinceEpoch = ticks - TICKS_FROM_1601_TO_1970;
  const floor = sinceEpoch < 0n && sinceEpoch % TICKS_PER_MS !== 0n ? 1n : 0n;
  return Number(sinceEpoch / TICKS_PER_MS - floor);
}

function clampToSafe(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? 0 : Number(value);
}
