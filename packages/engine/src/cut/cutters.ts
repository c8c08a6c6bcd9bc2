/** Which volumes are cut by their files when nobody says otherwise. */
import type { BackupRequest } from '../types.ts';

/**
 * None yet. Measured on the 8 GiB disk of the bench (ext4 and NTFS, 90,000 files): a vault of 1,555 MiB by files, 1,703 by the grid. A second
 * disk with the same system laid out in another order adds its own data by files (22 MB for 200 MiB of system on ext4, 6 for 70 on NTFS) and
 * everything by the grid (111 and 50). Storing a nearly empty disk of 1 TB costs the same by both, and looking through all files is faster
 * by files. What is left is the restore: files lie scattered, so it writes 20,000 short ranges per GB where the grid has 600 long ones, with
 * a third more processor time (3.9 s for 2.8) and 310 MB of memory for 275. That has to be solved before it is the default for ext and NTFS.
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
