/** What lies on one volume, whether that is a partition, a disk without a table or a logical volume. */
import { type BlockDevice, DiskError } from '@diskfleet/disk';
import {
  type Filesystem,
  FilesystemError,
  type LogicalVolume,
  openFilesystem,
  type RecognisedVolume,
  recogniseVolume,
} from '@diskfleet/filesystem';

/** What lies on a volume. `recognised` is set only where there is no reader for it, or its reader could not open it. */
export interface VolumeContent {
  readonly filesystem: Filesystem | null;
  readonly recognised: RecognisedVolume | null;
  /**
   * Another kind whose marks the volume carries beside those of `filesystem`: one of them is left from earlier use, and we cannot
   * know which. The reader may be looked through, but its map of used blocks is not believed.
   */
  readonly rival: string | null;
  /** Of a physical volume of LVM, which `filesystem` shows as one: the volumes that begin on it, for people. */
  readonly logicalVolumes?: readonly LogicalContent[];
}

interface LogicalContent {
  readonly volume: LogicalVolume;
  /** Null when it cannot be read. */
  readonly content: VolumeContent | null;
}

export const nothing: VolumeContent = { filesystem: null, recognised: null, rival: null };

/** A reader for it, or its name. What cannot be read is named in the warnings. @throws DiskError when the disk itself cannot be read */
export async function openVolume(volume: BlockDevice, what: string, warnings: string[]): Promise<VolumeContent> {
  try {
    const filesystem = await openFilesystem(volume);
    if (filesystem === null) return { filesystem, recognised: await recogniseVolume(volume), rival: null };
    const marked = await marksBeside(volume);
    if (marked === 'unreadable') return { filesystem, recognised: null, rival: 'something that cannot be read' };
    const { kind } = filesystem.info;
    const kinds = marked === null ? [] : [marked.kind, ...marked.others];
    const own = kinds.some((other) => isSameFamily(other, kind));
    // Its reader found it by a copy of its header, which outlives what is put over the volume; a container has its header here.
    if (!own && marked !== null && isContainer(marked.kind)) return { filesystem: null, recognised: marked, rival: null };
    return { filesystem, recognised: null, rival: kinds.find((other) => !isSameFamily(other, kind)) ?? null };
  } catch (error) {
    warnings.push(`${what}: its filesystem cannot be read, so all of it counts as used: ${reasonOf(error)}`);
    return { filesystem: null, recognised: await nameOf(volume), rival: 'a damaged filesystem' };
  }
}

/** `unreadable` when a bad sector lies where the marks of some kind would stand. */
async function marksBeside(volume: BlockDevice): Promise<RecognisedVolume | null | 'unreadable'> {
  try {
    return await recogniseVolume(volume);
  } catch (error) {
    reasonOf(error);
    return 'unreadable';
  }
}

/** ext2, ext3 and ext4 are one, and so are FAT of all sizes. */
function isSameFamily(one: string, other: string): boolean {
  return one.replace(/\d+$/, '') === other.replace(/\d+$/, '');
}

function isContainer(kind: string): boolean {
  return ['lvm2', 'luks1', 'luks2', 'bitlocker'].includes(kind);
}

/** The name of a volume that could not be opened: none of its bytes are left out, whatever the name. */
async function nameOf(volume: BlockDevice): Promise<RecognisedVolume | null> {
  try {
    const found = await recogniseVolume(volume);
    return found && { ...found, usedExtents: null, usedBytes: found.totalBytes };
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

/** The message of an error that says something about the *bytes*; anything else is a fault of ours and goes on up. */
export function reasonOf(error: unknown): string {
  if (error instanceof FilesystemError || error instanceof DiskError) return error.message;
  throw error;
}
