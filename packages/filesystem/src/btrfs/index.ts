import type { FilesystemReader } from '../filesystem.ts';
import { openBtrfs } from './btrfsFilesystem.ts';
import { looksLikeBtrfs } from './superblock.ts';

/** btrfs, one device at a time. */
export const btrfsReader: FilesystemReader = { kinds: ['btrfs'], probe: looksLikeBtrfs, open: openBtrfs };
