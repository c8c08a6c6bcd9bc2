/**
 * Swap files of Linux, by their own mark, where systems keep them: in the root of the volume, in its folder `swap`, and in the
 * subvolumes that installers make (`@`, `@swap`, `root`). The header is the first page; what follows is lost with the system that
 * runs anyway. While a machine sleeps in its swap file another mark stands there, and the file is not told: its memory is in it.
 */
import { DiskError, type Extent, mergeExtents } from '@diskfleet/disk';
import { FilesystemError } from './errors.ts';
import type { DirectoryEntry, FileExtent, Filesystem, VolatileFile } from './filesystem.ts';

const FOLDERS: ReadonlySet<string> = new Set(['swap', '@swap', '@', 'root']);
const DEEPEST = 2;
const MOST_ENTRIES = 10_000;
const PAGE_SIZES = [4096, 8192, 16_384, 32_768, 65_536];
const MARK = 'SWAPSPACE2';
/** The kernel refuses less. */
const LEAST_PAGES = 10;

export interface SwapSource extends Pick<Filesystem, 'root' | 'readDirectory' | 'openFile'> {
  /** Where a file lies, reserved and never written parts too (swapping writes past the filesystem); empty when it is not plain. */
  allocatedExtents(file: DirectoryEntry): Promise<readonly FileExtent[]>;
  readonly blockBytes: number;
}

/** As `Filesystem.volatileFiles`. */
export async function swapFiles(source: SwapSource): Promise<VolatileFile[]> {
  const found: VolatileFile[] = [];
  await orPassBy(async () => visit(source, { directory: await source.root(), prefix: '', depth: 0 }, found));
  return found;
}

interface Place {
  readonly directory: DirectoryEntry;
  readonly prefix: string;
  readonly depth: number;
}

async function visit(source: SwapSource, { directory, prefix, depth }: Place, found: VolatileFile[]): Promise<void> {
  let entries = 0;
  for await (const entry of source.readDirectory(directory)) {
    if (++entries > MOST_ENTRIES) return;
    const path = prefix + entry.name;
    if (entry.type === 'directory' && depth < DEEPEST && FOLDERS.has(entry.name)) {
      await orPassBy(() => visit(source, { directory: entry, prefix: `${path}/`, depth: depth + 1 }, found));
    } else if (entry.type === 'file' && entry.sizeBytes >= LEAST_PAGES * 4096) {
      const extents = await orPassBy(() => swapExtents(source, entry));
      if (extents && extents.length > 0) found.push({ kind: 'swap', path, extents, mustBeZero: [] });
    }
  }
}

/** Null when it is no swap file. */
async function swapExtents(source: SwapSource, file: DirectoryEntry): Promise<Extent[] | null> {
  const content = await source.openFile(file);
  const head = Buffer.alloc(Math.min(content.sizeBytes, Math.max(...PAGE_SIZES)));
  await content.read(0, head);
  const pageBytes = PAGE_SIZES.find((bytes) => head.toString('latin1', bytes - MARK.length, bytes) === MARK);
  if (pageBytes === undefined) return null;
  const [version, lastPage] = [head.readUInt32LE(1024), head.readUInt32LE(1028)];
  const endBytes = (lastPage + 1) * pageBytes;
  if (version !== 1 || lastPage < LEAST_PAGES - 1 || endBytes > content.sizeBytes) return null;
  const { blockBytes } = source;
  const from = Math.ceil(pageBytes / blockBytes) * blockBytes;
  const to = Math.floor(endBytes / blockBytes) * blockBytes;
  const extents: Extent[] = [];
  for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of await source.allocatedExtents(file)) {
    const start = Math.max(fileOffsetBytes, from);
    const end = Math.min(fileOffsetBytes + lengthBytes, to);
    if (end > start) extents.push({ offsetBytes: volumeOffsetBytes + start - fileOffsetBytes, lengthBytes: end - start });
  }
  return mergeExtents(extents);
}

/** What cannot be read counts as not there: then it is backed up like anything else. */
async function orPassBy<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FilesystemError || error instanceof DiskError) return null;
    throw error;
  }
}
