/** Which volumes are cut by their files when nobody says otherwise. */
import type { BackupRequest } from '../types.ts';

/**
 * None yet. Measured on disks with the same system files in another order: the second one adds 21 MiB by files (20 of them its own) and
 * 106 by the grid on ext4 (200 MiB of files), 6 and 50 on NTFS (70 MiB); the first one is no larger, an incremental of 1 % stores a
 * fifth less. But a full backup takes 15 % more CPU, a second more for 100,000 small files, and 30 MiB more memory, on every PC, and
 * the gain is that of fleets with the same system on many. FAT, exFAT, XFS and btrfs are not measured. ext4 and NTFS are the candidates.
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
