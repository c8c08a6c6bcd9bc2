/**
 * Where the content of every file lies. Told are the clusters of unnamed $DATA that is neither compressed nor encrypted, without
 * holes and without what lies behind the initialised size: that reads as zero whatever the clusters hold.
 */
import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { FileExtent, FileLayout } from '../filesystem.ts';
import { ATTRIBUTE } from './attribute.ts';
import { readFacts } from './entry.ts';
import { FileTable, type FileTimes, HOLDS } from './fileTable.ts';
import type { Mft } from './mft.ts';
import { HOLE } from './runList.ts';
import type { NtfsSource, RunLayout } from './stream.ts';
import { volumeEnd } from './usedMap.ts';

const ROOT_RECORD = 5;
/** What Windows can name. */
const LONGEST_PATH = 32_767;

interface Folder {
  readonly path: string;
  readonly links: Uint32Array;
  next: number;
}

/** As `Filesystem.fileLayouts`; the whole table is read before the first file comes. */
export async function* fileLayouts(mft: Mft): AsyncGenerator<FileLayout> {
  const table = await FileTable.read(mft);
  const told = new Uint8Array(table.recordCount);
  const stack: Folder[] = [{ path: '', links: table.childrenOf(ROOT_RECORD), next: 0 }];
  for (let folder = stack.at(-1); folder !== undefined; folder = stack.at(-1)) {
    const link = folder.links[folder.next++];
    if (link === undefined) {
      stack.pop();
      continue;
    }
    const { record, name } = table.link(link);
    const path = folder.path === '' ? name : `${folder.path}/${name}`;
    if (path.length > LONGEST_PATH) continue;
    if (table.kindOf(record) === HOLDS.folder) {
      if (told[record] === 1) throw new FilesystemError('FS_DAMAGED', `The folder ${path} has a second place.`);
      told[record] = 1;
      stack.push({ path, links: table.childrenOf(record), next: 0 });
    } else if (told[record] === 0) {
      told[record] = 1;
      const layout = await layoutOf(mft, table, record);
      if (layout !== null) yield { path, ...layout };
    }
  }
}

type Unnamed = Omit<FileLayout, 'path'>;

async function layoutOf(mft: Mft, table: FileTable, record: number): Promise<Unnamed | null> {
  const sequence = table.sequenceOf(record);
  if (table.kindOf(record) === HOLDS.plain) {
    const file = table.plainFile(record);
    return describe(mft, { ...file, ref: `${record}-${sequence}` });
  }
  try {
    return await askForLayout(mft, record, sequence);
  } catch (error) {
    if (error instanceof FilesystemError || error instanceof DiskError) return null;
    throw error;
  }
}

/** The long way, for the few files whose one record does not say it all. */
async function askForLayout(mft: Mft, number: number, sequence: number): Promise<Unnamed | null> {
  const record = await mft.file({ number, sequence });
  const { type, data, provider } = await readFacts(mft, record);
  if (type !== 'file' || provider !== null || data === null) return null;
  if (data.resident || data.compressed || data.encrypted) return null;
  const standard = await mft.attribute(record, ATTRIBUTE.standardInformation);
  const times = standard?.resident && standard.value.length >= 24 ? standard.value : Buffer.alloc(24);
  const word = (offset: number) => times.readUInt32LE(offset);
  const [modified, changed] = [[word(8), word(12)] as const, [word(16), word(20)] as const];
  return describe(mft, { ...(await mft.layoutOf(record, data)), modified, changed, ref: `${number}-${sequence}` });
}

function describe(mft: Mft, file: RunLayout & FileTimes & { readonly ref: string }): Unnamed | null {
  const { ref, sizeBytes, initialisedBytes } = file;
  const extents = extentsOf(file, mft.source);
  if (extents.length === 0) return null;
  const ticks = [file.modified, file.changed].map(([low, high]) => (BigInt(high) * 2n ** 32n + BigInt(low)).toString(36));
  return { ref, sizeBytes, stamp: [ref, sizeBytes, initialisedBytes, ...ticks].join('.'), extents };
}

/**
 * Whole clusters up to the end of what was initialised. The cluster in which that ends is told whole: the rest of it means as
 * little as the rest of the last cluster of a file.
 */
export function extentsOf(layout: RunLayout, source: NtfsSource): FileExtent[] {
  const { clusterBytes } = source.geometry;
  const clustersThere = Math.floor(volumeEnd(source) / clusterBytes);
  const cut = Math.ceil(Math.min(layout.initialisedBytes, layout.sizeBytes) / clusterBytes);
  const extents: FileExtent[] = [];
  for (const { vcn, lcn, clusters } of layout.runs) {
    const count = Math.min(clusters, cut - vcn, clustersThere - lcn);
    if (lcn === HOLE || count <= 0) continue;
    extents.push({
      fileOffsetBytes: vcn * clusterBytes,
      volumeOffsetBytes: lcn * clusterBytes,
      lengthBytes: count * clusterBytes,
    });
  }
  return extents;
}
