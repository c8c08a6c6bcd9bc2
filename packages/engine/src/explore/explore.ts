/**
 * The files of a disk, live or saved, without a mount: the same walk whether the bytes come from a drive, a file or a vault.
 * Nothing is written and no kernel looks at the filesystem, so a hostile image can at worst give an error.
 */
import type { BlockDevice } from '@diskfleet/disk';
import { type DirectoryEntry, type FileReader, type Filesystem, FilesystemError, type NamedStream } from '@diskfleet/filesystem';
import type { SavedDiskInfo } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { layoutOf } from '../layout/readLayout.ts';
import { readVolumes } from '../layout/readVolumes.ts';
import { withLeftOut } from '../layout/withLeftOut.ts';
import type { DiskLayout, ExploreEntry, ExploreFile, Explorer, LayoutPartition } from '../types.ts';
import { cachedDevice } from './cachedDevice.ts';
import { PathFinder } from './lookUp.ts';

const STREAM_BYTES = 1024 * 1024;

/** One filesystem of the disk and the walk inside it. */
interface Volume {
  readonly filesystem: Filesystem;
  readonly finder: PathFinder;
}

/** A saved disk knows which of its partitions are not in its point. */
type DiskToExplore = BlockDevice & { readonly info?: Pick<SavedDiskInfo, 'partitions'> };

/**
 * @param device stays open and belongs to the caller; close it when done exploring
 * @throws DiskError when the disk itself cannot be read
 */
export async function explore(device: DiskToExplore): Promise<Explorer> {
  // A saved disk keeps chunks itself. Blocks over chunks that follow files would decode many of them for each block, most for nothing.
  const cached = device.info === undefined ? cachedDevice(device) : device;
  const found = await readVolumes(cached);
  const whole = await layoutOf(cached, found);
  const layout = device.info === undefined ? whole : withLeftOut(whole, device.info);
  const volumes = new Map<number, Volume>();
  if (found.whole.filesystem !== null) volumes.set(0, volumeOf(found.whole.filesystem));
  for (const { partition, filesystem } of found.volumes) {
    if (filesystem !== null) volumes.set(partition.number, volumeOf(filesystem));
  }
  const walk: Walk = { layout, volumes };
  return {
    layout,
    list: (path) => list(walk, path),
    stat: (path) => stat(walk, path),
    open: (path) => open(walk, path),
  };
}

function volumeOf(filesystem: Filesystem): Volume {
  return { filesystem, finder: new PathFinder(filesystem) };
}

interface Walk {
  readonly layout: DiskLayout;
  readonly volumes: ReadonlyMap<number, Volume>;
}

interface Place {
  readonly partition: LayoutPartition | null;
  readonly volume: Volume;
  readonly segments: readonly string[];
}

/** Which filesystem a path leads into, or null for the top of a disk with a partition table. */
function placeOfPath({ layout, volumes }: Walk, path: string): Place | null {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (layout.table === null) {
    const volume = volumes.get(0);
    if (volume === undefined) throw unknown('this disk has no partition table and no filesystem we can read');
    return { partition: null, volume, segments: segments[0] === '0' ? segments.slice(1) : segments };
  }
  const [first, ...rest] = segments;
  if (first === undefined) return null;
  const partition = layout.partitions.find(({ number }) => String(number) === first);
  if (partition === undefined) {
    const numbers = layout.partitions.map(({ number }) => number).join(', ');
    const known = numbers === '' ? 'it has none' : `it has ${numbers}`;
    throw new EngineError('PARTITION_NOT_FOUND', `${path}: a path begins with the number of a partition of this disk (${known})`);
  }
  if (partition.content === 'leftOut') {
    throw new EngineError('PARTITION_LEFT_OUT', `partition ${partition.number} is not part of this restore point`);
  }
  const volume = volumes.get(partition.number);
  if (volume === undefined)
    throw unknown(
      `partition ${partition.number} (${partition.filesystem?.kind ?? partition.typeName}) holds no filesystem we can read`,
    );
  return { partition, volume, segments: rest };
}

function unknown(message: string): EngineError {
  return new EngineError('FILESYSTEM_UNKNOWN', `${message}; its bytes can still be restored`);
}

async function* list(walk: Walk, path: string): AsyncGenerator<ExploreEntry> {
  const place = placeOfPath(walk, path);
  if (place === null) {
    for (const partition of walk.layout.partitions) yield partitionEntry(walk, partition);
    return;
  }
  const folder = await place.volume.finder.find(place.segments, path);
  if (folder.type !== 'directory') throw new FilesystemError('FS_NOT_A_DIRECTORY', `${path} is not a folder`);
  for await (const entry of place.volume.filesystem.readDirectory(folder)) yield exploreEntry(entry);
}

async function stat(walk: Walk, path: string): Promise<ExploreEntry> {
  const segments = path.split('/').filter((segment) => segment !== '');
  const top = walk.layout.partitions.find(({ number }) => String(number) === segments[0]);
  if (top !== undefined && segments.length === 1) return partitionEntry(walk, top);
  const place = placeOfPath(walk, path);
  if (place === null) return partitionEntry(walk, null);
  return contentEntry(await place.volume.finder.findContent(place.segments, path));
}

async function open(walk: Walk, path: string): Promise<ExploreFile> {
  const place = placeOfPath(walk, path);
  if (place === null) throw new FilesystemError('FS_NOT_A_FILE', `${path} is a disk, not a file`);
  const found = await place.volume.finder.findContent(place.segments, path);
  const { entry, stream: named } = found;
  if (named === null && entry.type !== 'file') throw new FilesystemError('FS_NOT_A_FILE', `${path} is not a file`);
  const reader = await place.volume.filesystem.openFile(entry, named === null ? {} : { stream: named.name });
  return {
    entry: contentEntry(found),
    sizeBytes: reader.sizeBytes,
    read: (offsetBytes, target) => reader.read(offsetBytes, target),
    stream: (range = { fromByte: 0, toByte: reader.sizeBytes }) => stream(reader, range.fromByte, range.toByte),
  };
}

/** Each chunk is a buffer of its own: a consumer may keep it. While one is consumed the next is on its way: a vault may be far. */
async function* stream(reader: FileReader, fromByte: number, toByte: number): AsyncGenerator<Uint8Array> {
  if (fromByte < 0 || toByte > reader.sizeBytes || fromByte > toByte) {
    throw new FilesystemError(
      'FS_OUT_OF_RANGE',
      `bytes ${fromByte} to ${toByte} lie outside a file of ${reader.sizeBytes} bytes`,
    );
  }
  const load = async (at: number): Promise<Buffer> => {
    const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(STREAM_BYTES, toByte - at)));
    if (chunk.length > 0) await reader.read(at, chunk);
    return chunk;
  };
  let next = load(fromByte);
  try {
    for (let at = fromByte; at < toByte; at += STREAM_BYTES) {
      const chunk = await next;
      next = load(at + STREAM_BYTES);
      // Its failure is met when its turn comes.
      next.catch(() => {});
      yield chunk;
    }
  } finally {
    // Whoever stops early may close the disk now.
    await next.catch(() => {});
  }
}

function exploreEntry({ name, type, sizeBytes, modifiedAtMs, mode, linkTarget, streams }: DirectoryEntry): ExploreEntry {
  const entry = { name, type, sizeBytes, modifiedAtMs, mode, linkTarget, partition: null, listable: type === 'directory' };
  return streams === undefined ? entry : { ...entry, streams };
}

/** A stream is shown as a file of its own. */
function contentEntry({ entry, stream: named }: { entry: DirectoryEntry; stream: NamedStream | null }): ExploreEntry {
  if (named === null) return exploreEntry(entry);
  const { modifiedAtMs } = entry;
  const none = { mode: null, linkTarget: null, partition: null };
  return {
    name: `${entry.name}:${named.name}`,
    type: 'file',
    sizeBytes: named.sizeBytes,
    modifiedAtMs,
    ...none,
    listable: false,
  };
}

function partitionEntry({ volumes }: Walk, partition: LayoutPartition | null): ExploreEntry {
  const name = partition === null ? '' : String(partition.number);
  const listable = partition === null || (partition.content !== 'leftOut' && volumes.has(partition.number));
  return { name, type: 'directory', sizeBytes: 0, modifiedAtMs: null, mode: null, linkTarget: null, partition, listable };
}
