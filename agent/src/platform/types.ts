/**
 * What the agent needs to know of the operating system; the folders beside this file are the only code that asks it.
 * Layouts (tables, filesystems) are not here: our own readers find them, the same on every system.
 */
import type { LiveSource } from '@diskfleet/engine';

/** Facts that name the PC and its hardware. Empty text where the system does not tell. */
export interface MachineFacts {
  readonly hostname: string;
  readonly os: {
    readonly platform: string;
    readonly name: string;
    readonly version: string;
    readonly kernel: string;
    readonly arch: string;
  };
  readonly hardware: {
    readonly vendor: string;
    readonly model: string;
    readonly serial: string;
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
  };
  /** Changes at every start of the system. */
  readonly bootId: string;
  /** How the PC was started; absent: not known. */
  readonly firmware?: 'uefi' | 'bios' | null;
  readonly timeZone: string;
}

/** One whole disk (or a regular file used as one). */
export interface PlatformDisk {
  /** Stable on this machine across restarts: WWN or serial where there is one. Never empty, never shared by two disks. */
  readonly key: string;
  readonly path: string;
  readonly name: string;
  readonly model: string;
  readonly serial: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly bus: string;
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly use: DiskUse;
}

/** Who uses a disk at this moment. */
export interface DiskUse {
  /** The running system lives on it (its root, boot or swap). */
  readonly isSystemDisk: boolean;
  /** Why it must not be overwritten now, for people, or null. */
  readonly busyReason: string | null;
  readonly mounts: readonly DiskMount[];
  /** Swap space in use; its mount point reads `swap`. Absent: none. */
  readonly swaps?: readonly DiskMount[];
}

export interface DiskMount {
  readonly mountPoint: string;
  /** Where on the disk the mounted volume begins; null when it is spread over it (LVM, RAID). */
  readonly startBytes: number | null;
  /** Of a spread volume: where on this disk one of the devices begins that it is spread over. */
  readonly memberBytes?: number;
}

/** One look at all disks and their users. */
export interface DiskView {
  readonly disks: readonly PlatformDisk[];
  /** False when disks were left out because this user may not read them; `limitation` says so in words. */
  readonly canReadDisks: boolean;
  readonly limitation: string | null;
  /** Who uses the disk or regular file at `path` (links are followed). A path that does not exist is used by nobody. */
  useOf(path: string): Promise<DiskUse>;
  /** The disk a partition's device (`/dev/sda3`) is cut from, and where it begins there; null: `path` is none. Absent: there are none. */
  partitionAt?(path: string): { readonly diskPath: string; readonly startBytes: number } | null;
}

export interface Platform {
  readonly name: 'linux' | 'windows' | 'fake';
  machine(): Promise<MachineFacts>;
  /** Reads everything anew: what it returns is true for now only. */
  look(): Promise<DiskView>;
  /** Absent: this platform cannot hold a disk in use still. */
  readonly live?: LiveDisks;
}

/** Disks in use, made to look like one moment. */
export interface LiveDisks {
  open(disk: PlatformDisk, options: LiveOptions): Promise<LiveOpened>;
  /** Volumes are held now: this process must not write to a file, or it waits for itself. */
  isHolding(): boolean;
  /** Resolves when no volume is held. */
  whenLetGo(): Promise<void>;
  /** Ends all following of writes. */
  close(): void;
}

export interface LiveOptions {
  /** Numbers of the partitions whose content is taken; absent: all. Volumes on others are not held. */
  readonly partitions?: readonly number[];
  /** Folders and files the backup writes to: it cannot hold the volumes they lie on. */
  readonly writesTo: readonly string[];
  /** Go on following writes after the backup, for the next one. */
  readonly keepFollowing: boolean;
  /** Of the kernel's record of writes, per processor; tests make it too small. */
  readonly bufferKib?: number;
  /** When the watchdog lets volumes go; default 10 s. */
  readonly holdAtMostMs?: number;
}

export type LiveOpened =
  /** Nobody writes through a mounted volume. */
  | { readonly kind: 'idle' }
  /** Why it cannot be backed up as one moment, for people. */
  | { readonly kind: 'none'; readonly reasons: readonly string[] }
  | {
      readonly kind: 'live';
      readonly method: 'precopy' | 'freeze-only';
      readonly source: LiveSource;
      readonly warnings: readonly string[];
      close(): void;
    };

export const unusedDisk: DiskUse = { isSystemDisk: false, busyReason: null, mounts: [] };
