/** Which volumes are cut by their files when nobody says otherwise. */
import type { BackupRequest } from '../types.ts';

const byFiles: ReadonlySet<string> = new Set([]);

export function cutsByFiles(cutter: BackupRequest['cutter'], kind: string): boolean {
  return cutter === 'files' || (cutter === undefined && byFiles.has(kind));
}

/** Kinds whose metadata changes with every change of a file's content, finer than a file can be written twice. FAT counts in two seconds. */
const changeTelling: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'ntfs']);

export function tellsChanges(kind: string): boolean {
  return changeTelling.has(kind);
}
