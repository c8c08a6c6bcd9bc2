/** Which volumes are cut by their files when nobody says otherwise. */
import type { BackupRequest } from '../types.ts';

/**
 * None yet. Measured on the 8 GiB disk of the bench (ext4 and NTFS, 90,000 files): a vault of 1,555 MiB by files, 1,703 by the grid. A second
 * disk with the same system laid out in another order adds its own data by files (22 MB for 200 MiB of system on ext4, 6 for 70 on NTFS) and
 * everything by the grid (111 and 50). But a disk of 1 TB takes 650 MB of memory by files, and walking through all small files of a saved
 * disk takes several times as long: both have to be solved before it is the default for ext and NTFS.
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
