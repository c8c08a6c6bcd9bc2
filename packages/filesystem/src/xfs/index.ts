import type { FilesystemReader } from '../filesystem.ts';
import { looksLikeXfs } from './superblock.ts';
import { openXfs, openXfsBackup } from './xfsFilesystem.ts';

/** XFS, versions 4 and 5. */
export const xfsReader: FilesystemReader = { kinds: ['xfs'], probe: looksLikeXfs, open: openXfs, openBackup: openXfsBackup };
