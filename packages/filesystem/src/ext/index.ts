import type { FilesystemReader } from '../filesystem.ts';
import { openExt, openExtBackup } from './extFilesystem.ts';
import { looksLikeExt } from './superblock.ts';

/** ext2, ext3 and ext4. */
export const extReader: FilesystemReader = {
  kinds: ['ext2', 'ext3', 'ext4'],
  probe: looksLikeExt,
  open: openExt,
  openBackup: openExtBackup,
};
