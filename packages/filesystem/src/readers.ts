import type { BlockDevice } from '@diskfleet/disk';
import { btrfsReader } from './btrfs/index.ts';
import { exfatReader } from './exfat/reader.ts';
import { extReader } from './ext/index.ts';
import { fatReader } from './fat/reader.ts';
import type { Filesystem, FilesystemReader } from './filesystem.ts';
import { ntfsReader } from './ntfs/reader.ts';
import { xfsReader } from './xfs/index.ts';

/** One line per format, in probing order: exFAT last, whose first sector may be lost. */
const readers: readonly FilesystemReader[] = [extReader, ntfsReader, fatReader, xfsReader, btrfsReader, exfatReader];

/** Finds the reader for a volume and opens it; null when no reader knows these bytes. */
export async function openFilesystem(volume: BlockDevice): Promise<Filesystem | null> {
  for (const reader of readers) {
    if (await reader.probe(volume)) return reader.open(volume);
  }
  return null;
}
