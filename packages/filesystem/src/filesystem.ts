/**
 * What every filesystem reader offers. A reader parses bytes of a read-only `BlockDevice` that holds exactly one volume
 * (offset 0 = first byte of the volume); it never mounts, never writes, and is total on hostile bytes: every failure is a
 * `FilesystemError` with a code, never a hang, a crash or an unbounded allocation.
 */
import type { BlockDevice, Extent } from '@diskfleet/disk';

/** `lvm2`: a physical volume, whose folders are its volume group and the logical volumes in it, with the files of theirs. */
export type FilesystemKind = 'ext2' | 'ext3' | 'ext4' | 'ntfs' | 'fat12' | 'fat16' | 'fat32' | 'exfat' | 'xfs' | 'btrfs' | 'lvm2';

export interface FilesystemInfo {
  readonly kind: FilesystemKind;
  readonly label: string;
  /** As blkid prints it: ext = uuid, FAT = `1234-ABCD`, NTFS = 16 hex digits. Empty when there is none. */
  readonly uuid: string;
  readonly blockBytes: number;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** False when it was not unmounted cleanly (dirty flag, journal to replay) or Windows is hibernated. */
  readonly clean: boolean;
}

/** Which bytes of the volume hold something. Sorted, disjoint, non-adjacent, block-aligned, inside the volume. */
export interface UsedMap {
  readonly extents: readonly Extent[];
  readonly usedBytes: number;
  /** One sentence each: what did not add up and was therefore taken whole. Empty on a healthy volume. */
  readonly warnings: readonly string[];
}

export type EntryType = 'file' | 'directory' | 'symlink' | 'other';

export interface DirectoryEntry {
  /** Shown name. Bytes that are not valid UTF-8 / UTF-16 are replaced; `nameBytes` keeps them. Never contains `/` or NUL. */
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly type: EntryType;
  /** File content length; 0 for directories. */
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, or null when the filesystem has none. */
  readonly modifiedAtMs: number | null;
  /** POSIX mode bits where the filesystem has them. */
  readonly mode: number | null;
  /** Opaque handle for `readDirectory`/`openFile` of the same reader (inode number, MFT reference, first cluster…). */
  readonly ref: string;
  readonly linkTarget: string | null;
  /** Further contents under names of their own (NTFS alternate data streams); absent when there is none. Folders may have some. */
  readonly streams?: readonly NamedStream[];
}

/** As a path names it: `file.txt:Zone.Identifier`. */
export interface NamedStream {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Random access to one file's content. */
export interface FileReader {
  readonly sizeBytes: number;
  /** Fills `target` from `offsetBytes`; the range must lie inside the file. */
  read(offsetBytes: number, target: Uint8Array): Promise<void>;
}

/** A run of a file's content as it lies on the volume. */
export interface FileExtent {
  readonly fileOffsetBytes: number;
  readonly volumeOffsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * Where the content of one regular file lies. Only content that stands on the volume byte for byte: what is compressed, encrypted,
 * inline, a hole or allocated but never written has no extent. A file that shares blocks with another one may tell them too.
 */
export interface FileLayout {
  /** From the root, `/` between names: the same file on another PC has the same one. The first name found of a file with several. */
  readonly path: string;
  /** As `DirectoryEntry.ref`. */
  readonly ref: string;
  readonly sizeBytes: number;
  /**
   * Changes whenever an honest system changed the content: times to the last digit, size, generation, as the format has them.
   * Empty where they are too coarse to tell: whole seconds, in which a file can change twice.
   */
  readonly stamp: string;
  /** By file offset, disjoint, in whole blocks (the last one reaches past `sizeBytes`), inside the volume's used blocks. */
  readonly extents: readonly FileExtent[];
}

/**
 * A file whose content is worth nothing after a restart: page files and swap files of a system that is not running, and the frozen
 * memory of a hibernated Windows. Only files that lie on the volume as they are (neither compressed nor encrypted) are told.
 */
export interface VolatileFile {
  readonly kind: 'pagefile' | 'hibernation' | 'swap';
  /** From the root, `/` between names. */
  readonly path: string;
  /**
   * Whole blocks of the volume that may be left out of a backup; sorted, merged, inside the volume's used blocks. What makes a
   * swap file one (its header) is not among them. A Linux that sleeps in its swap file has none: its header would outlive it.
   */
  readonly extents: readonly Extent[];
  /**
   * The part of `extents` that must read as zero after a restore, whatever the target held before: the mark by which Windows would
   * resume from a memory that is not there. Empty for page files and swap files.
   */
  readonly mustBeZero: readonly Extent[];
}

export interface Filesystem {
  readonly info: FilesystemInfo;
  usedMap(): Promise<UsedMap>;
  /** The root directory's own entry (name `''`). */
  root(): Promise<DirectoryEntry>;
  /** All entries but `.` and `..`, in on-disk order. Capped: a directory of more than 10 million entries is an error. */
  readDirectory(directory: DirectoryEntry): AsyncIterable<DirectoryEntry>;
  /** @param options.stream opens one of `file.streams` instead; then `file` may be a folder */
  openFile(file: DirectoryEntry, options?: { readonly stream?: string }): Promise<FileReader>;
  /**
   * Every regular file that has extents: directories depth first, names in byte order, so that two volumes with the same files tell
   * them in the same order. Files that cannot be read are left out: nobody may take the result for all there is.
   * A directory or file more than 10 million, or a directory met twice, ends in a `FilesystemError`.
   */
  fileLayouts?(): AsyncIterable<FileLayout>;
  /** What the root directory holds of these; empty when there is none. What cannot be read is left out. @throws DiskError */
  volatileFiles?(): Promise<readonly VolatileFile[]>;
  /** Where the volume itself says which names are the same but for case: two names are when this makes them equal. */
  readonly foldName?: (name: string) => string;
}

/** One reader per format. `probe` is cheap (reads ≤ 128 KiB) and never throws on foreign bytes. */
export interface FilesystemReader {
  readonly kinds: readonly FilesystemKind[];
  probe(device: BlockDevice): Promise<boolean>;
  open(device: BlockDevice): Promise<Filesystem>;
  /**
   * Opens a volume whose first sectors are damaged by the copy it keeps of them elsewhere; null unless several facts agree. Few
   * reads. Such copies outlive their filesystem, so whoever asks must not believe its map.
   * @throws FilesystemError, DiskError
   */
  openBackup?(device: BlockDevice): Promise<Filesystem | null>;
}
