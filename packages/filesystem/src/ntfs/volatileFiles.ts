/** Page files, and the file a Windows that hibernates (or shuts down "fast") writes its memory into. They lie in the root. */
import { DiskError, type Extent, mergeExtents } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { VolatileFile } from '../filesystem.ts';
import { ATTRIBUTE } from './attribute.ts';
import { type IndexEntry, walkDirectory } from './directoryIndex.ts';
import { shownName } from './entry.ts';
import type { Mft } from './mft.ts';
import { HOLE, type Run } from './runList.ts';
import { volumeEnd } from './usedMap.ts';

const ROOT_RECORD = 5;
const KINDS: ReadonlyMap<string, VolatileFile['kind']> = new Map([
  ['pagefile.sys', 'pagefile'],
  ['swapfile.sys', 'pagefile'],
  ['hiberfil.sys', 'hibernation'],
]);
/** The page whose first letters say that there is a memory to resume from. */
const RESUME_MARK_BYTES = 4096;

/** As `Filesystem.volatileFiles`. */
export async function volatileFiles(mft: Mft): Promise<VolatileFile[]> {
  const files: VolatileFile[] = [];
  await orPassBy(async () => {
    for await (const named of walkDirectory(mft, await mft.record(ROOT_RECORD))) {
      const path = shownName(named.nameBytes);
      const kind = KINDS.get(path.toLowerCase());
      const runs = kind === undefined ? [] : await plainRuns(mft, named);
      const extents = extentsOf(mft, runs, Number.POSITIVE_INFINITY);
      if (kind === undefined || extents.length === 0) continue;
      files.push({ kind, path, extents, mustBeZero: kind === 'hibernation' ? extentsOf(mft, runs, RESUME_MARK_BYTES) : [] });
    }
  });
  return files;
}

/** Where all of its content lies, empty unless it lies there as it is. */
async function plainRuns(mft: Mft, { reference }: IndexEntry): Promise<readonly Run[]> {
  const layout = await orPassBy(async () => {
    const record = await mft.file(reference);
    const data = await mft.attribute(record, ATTRIBUTE.data);
    const special = await mft.attribute(record, ATTRIBUTE.reparsePoint);
    if (data === null || data.resident || data.compressed || data.encrypted || special !== null) return null;
    return mft.layoutOf(record, data);
  });
  return layout?.runs ?? [];
}

/** The clusters that hold the first `fileBytes` of a file. */
function extentsOf(mft: Mft, runs: readonly Run[], fileBytes: number): Extent[] {
  const { clusterBytes } = mft.source.geometry;
  const endCluster = Math.floor(volumeEnd(mft.source) / clusterBytes);
  const endVcn = Math.ceil(fileBytes / clusterBytes);
  const extents: Extent[] = [];
  for (const { vcn, lcn, clusters } of runs) {
    const count = Math.min(clusters, endVcn - vcn, endCluster - lcn);
    if (lcn !== HOLE && count > 0) extents.push({ offsetBytes: lcn * clusterBytes, lengthBytes: count * clusterBytes });
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
