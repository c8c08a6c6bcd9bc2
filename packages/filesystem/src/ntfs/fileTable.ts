/**
 * What one pass over the master file table tells of all files at once: names, and where plain content lies. Folders are not read
 * at all: every file's own record names its parents. The table is read from its first byte to its last in large pieces, whatever
 * the order in which files are told afterwards.
 *
 * Memory, by measure: 11 bytes per record of the table, and per file with clusters 34 bytes, 16 per fragment, 18 and the name per
 * name: some 110 bytes for a usual file. Files whose content lies in the record itself cost nothing more.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { ATTRIBUTE, type Attribute } from './attribute.ts';
import { BytePool, Column } from './column.ts';
import { shownName } from './entry.ts';
import type { Mft } from './mft.ts';
import { type MftRecord, parseMftRecord, readReference } from './mftRecord.ts';
import { appendRuns, HOLE, type Run } from './runList.ts';

const FIRST_USER_RECORD = 24;
const ROOT_RECORD = 5;
const MOST_NAMES = 10_000_000;
/** 256 MiB of them; the files beyond are asked for their clusters one by one when they are told. */
const MOST_KEPT_RUNS = 16 * 2 ** 20;
const NAMESPACE_DOS = 2;
const ATTRIBUTE_SYSTEM = 0x4;
const STANDARD_BYTES = 48;

/** What a record holds. `ask`: a file whose content only a closer look can find (attribute lists, reparse points, system files). */
export const HOLDS = { nothing: 0, folder: 1, plain: 2, ask: 3 } as const;

/** Times in words of 32 bits, the lower first, as they stand on the volume. */
export interface FileTimes {
  readonly modified: readonly [number, number];
  readonly changed: readonly [number, number];
}

export interface PlainFile extends FileTimes {
  readonly sizeBytes: number;
  readonly initialisedBytes: number;
  /** As `RunLayout.runs`. */
  readonly runs: readonly Run[];
}

const words = (length: number) => new Uint32Array(length);
const numbers = (length: number) => new Float64Array(length);

export class FileTable {
  readonly recordCount: number;
  private readonly holds: Uint8Array;
  private readonly sequences: Uint16Array;
  /** Per record: the index of its facts. */
  private readonly factsOf: Uint32Array;
  private readonly facts = {
    size: new Column(numbers),
    initialised: new Column(numbers),
    times: new Column(words),
    firstRun: new Column(words),
  };
  private readonly runs = { lcn: new Column(numbers), clusters: new Column(numbers) };
  private readonly links = {
    record: new Column(words),
    parent: new Column(words),
    /** The generations of both, 16 bits each. */
    sequences: new Column(words),
    name: new Column(numbers),
  };
  private readonly names = new BytePool();
  private readonly childStart: Uint32Array;
  private children = words(0);
  private readonly mft: Mft;

  private constructor(mft: Mft) {
    this.mft = mft;
    this.recordCount = mft.recordCount;
    this.holds = new Uint8Array(this.recordCount);
    this.sequences = new Uint16Array(this.recordCount);
    this.factsOf = words(this.recordCount);
    this.childStart = words(this.recordCount + 1);
  }

  /** @throws FilesystemError `FS_TOO_LARGE` above 10 million names. Records that cannot be read are left out. */
  static async read(mft: Mft): Promise<FileTable> {
    const table = new FileTable(mft);
    await mft.scan((number, bytes) => {
      try {
        table.take(parseMftRecord(bytes, number));
      } catch (error) {
        if (!(error instanceof FilesystemError) || error.code === 'FS_TOO_LARGE') throw error;
      }
    });
    table.groupByParent();
    return table;
  }

  /** One of `HOLDS`. */
  kindOf(record: number): number {
    return this.holds[record] ?? HOLDS.nothing;
  }

  sequenceOf(record: number): number {
    return this.sequences[record] ?? 0;
  }

  /** The names in a folder, as indices of links, in byte order of their UTF-8. */
  childrenOf(folder: number): Uint32Array {
    const links = this.children.subarray(this.childStart[folder], this.childStart[folder + 1]);
    return links.sort((one, other) => this.names.compare(this.nameRange(one), this.nameRange(other)) || one - other);
  }

  link(index: number): { record: number; name: string } {
    const { start, end } = this.nameRange(index);
    return { record: this.links.record.at(index), name: this.names.text(start, end) };
  }

  plainFile(record: number): PlainFile {
    const index = this.factsOf[record] ?? 0;
    const { size, initialised, times, firstRun } = this.facts;
    const endRun = index + 1 < firstRun.length ? firstRun.at(index + 1) : this.runs.lcn.length;
    const runs: Run[] = [];
    for (let run = firstRun.at(index), vcn = 0; run < endRun; run++) {
      const clusters = this.runs.clusters.at(run);
      runs.push({ vcn, lcn: this.runs.lcn.at(run), clusters });
      vcn += clusters;
    }
    const word = (offset: number) => times.at(index * 4 + offset);
    return {
      sizeBytes: size.at(index),
      initialisedBytes: initialised.at(index),
      modified: [word(0), word(1)],
      changed: [word(2), word(3)],
      runs,
    };
  }

  private nameRange(link: number): { start: number; end: number } {
    const { name } = this.links;
    return { start: name.at(link), end: link + 1 < name.length ? name.at(link + 1) : this.names.length };
  }

  private take(record: MftRecord): void {
    if (!record.inUse) return;
    const { number, base, sequence } = record;
    if (base === null) {
      this.sequences[number] = sequence;
      this.holds[number] = record.isDirectory ? HOLDS.folder : this.takeFile(record);
      if (this.holds[number] === HOLDS.nothing) return;
    }
    const owner = base ?? { number, sequence };
    if (owner.number >= this.recordCount || owner.number === ROOT_RECORD) return;
    for (const attribute of record.attributes) {
      if (attribute.type === ATTRIBUTE.fileName && attribute.resident) this.takeName(owner, attribute.value);
    }
  }

  private takeName(owner: { number: number; sequence: number }, value: Buffer): void {
    const name = new ByteReader(value, 'A file name');
    if (name.u8(65) === NAMESPACE_DOS) return;
    const parent = readReference(name, 0);
    if (parent.number >= this.recordCount || (parent.number === ROOT_RECORD && owner.number < FIRST_USER_RECORD)) return;
    if (this.links.record.length >= MOST_NAMES) {
      throw new FilesystemError('FS_TOO_LARGE', 'This NTFS volume has over 10 million names.');
    }
    this.links.name.push(this.names.push(shownName(name.slice(66, name.u8(64) * 2))));
    this.links.record.push(owner.number);
    this.links.parent.push(parent.number);
    this.links.sequences.push(owner.sequence * 65536 + parent.sequence);
  }

  /** Keeps what a file's only record says of its content; one of `HOLDS`. */
  private takeFile(record: MftRecord): number {
    const { attributes } = record;
    const isSpecial = ({ type }: Attribute) => type === ATTRIBUTE.attributeList || type === ATTRIBUTE.reparsePoint;
    if (attributes.some(isSpecial)) return HOLDS.ask;
    const data = attributes.find(({ type, name }) => type === ATTRIBUTE.data && name === '');
    if (data === undefined || data.resident || data.compressed || data.encrypted) return HOLDS.nothing;
    const standard = attributes.find(({ type }) => type === ATTRIBUTE.standardInformation);
    if (standard === undefined || !standard.resident || standard.value.length < STANDARD_BYTES) return HOLDS.ask;
    if ((standard.value.readUInt32LE(32) & ATTRIBUTE_SYSTEM) !== 0) return HOLDS.ask;
    if (this.runs.lcn.length >= MOST_KEPT_RUNS) return HOLDS.ask;
    const runs: Run[] = [];
    appendRuns(runs, data.mappingPairs, this.mft.source.geometry);
    if (runs.every(({ lcn }) => lcn === HOLE)) return HOLDS.nothing;
    this.factsOf[record.number] = this.facts.size.length;
    this.facts.firstRun.push(this.runs.lcn.length);
    this.facts.size.push(data.sizeBytes);
    this.facts.initialised.push(Math.min(data.initialisedBytes, data.sizeBytes));
    for (const offset of [8, 12, 16, 20]) this.facts.times.push(standard.value.readUInt32LE(offset));
    for (const { lcn, clusters } of runs) {
      this.runs.lcn.push(lcn);
      this.runs.clusters.push(clusters);
    }
    return HOLDS.plain;
  }

  /** A name counts when both its file and its folder are still the ones it was given for. */
  private isCurrent(link: number): boolean {
    const [record, parent] = [this.links.record.at(link), this.links.parent.at(link)];
    const sequences = this.links.sequences.at(link);
    const [own, parents] = [Math.floor(sequences / 65536), sequences % 65536];
    const fits = (stored: number, number: number) => stored === 0 || stored === this.sequences[number];
    return (
      this.kindOf(record) !== HOLDS.nothing && this.kindOf(parent) === HOLDS.folder && fits(own, record) && fits(parents, parent)
    );
  }

  /** Sorts links by parent: one count, one sum, one placing. */
  private groupByParent(): void {
    const { parent } = this.links;
    let kept = 0;
    for (let link = 0; link < parent.length; link++) {
      if (!this.isCurrent(link)) continue;
      const slot = parent.at(link) + 1;
      this.childStart[slot] = (this.childStart[slot] ?? 0) + 1;
      kept++;
    }
    for (let record = 1; record <= this.recordCount; record++) {
      this.childStart[record] = (this.childStart[record] ?? 0) + (this.childStart[record - 1] ?? 0);
    }
    this.children = words(kept);
    const next = this.childStart.slice(0, this.recordCount);
    for (let link = 0; link < parent.length; link++) {
      if (!this.isCurrent(link)) continue;
      const folder = parent.at(link);
      const place = next[folder] ?? 0;
      this.children[place] = link;
      next[folder] = place + 1;
    }
  }
}
