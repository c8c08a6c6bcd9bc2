/**
 * A physical volume of LVM as a filesystem of its own: its used blocks are its metadata and what the logical volumes on it use, its
 * folders the volume group and the volumes in it. So whoever knows filesystems (backup, explore, the cutter) need not know LVM.
 */
import { type Extent, mergeExtents } from '@diskfleet/disk';
import {
  type DirectoryEntry,
  type FileExtent,
  type FileLayout,
  type Filesystem,
  FilesystemError,
  type FilesystemInfo,
  type LogicalVolume,
  type PhysicalVolume,
  type UsedMap,
  type VolatileFile,
} from '@diskfleet/filesystem';
import { usedOfContent } from './usedOfContent.ts';
import type { VolumeContent } from './volumeContent.ts';

const SECTOR_BYTES = 512;
/** A file in more pieces is left to be cut by its place. */
const MAX_PIECES = 1 << 16;

/** The logical volumes of a disk, opened, and what is used inside of them, which is asked at most once. */
export class OpenedVolumes {
  readonly contents: ReadonlyMap<LogicalVolume, VolumeContent>;
  #used: Promise<Map<LogicalVolume, readonly Extent[]>> | null = null;
  readonly #warnings = new Map<LogicalVolume, string[]>();

  constructor(contents: ReadonlyMap<LogicalVolume, VolumeContent>) {
    this.contents = contents;
  }

  contentOf(volume: LogicalVolume): VolumeContent | null {
    return this.contents.get(volume) ?? null;
  }

  /** Those that are not told are used whole. */
  used(): Promise<ReadonlyMap<LogicalVolume, readonly Extent[]>> {
    this.#used ??= this.#readUsed();
    return this.#used;
  }

  warningsOf(volume: LogicalVolume): readonly string[] {
    return this.#warnings.get(volume) ?? [];
  }

  async #readUsed(): Promise<Map<LogicalVolume, readonly Extent[]>> {
    const used = new Map<LogicalVolume, readonly Extent[]>();
    for (const [volume, content] of this.contents) {
      if (!volume.exclusive) continue;
      const warnings: string[] = [];
      const extents = await usedOfContent(content, volume.sizeBytes, (text) => warnings.push(`${volume.name}: ${text}`));
      this.#warnings.set(volume, warnings);
      if (extents !== null) used.set(volume, extents);
    }
    return used;
  }
}

/** @param groupName of `physical`, which has one */
export function groupFilesystem(physical: PhysicalVolume, sizeBytes: number, opened: OpenedVolumes): Filesystem {
  const volumes = [...physical.volumes].sort((left, right) => (left.name < right.name ? -1 : 1));
  const inside = new Folders(physical.groupName ?? '', volumes, opened);
  return {
    info: infoOf(physical, sizeBytes, opened),
    async usedMap(): Promise<UsedMap> {
      const extents = physical.usedExtents(await opened.used());
      const usedBytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
      return { extents, usedBytes, warnings: physical.volumes.flatMap((volume) => opened.warningsOf(volume)) };
    },
    root: async () => folder('', 'root'),
    readDirectory: (directory) => inside.list(directory),
    openFile: (file, options) => inside.open(file, options),
    fileLayouts: () => layoutsOf(physical, volumes, opened),
    volatileFiles: () => volatileOf(physical, opened),
  };
}

/** Used is what a backup takes at most, as far as the headers of the filesystems inside tell. */
function infoOf(physical: PhysicalVolume, sizeBytes: number, opened: OpenedVolumes): FilesystemInfo {
  let usedBytes = physical.usedExtents(new Map()).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  let clean = true;
  for (const [volume, { filesystem, recognised, rival }] of opened.contents) {
    const hereBytes = physical.bytesOf(volume);
    if (hereBytes === 0) continue;
    if (filesystem !== null) clean &&= filesystem.info.clean;
    const inner = filesystem?.info ?? recognised;
    if (physical.doubts.length > 0 || !volume.exclusive || rival !== null || inner === null) continue;
    const freeBytes = Math.max(0, Math.min(inner.totalBytes, volume.sizeBytes) - inner.usedBytes);
    usedBytes -= Math.floor((freeBytes / volume.sizeBytes) * hereBytes);
  }
  return { kind: 'lvm2', label: '', uuid: physical.uuid, blockBytes: SECTOR_BYTES, totalBytes: sizeBytes, usedBytes, clean };
}

function folder(name: string, ref: string): DirectoryEntry {
  return {
    name,
    nameBytes: Buffer.from(name),
    type: 'directory',
    sizeBytes: 0,
    modifiedAtMs: null,
    mode: null,
    ref,
    linkTarget: null,
  };
}

/** `root`, in it `group`, in it the volumes by their number, in them what they hold: `<number>:<ref of theirs>`. */
class Folders {
  readonly #groupName: string;
  readonly #volumes: readonly LogicalVolume[];
  readonly #opened: OpenedVolumes;

  constructor(groupName: string, volumes: readonly LogicalVolume[], opened: OpenedVolumes) {
    this.#groupName = groupName;
    this.#volumes = volumes;
    this.#opened = opened;
  }

  async *list(directory: DirectoryEntry): AsyncGenerator<DirectoryEntry> {
    if (directory.type !== 'directory') throw new FilesystemError('FS_NOT_A_DIRECTORY', `${directory.name} is not a folder`);
    if (directory.ref === 'root') {
      yield folder(this.#groupName, 'group');
    } else if (directory.ref === 'group') {
      for (const [index, volume] of this.#volumes.entries()) yield this.#volumeEntry(volume, index);
    } else {
      const { filesystem, ref, index } = this.#find(directory);
      const inner = ref === '' ? await filesystem.root() : { ...directory, ref };
      for await (const entry of filesystem.readDirectory(inner)) yield { ...entry, ref: `${index}:${entry.ref}` };
    }
  }

  async open(file: DirectoryEntry, options?: { readonly stream?: string }) {
    if (file.type !== 'file' && options?.stream === undefined)
      throw new FilesystemError('FS_NOT_A_FILE', `${file.name} is not a file`);
    const { filesystem, ref } = this.#find(file);
    return filesystem.openFile({ ...file, ref }, options);
  }

  /** What we cannot list is no folder: it has a size and a name. */
  #volumeEntry(volume: LogicalVolume, index: number): DirectoryEntry {
    const entry = folder(volume.name.slice(this.#groupName.length + 1), `${index}:`);
    if (this.#opened.contentOf(volume)?.filesystem) return entry;
    return { ...entry, type: 'other', sizeBytes: volume.sizeBytes };
  }

  #find({ name, ref }: DirectoryEntry): { filesystem: Filesystem; ref: string; index: string } {
    const [, index = '', inner = ''] = /^(\d{1,6}):(.*)$/s.exec(ref) ?? [];
    const volume = index === '' ? undefined : this.#volumes[Number(index)];
    const filesystem = volume && this.#opened.contentOf(volume)?.filesystem;
    if (!filesystem) throw new FilesystemError('FS_NOT_FOUND', `${name} is on no logical volume we read`);
    return { filesystem, ref: inner, index };
  }
}

/** A volume whose free bytes are known to be free. */
function trusted(volume: LogicalVolume, content: VolumeContent | null): Filesystem | null {
  return content !== null && content.rival === null && volume.exclusive ? content.filesystem : null;
}

/** What of these lies on this physical volume, of whichever volume it is. */
async function volatileOf(physical: PhysicalVolume, opened: OpenedVolumes): Promise<VolatileFile[]> {
  const found: VolatileFile[] = [];
  for (const [volume, content] of opened.contents) {
    const filesystem = trusted(volume, content);
    if (filesystem === null || physical.bytesOf(volume) === 0) continue;
    const here = (extents: readonly Extent[]) =>
      mergeExtents(extents.flatMap((range) => [...volume.locate(range)].filter(({ on }) => on === physical).map(({ at }) => at)));
    for (const { kind, path, extents, mustBeZero } of (await filesystem.volatileFiles?.()) ?? []) {
      found.push({ kind, path: `${volume.name}/${path}`, extents: here(extents), mustBeZero: here(mustBeZero) });
    }
  }
  return found;
}

/** Of the volumes that begin here the files that lie on this physical volume alone. */
async function* layoutsOf(
  physical: PhysicalVolume,
  volumes: readonly LogicalVolume[],
  opened: OpenedVolumes,
): AsyncGenerator<FileLayout> {
  for (const [index, volume] of volumes.entries()) {
    const filesystem = trusted(volume, opened.contentOf(volume));
    if (!filesystem?.fileLayouts) continue;
    for await (const layout of filesystem.fileLayouts()) {
      const extents = placed(layout.extents, physical, volume);
      if (extents === null) continue;
      yield { ...layout, path: `${volume.name}/${layout.path}`, ref: `${index}:${layout.ref}`, extents };
    }
  }
}

/** Null where part of it lies elsewhere. */
function placed(extents: readonly FileExtent[], physical: PhysicalVolume, volume: LogicalVolume): FileExtent[] | null {
  const found: FileExtent[] = [];
  for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
    for (const piece of volume.locate({ offsetBytes: volumeOffsetBytes, lengthBytes })) {
      if (piece.on !== physical || found.length >= MAX_PIECES) return null;
      const intoFile = piece.volumeOffsetBytes - volumeOffsetBytes;
      found.push({
        fileOffsetBytes: fileOffsetBytes + intoFile,
        volumeOffsetBytes: piece.at.offsetBytes,
        lengthBytes: piece.at.lengthBytes,
      });
    }
  }
  return found;
}
