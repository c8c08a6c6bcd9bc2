/**
 * The master file table: finds records by number. It describes itself (record 0), may be scattered, and its own run list may
 * go on in records that only the runs known so far make reachable, so it is unrolled step by step. Records are cached in
 * pages, few of them: a folder's files mostly lie side by side.
 */
import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { ATTRIBUTE, type Attribute, type NonResidentAttribute } from './attribute.ts';
import { type AttributeListEntry, LARGEST_ATTRIBUTE_LIST_BYTES, parseAttributeList } from './attributeList.ts';
import { type MftRecord, type MftReference, parseMftRecord } from './mftRecord.ts';
import { appendRuns, coveredClusters, HOLE, type Run } from './runList.ts';
import { type NtfsSource, type RunLayout, readRuns, readVolume, runStream } from './stream.ts';

const PAGE_BYTES = 16 * 1024;
const CACHED_PAGES = 512;
const LARGEST_READ_PAGES = 64;
const MIRRORED_RECORDS = 4;
const SCAN_BYTES = 1024 * 1024;
/** `FILE` */
const FILE_MARK = 0x454c4946;

export class Mft {
  readonly source: NtfsSource;
  /** What had to be read from a copy; grows while the volume is used. */
  readonly warnings = new Set<string>();
  private readonly pages = new Map<number, Promise<Buffer>>();
  private readonly lists = new WeakMap<MftRecord, AttributeListEntry[]>();
  private layout: RunLayout = { runs: [], sizeBytes: 0, initialisedBytes: 0 };

  private constructor(source: NtfsSource) {
    this.source = source;
  }

  static async open(source: NtfsSource): Promise<Mft> {
    const mft = new Mft(source);
    await mft.unroll();
    return mft;
  }

  /** Clusters without which nothing can be read: the boot sector's, the table's, its mirror's. */
  vitalRuns(): { lcn: number; clusters: number }[] {
    const { recordBytes, clusterBytes, clusterCount, mftMirrorCluster } = this.source.geometry;
    const mirror = { lcn: mftMirrorCluster, clusters: Math.ceil((MIRRORED_RECORDS * recordBytes) / clusterBytes) };
    const runs = [{ lcn: 0, clusters: 1 }, mirror, ...this.layout.runs];
    return runs.filter(({ lcn, clusters }) => lcn !== HOLE && lcn + clusters <= clusterCount);
  }

  /** Record `number`, in use or not. @throws FilesystemError `FS_DAMAGED`, `FS_NOT_FOUND` behind the end of the table. */
  async record(number: number): Promise<MftRecord> {
    const { recordBytes } = this.source.geometry;
    if (!this.holds(number)) throw new FilesystemError('FS_NOT_FOUND', `There is no MFT record ${number}.`);
    return this.orMirror(number, async () => {
      const pageIndex = this.pageOf(number);
      const page = await this.page(pageIndex);
      const inPage = number * recordBytes - pageIndex * this.pageBytes;
      return parseMftRecord(Buffer.from(page.subarray(inPage, inPage + recordBytes)), number);
    });
  }

  /** Records the table has room for. @throws FilesystemError `FS_DAMAGED` when they could not all lie on the volume. */
  get recordCount(): number {
    const { initialisedBytes } = this.layout;
    const { device, geometry } = this.source;
    // What the boot sector says of the volume may be a lie, and a hole would make room for any number of records.
    if (initialisedBytes > Math.min(geometry.volumeBytes, device.sizeBytes)) {
      throw new FilesystemError('FS_DAMAGED', '$MFT claims to be larger than the volume.');
    }
    return Math.floor(initialisedBytes / geometry.recordBytes);
  }

  /**
   * Hands every record with a FILE mark to `visit`, in order, as it lies on the disk; the bytes are the visitor's until it
   * returns. The next piece is under way meanwhile. What cannot be read is left out.
   */
  async scan(visit: (number: number, bytes: Buffer) => void): Promise<void> {
    const { recordBytes } = this.source.geometry;
    const tableBytes = this.recordCount * recordBytes;
    const read = (offsetBytes: number) => this.readPiece(offsetBytes, Math.min(SCAN_BYTES, tableBytes - offsetBytes));
    let coming = read(0);
    for (let offsetBytes = 0; offsetBytes < tableBytes; offsetBytes += SCAN_BYTES) {
      const piece = await coming;
      if (offsetBytes + SCAN_BYTES < tableBytes) coming = read(offsetBytes + SCAN_BYTES);
      if (piece === null) continue;
      for (let at = 0; at < piece.length; at += recordBytes) {
        if (piece.readUInt32LE(at) !== FILE_MARK) continue;
        visit((offsetBytes + at) / recordBytes, piece.subarray(at, at + recordBytes));
      }
    }
  }

  private async readPiece(offsetBytes: number, lengthBytes: number): Promise<Buffer | null> {
    const target = Buffer.allocUnsafe(lengthBytes);
    try {
      await readRuns(this.source, this.layout.runs, { offsetBytes, target });
      return target;
    } catch (error) {
      if (error instanceof FilesystemError || error instanceof DiskError) return null;
      throw error;
    }
  }

  /** Gets the pages of these records (ascending, a few hundred at most) into the cache, neighbouring pages by one read. */
  async prefetch(numbers: readonly number[]): Promise<void> {
    const spans: { first: number; pages: number }[] = [];
    for (const number of numbers) {
      const index = this.holds(number) ? this.pageOf(number) : -1;
      const last = spans.at(-1);
      if (index < 0 || this.pages.has(index) || (last !== undefined && index < last.first + last.pages)) continue;
      if (last !== undefined && index === last.first + last.pages && last.pages < LARGEST_READ_PAGES) last.pages += 1;
      else spans.push({ first: index, pages: 1 });
    }
    await Promise.allSettled(spans.flatMap(({ first, pages }) => this.startReading(first, pages)));
  }

  /** A file's base record, checked to be the one `reference` meant. @throws FilesystemError `FS_NOT_FOUND` when it is gone. */
  async file(reference: MftReference): Promise<MftRecord> {
    const record = await this.record(reference.number);
    const same = reference.sequence === 0 || record.sequence === reference.sequence;
    if (!record.inUse || record.base !== null || !same) {
      throw new FilesystemError('FS_NOT_FOUND', `MFT record ${reference.number} no longer holds that file.`);
    }
    return record;
  }

  /** First piece of an attribute, which carries its sizes; null when the file has none of that type and name. */
  async attribute(file: MftRecord, type: number, name = ''): Promise<Attribute | null> {
    if (!hasAttributeList(file)) return file.attributes.find((own) => own.type === type && own.name === name) ?? null;
    for await (const piece of this.pieces(file, type, name)) return piece;
    return null;
  }

  /** The names of all attributes of one type, each once, in order. */
  async namesOf(file: MftRecord, type: number): Promise<string[]> {
    const list = file.attributes.find((attribute) => attribute.type === ATTRIBUTE.attributeList);
    const named = list === undefined ? file.attributes : await this.entriesOf(file, list);
    return [...new Set(named.filter((one) => one.type === type).map(({ name }) => name))];
  }

  /** All clusters of a non-resident attribute whose first piece is `first`. */
  async layoutOf(file: MftRecord, first: NonResidentAttribute): Promise<RunLayout> {
    const runs: Run[] = [];
    for await (const piece of this.pieces(file, first.type, first.name)) {
      if (piece.resident) throw new FilesystemError('FS_DAMAGED', `MFT record ${file.number} mixes kinds of attributes.`);
      this.append(runs, piece);
    }
    return { runs, sizeBytes: first.sizeBytes, initialisedBytes: Math.min(first.initialisedBytes, first.sizeBytes) };
  }

  private async *pieces(file: MftRecord, type: number, name: string): AsyncGenerator<Attribute> {
    const list = file.attributes.find((attribute) => attribute.type === ATTRIBUTE.attributeList);
    if (list === undefined) {
      const own = file.attributes.find((attribute) => attribute.type === type && attribute.name === name);
      if (own !== undefined) yield own;
      return;
    }
    for (const entry of await this.entriesOf(file, list)) {
      if (entry.type !== type || entry.name !== name) continue;
      const holder = entry.holder.number === file.number ? file : await this.record(entry.holder.number);
      yield pieceIn(holder, entry, file);
    }
  }

  private async entriesOf(file: MftRecord, list: Attribute): Promise<AttributeListEntry[]> {
    const known = this.lists.get(file);
    if (known !== undefined) return known;
    const entries = await this.listEntries(file, list);
    this.lists.set(file, entries);
    return entries;
  }

  private async listEntries(file: MftRecord, list: Attribute): Promise<AttributeListEntry[]> {
    if (list.resident) return parseAttributeList(list.value, file.number);
    if (list.sizeBytes > LARGEST_ATTRIBUTE_LIST_BYTES) {
      throw new FilesystemError('FS_DAMAGED', `MFT record ${file.number} has an attribute list of ${list.sizeBytes} bytes.`);
    }
    const runs: Run[] = [];
    this.append(runs, list);
    const { sizeBytes, initialisedBytes } = list;
    const bytes = Buffer.alloc(sizeBytes);
    await runStream(this.source, { runs, sizeBytes, initialisedBytes: Math.min(sizeBytes, initialisedBytes) }).read(0, bytes);
    return parseAttributeList(bytes, file.number);
  }

  private append(runs: Run[], piece: NonResidentAttribute): void {
    if (piece.lowestVcn !== coveredClusters(runs)) throw new FilesystemError('FS_DAMAGED', 'A run list has a gap.');
    appendRuns(runs, piece.mappingPairs, this.source.geometry);
  }

  private async unroll(): Promise<void> {
    const { recordBytes, mftCluster, clusterBytes } = this.source.geometry;
    const table = await this.orMirror(0, async () => {
      const bytes = Buffer.alloc(recordBytes);
      await readVolume(this.source, mftCluster * clusterBytes, bytes);
      return parseMftRecord(bytes, 0);
    });
    const first = table.attributes.find((attribute) => attribute.type === ATTRIBUTE.data && attribute.name === '');
    if (first === undefined || first.resident) throw new FilesystemError('FS_DAMAGED', '$MFT does not say where it lies.');
    const runs: Run[] = [];
    this.append(runs, first);
    const { sizeBytes } = first;
    this.layout = { runs, sizeBytes, initialisedBytes: Math.min(sizeBytes, first.initialisedBytes) };
    const list = table.attributes.find((attribute) => attribute.type === ATTRIBUTE.attributeList);
    if (list === undefined) return;
    for (const entry of await this.listEntries(table, list)) {
      if (entry.type !== ATTRIBUTE.data || entry.name !== '' || entry.lowestVcn === 0) continue;
      const bytes = Buffer.alloc(recordBytes);
      await readRuns(this.source, runs, { offsetBytes: entry.holder.number * recordBytes, target: bytes });
      const piece = pieceIn(parseMftRecord(bytes, entry.holder.number), entry, table);
      if (!piece.resident) this.append(runs, piece);
    }
  }

  private holds(number: number): boolean {
    const endBytes = (number + 1) * this.source.geometry.recordBytes;
    return Number.isSafeInteger(endBytes) && endBytes <= this.layout.initialisedBytes;
  }

  private get pageBytes(): number {
    return Math.max(PAGE_BYTES, this.source.geometry.recordBytes);
  }

  private pageOf(number: number): number {
    return Math.floor((number * this.source.geometry.recordBytes) / this.pageBytes);
  }

  private async page(index: number): Promise<Buffer> {
    const cached = this.pages.get(index);
    if (cached !== undefined) {
      this.pages.delete(index);
      this.pages.set(index, cached);
      return cached;
    }
    const [page] = this.startReading(index, 1);
    return page ?? Buffer.alloc(0);
  }

  /** Puts `count` pages into the cache, filled by one read. */
  private startReading(first: number, count: number): Promise<Buffer>[] {
    const offsetBytes = first * this.pageBytes;
    const bytes = Buffer.alloc(Math.min(count * this.pageBytes, this.layout.initialisedBytes - offsetBytes));
    const reading = readRuns(this.source, this.layout.runs, { offsetBytes, target: bytes });
    const started: Promise<Buffer>[] = [];
    for (let index = first; index < first + count; index++) {
      const from = (index - first) * this.pageBytes;
      const page = reading.then(() => Buffer.from(bytes.subarray(from, from + this.pageBytes)));
      page.catch(() => this.pages.delete(index));
      this.pages.set(index, page);
      started.push(page);
    }
    while (this.pages.size > CACHED_PAGES) {
      const oldest = this.pages.keys().next().value;
      if (oldest === undefined) break;
      this.pages.delete(oldest);
    }
    return started;
  }

  private async orMirror(number: number, read: () => Promise<MftRecord>): Promise<MftRecord> {
    try {
      return await read();
    } catch (error) {
      if (number >= MIRRORED_RECORDS) throw error;
      const copy = await this.mirrored(number);
      if (copy === null) throw error;
      this.warnings.add(`MFT record ${number} is damaged; its copy in $MFTMirr was used.`);
      return copy;
    }
  }

  private async mirrored(number: number): Promise<MftRecord | null> {
    const { recordBytes, mftMirrorCluster, clusterBytes } = this.source.geometry;
    try {
      const bytes = Buffer.alloc(recordBytes);
      await readVolume(this.source, mftMirrorCluster * clusterBytes + number * recordBytes, bytes);
      return parseMftRecord(bytes, number);
    } catch (error) {
      if (error instanceof FilesystemError || error instanceof DiskError) return null;
      throw error;
    }
  }
}

function hasAttributeList(file: MftRecord): boolean {
  return file.attributes.some(({ type }) => type === ATTRIBUTE.attributeList);
}

function pieceIn(holder: MftRecord, entry: AttributeListEntry, file: MftRecord): Attribute {
  const foreign = holder !== file && holder.base?.number !== file.number;
  const piece = holder.attributes.find(
    ({ type, name, ...rest }) =>
      type === entry.type && name === entry.name && (rest.resident ? 0 : rest.lowestVcn) === entry.lowestVcn,
  );
  if (!holder.inUse || foreign || piece === undefined) {
    throw new FilesystemError('FS_DAMAGED', `MFT record ${holder.number} lacks a piece that record ${file.number} names.`);
  }
  return piece;
}
