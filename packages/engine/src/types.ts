/** The shapes of the five products: back up, restore, clone, explore, verify. The engine knows no JSON, socket, SQL or operating system. */

import type { BlockDevice, Extent, WritableBlockDevice } from '@diskfleet/disk';
import type { DirectoryEntry, FileReader, NamedStream } from '@diskfleet/filesystem';
import type { BackupMethod, PointHeader, PointKind, SavedDiskInfo, Vault } from '@diskfleet/vault';
import type { EarlyThreads } from './backup/earlyThreads.ts';

/** Reported at most a few times a second; monotonic within a phase. */
export interface Progress {
  readonly phase: 'scan' | 'read' | 'store' | 'commit' | 'plan' | 'write' | 'compare' | 'verify';
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Bytes that were new to the vault so far (backup), before compression. */
  readonly newBytes: number;
  /** Bytes stored (backup) or skipped because the target already matched (restore). */
  readonly storedBytes: number;
  readonly skippedBytes: number;
}

/** One line for the admin, kept with the run. */
export interface RunLogLine {
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
}

export interface Operation {
  readonly now: () => Date;
  readonly onProgress?: (progress: Progress) => void;
  readonly onLog?: (line: RunLogLine) => void;
  readonly signal?: AbortSignal;
  /** Worker threads; default cores + 1. */
  readonly workers?: number;
  /** Threads of this backup that are starting already; the caller ends those that were not taken. */
  readonly early?: EarlyThreads;
}

/** A disk (or regular file used as one) to back up. `path` must be openable from a worker thread. */
export interface DiskToBackUp {
  readonly path: string;
  readonly name: string;
  readonly model: string;
  readonly serial: string;
  /** Numbers of the partitions whose content is taken; absent: all. The table, boot code and gaps are always taken. */
  readonly partitions?: readonly number[];
  /** Absent: nobody writes to the disk, or the caller accepts what comes of it. */
  readonly live?: LiveSource;
}

/**
 * A disk that is in use, as the platform lets us hold it still. Ranges are bytes of the whole disk.
 * Tracking begins before the object is handed over and covers every write that reaches the medium.
 */
export interface LiveSource {
  /** What was written since the last call (the first: since tracking began), in any order. `null`: some of it was lost, nothing is known. */
  takeChanges(): Promise<readonly Extent[] | null>;
  /**
   * Stops all writers of all volumes on the disk. When it resolves, everything written before is on the medium and the next
   * `takeChanges` tells it. The platform thaws by itself after its deadline, whatever happens here.
   */
  freeze(): Promise<FrozenSource>;
  /** What was written since the moment the point stands for (its freeze), or `null` when that is not known in full. */
  changesSince(pointId: string): Promise<readonly Extent[] | null>;
  /** The point is durable: the moment of the last freeze is the one `changesSince(pointId)` counts from. */
  keep(pointId: string): Promise<void>;
}

export interface FrozenSource {
  /** Lets writers go on. `false`: they had been let go before, so what was read since then is no picture of one moment. */
  thaw(): Promise<boolean>;
  /** After `thaw`: how long writers were held; absent: not measured. Getting ready before and clearing up after do not count. */
  heldSeconds?(): number;
}

/** What a machine remembers of the last point of a series, where it cannot read it back from the vault. Kept by the caller. */
export interface BackupMemory {
  /** The bytes `save` was given last, or null. They are checked, not trusted. */
  load(): Promise<Uint8Array | null>;
  /** Replaces them atomically. */
  save(bytes: Uint8Array): Promise<void>;
  /** A file of the engine's own, to remember sums of the disk's pieces in. 16 bytes for 64 KiB in use. */
  readonly sumsPath?: string;
}

export interface BackupRequest {
  readonly kind: Extract<PointKind, 'disk' | 'system' | 'partition'>;
  readonly method: BackupMethod;
  readonly disks: readonly DiskToBackUp[];
  readonly machineId: string;
  readonly machineName: string;
  /** Names the series: incrementals look for their parent among points of the same machine and source. */
  readonly source: string;
  readonly sectorBySector: boolean;
  readonly compression: 'fast' | 'balanced' | 'best' | 'none';
  /** Content that is worthless after a restart and is left out (reads as zero): of page files, hibernation files, swap files. */
  readonly leaveOut?: readonly VolatileContent[];
  /** How used blocks become chunks: by place on the disk, or file by file where the filesystem is one we can do it for. */
  readonly cutter?: 'grid' | 'files';
  /** Lets an incremental skip what is known not to have changed. */
  readonly memory?: BackupMemory;
  /** Take files whose metadata did not change since the parent as unchanged; a sample is read all the same. Needs `memory`. */
  readonly trustMetadata?: boolean;
}

export type VolatileContent = 'pagefile' | 'hibernation' | 'swap';

export interface BackupResult {
  readonly point: PointHeader;
  /** `full` when an incremental or differential was asked for and there was nothing to build on. */
  readonly method: BackupMethod;
  readonly sourceBytes: number;
  readonly usedBytes: number;
  readonly readBytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/** A disk as planning and inventory see it: its table and what is in each partition. From a live disk, a file, or a saved disk. */
export interface DiskLayout {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly table: 'gpt' | 'mbr' | null;
  readonly tableId: string | null;
  readonly partitions: readonly LayoutPartition[];
  /** Set when the whole disk is one filesystem without a table. */
  readonly filesystem: LayoutFilesystem | null;
  /** Changes whenever size, table or (without a table) the first MiB changes. */
  readonly fingerprint: string;
  readonly warnings: readonly string[];
}

export interface LayoutPartition {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly type: string;
  readonly typeName: string;
  readonly id: string | null;
  readonly name: string;
  readonly filesystem: LayoutFilesystem | null;
  /** Of a saved disk, or one about to be: its content is not taken. What it holds is described all the same. */
  readonly content?: 'leftOut' | undefined;
}

/** A filesystem, or what else a volume may hold (swap, lvm2, luks2…): of what we do not read, all of `totalBytes` counts as used. */
export interface LayoutFilesystem {
  readonly kind: string;
  readonly label: string;
  readonly uuid: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** Null: nobody looked, as there is no reader for it. */
  readonly clean: boolean | null;
  /** What else people may want to know, e.g. how it is encrypted. */
  readonly details?: string | undefined;
  /** Of an LVM physical volume: the logical volumes that begin on it. `/<partition>/<name>` is where explore has them. */
  readonly volumes?: readonly LayoutVolume[] | undefined;
}

export interface LayoutVolume {
  /** `group/volume` */
  readonly name: string;
  readonly sizeBytes: number;
  /** `linear`, `striped`, or a kind we do not read: `raid1`, `thin`, `cache`, `snapshot`… */
  readonly type: string;
  /** Null when it is unknown, or not read. */
  readonly filesystem: LayoutFilesystem | null;
}

/** The layout of a disk plus every byte range worth keeping: table, gaps, boot code, used blocks of each filesystem. */
export interface UsedDisk {
  readonly layout: DiskLayout;
  readonly usedExtents: readonly Extent[];
  readonly usedBytes: number;
  /** Bytes of a large unpartitioned tail that are not taken. */
  readonly leftOutBytes: number;
  /** Ranges no write can make worth keeping: the tail, content of swap space, partitions that were not chosen. */
  readonly leftOutExtents: readonly Extent[];
  /**
   * Ranges that must read as zero after a restore: content that is left out whatever was there (a page file's, a hibernation file's),
   * and long holes of a disk file.
   */
  readonly zeroExtents: readonly Extent[];
  /** Files whose content is left out, in words. */
  readonly leftOutFiles: readonly string[];
}

/** Which saved disk goes where. */
export interface RestoreRequest {
  readonly pointId: string;
  /** Position in the point's list of disks. */
  readonly diskIndex: number;
  /** Only this partition, to the beginning of the target; null or absent: the whole disk. */
  readonly partition?: number | null;
  readonly target: {
    /** A disk, or a regular file; a file that does not exist is created with the size of the saved disk. */
    readonly path: string;
    readonly name: string;
    readonly serial: string;
  };
}

export type PartitionAction = 'create' | 'overwrite' | 'keep' | 'drop';

/** What `restore` will do, decided before any byte is written. `planHash` commits to everything in it but `reasons` texts. */
export interface RestorePlan {
  readonly planHash: string;
  readonly fits: boolean;
  /** Why it does not fit or cannot be done, for people. Empty when `fits`. */
  readonly reasons: readonly { code: string; text: string }[];
  readonly warnings: readonly { code: string; text: string }[];
  readonly pointId: string;
  readonly diskIndex: number;
  /** Set when one partition is restored and not the whole disk. */
  readonly partition: number | null;
  readonly source: { readonly sizeBytes: number; readonly usedBytes: number; readonly table: 'gpt' | 'mbr' | null };
  readonly target: RestoreTarget;
  readonly partitions: readonly {
    readonly number: number;
    readonly action: PartitionAction;
    readonly fromStartBytes: number;
    readonly fromBytes: number;
    readonly toStartBytes: number;
    readonly toBytes: number;
    readonly label: string;
    readonly filesystem: string | null;
    /** Its content is not in the point. Action `keep`: the target has it, not a byte of it is written. `create`: without content. */
    readonly content?: 'leftOut' | undefined;
    /** With `create`: what lies in its place on the target is not touched either. */
    readonly untouched?: boolean | undefined;
  }[];
  /** What is on the target now and will be gone, by name. */
  readonly losses: readonly {
    readonly number: number | null;
    readonly label: string;
    readonly filesystem: string | null;
    readonly usedBytes: number | null;
    readonly sizeBytes: number;
  }[];
  readonly bootSteps: readonly string[];
  readonly estimatedBytes: number;
}

/** Identity of the disk to be overwritten: re-read and compared right before the first write. */
export interface RestoreTarget {
  readonly path: string;
  readonly name: string;
  readonly serial: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly fingerprint: string;
  /** A regular file that does not exist yet and will be created. */
  readonly create: boolean;
}

/** A plan a person agreed to. */
export interface ConfirmedRestore {
  readonly plan: RestorePlan;
  /** What the person confirmed: must equal `plan.planHash`, and so must the plan made anew from the real disk. */
  readonly confirmedHash: string;
  /** What is read back and compared after writing; default `sample` (tables, borders of partitions and 1 % of the rest). */
  readonly compare?: 'sample' | 'all';
  readonly guards: RestoreGuards;
}

/** What only the platform knows about a target. Asked right before the first write. */
export interface RestoreGuards {
  /** Why this target must not be written, or null. */
  readonly whyForbidden: (path: string) => Promise<{
    readonly code: 'TARGET_IN_USE' | 'TARGET_IS_SYSTEM_DISK' | 'TARGET_IS_SOURCE';
    readonly text: string;
  } | null>;
}

export interface RestoreResult {
  readonly writtenBytes: number;
  readonly skippedBytes: number;
  readonly comparedBytes: number;
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/** One entry of a disk: a partition (its number is the name), a folder, a file. */
export interface ExploreEntry {
  readonly name: string;
  readonly type: DirectoryEntry['type'];
  readonly sizeBytes: number;
  readonly modifiedAtMs: number | null;
  readonly mode: number | null;
  /** Set for symlinks, which are shown and never followed. */
  readonly linkTarget: string | null;
  /** Set for the top folders of a disk with a partition table. */
  readonly partition: LayoutPartition | null;
  /** Alternate data streams of an NTFS file or folder, to be opened as `<path>:<name>`; absent when there is none. */
  readonly streams?: readonly NamedStream[];
  /** It is a folder, or a partition whose files we can list. */
  readonly listable: boolean;
}

/** The content of one file: random access, and from any point to the end. */
export interface ExploreFile extends FileReader {
  readonly entry: ExploreEntry;
  /** Chunks of up to 1 MiB, in order; the half-open range defaults to the whole file. */
  stream(range?: { readonly fromByte: number; readonly toByte: number }): AsyncIterable<Uint8Array>;
}

/**
 * Files of a disk, live or saved, with no mount. Paths begin with the partition number: `/2/usr/share`; on a disk that is one
 * filesystem without a table, with the filesystem itself: `/usr/share` (`/0/usr/share` means the same). A stream of a file is
 * named behind a colon: `/2/setup.exe:Zone.Identifier`; a file whose own name reads like that comes first.
 */
export interface Explorer {
  readonly layout: DiskLayout;
  /** @throws EngineError `PATH_NOT_FOUND`, `PARTITION_NOT_FOUND`, `FILESYSTEM_UNKNOWN`; FilesystemError `FS_NOT_A_DIRECTORY`. */
  list(path: string): AsyncIterable<ExploreEntry>;
  stat(path: string): Promise<ExploreEntry>;
  /** @throws as `list`; FilesystemError `FS_NOT_A_FILE`, `FS_ENCRYPTED_FILE`. */
  open(path: string): Promise<ExploreFile>;
}

export type { BlockDevice, PointHeader, SavedDiskInfo, Vault, WritableBlockDevice };
