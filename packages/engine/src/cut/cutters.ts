/** Which volumes are cut by their files when nobody says otherwise. */
import type { BackupRequest } from '../types.ts';

/**
 * None yet. Measured on the 8 GiB disk of the bench (ext4 and NTFS, 90,000 files): a vault of 1,556 MiB by files, 1,703 by the grid, and
 * five disks with the same system in 1,164 MiB instead of 1,784. But a full backup takes 9.2 s for 7.0, a restore 11.5 s for 7.2 and 390 MiB
 * of memory for 296: files lie scattered, so it writes 20,000 short ranges per GB where the grid has 600 long ones. That has to be solved
 * before it is the default for ext and NTFS.
 */
const byFiles: ReadonlySet<string> = new Set([]);

export function cutsByFiles(cutter: BackupRequest['cutter'], kind: string): boolean {
  return cutter === 'files' || (cutter === undefined && byFiles.has(kind));
}

/** Kinds whose metadata changes with every change of a file's content, finer than a file can be written twice. FAT counts in two seconds. */
const changeTelling: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'ntfs']);

export function tellsChanges(kind: string): boolean {
  return changeTelling.has(kind);
}
