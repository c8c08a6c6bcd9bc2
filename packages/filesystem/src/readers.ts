/**
 * Which reader opens a volume. First those whose marks stand where they belong are asked. Where no marks do, or what carries them
 * is too damaged to be opened, the copies that formats keep of their first sectors are looked for.
 *
 * A copy outlives its filesystem by years: it may be all that is left of it under another one, or under encryption that leaves no
 * mark at all, and nothing on the volume can prove the contrary. So such a volume can be looked through, but all of it is taken,
 * and none of it is left out of a backup.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';
import { btrfsReader } from './btrfs/index.ts';
import { FilesystemError } from './errors.ts';
import { exfatReader } from './exfat/reader.ts';
import { extReader } from './ext/index.ts';
import { fatReader } from './fat/reader.ts';
import type { Filesystem, FilesystemReader } from './filesystem.ts';
import { ntfsReader } from './ntfs/reader.ts';
import { recogniseVolume } from './recognise/recogniseVolume.ts';
import { xfsReader } from './xfs/index.ts';
import { zeroWhereUnreadable } from './zeroWhereUnreadable.ts';

/** One line per format, in probing order: exFAT last, whose first sector may be lost. */
const readers: readonly FilesystemReader[] = [extReader, ntfsReader, fatReader, xfsReader, btrfsReader, exfatReader];

/**
 * Finds the reader for a volume and opens it; null when no reader knows these bytes.
 * @throws FilesystemError, DiskError when one knows them and cannot open it, and there is no copy it could be opened by
 */
export async function openFilesystem(volume: BlockDevice): Promise<Filesystem | null> {
  let failure: unknown = null;
  for (const reader of readers) {
    const found = await attempt(async () => ((await reader.probe(volume)) ? await reader.open(volume) : null));
    if (found.filesystem !== null) {
      // Where one reader could not look, the marks of its format may stand, and these be the remains.
      return failure === null ? found.filesystem : allTaken(found.filesystem, 'Some of the first sectors cannot be read');
    }
    failure ??= found.failure;
    // Its marks are there: nobody else is to take the volume for something else.
    if (found.failure instanceof FilesystemError) break;
  }
  const restored = await openByCopy(volume);
  if (restored !== null) return allTaken(restored, 'The first sectors are damaged, and a copy of them was used');
  if (failure !== null) throw failure;
  return null;
}

interface Attempt {
  readonly filesystem: Filesystem | null;
  readonly failure: unknown;
}

async function attempt(open: () => Promise<Filesystem | null>): Promise<Attempt> {
  try {
    return { filesystem: await open(), failure: null };
  } catch (error) {
    if (!(error instanceof FilesystemError) && !(error instanceof DiskError)) throw error;
    return { filesystem: null, failure: error };
  }
}

/** Null when none fits, when two of them do, and when the volume carries the marks of anything else. */
async function openByCopy(volume: BlockDevice): Promise<Filesystem | null> {
  const marked = await recogniseVolume(zeroWhereUnreadable(volume));
  const found: Filesystem[] = [];
  for (const reader of readers) {
    const isOwn = marked === null || [marked.kind, ...marked.others].every((kind) => isOf(reader, kind));
    if (reader.openBackup === undefined || !isOwn) continue;
    const openBackup = reader.openBackup.bind(reader);
    const { filesystem } = await attempt(() => openBackup(volume));
    if (filesystem !== null) found.push(filesystem);
  }
  const [only] = found;
  return found.length === 1 && only !== undefined ? only : null;
}

function isOf({ kinds }: FilesystemReader, kind: string): boolean {
  return kinds.some((own) => own === kind);
}

/** The same files; every byte counts as used, and nothing is said that would let bytes be left out. */
function allTaken(filesystem: Filesystem, reason: string): Filesystem {
  const { totalBytes } = filesystem.info;
  const { fileLayouts, volatileFiles, ...rest } = filesystem;
  return {
    ...rest,
    info: { ...filesystem.info, clean: false },
    async usedMap() {
      const warnings = [`${reason}: the whole filesystem was taken.`];
      return { extents: [{ offsetBytes: 0, lengthBytes: totalBytes }], usedBytes: totalBytes, warnings };
    },
  };
}
