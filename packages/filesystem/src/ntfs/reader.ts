/** NTFS (versions 1.2 to 3.1): used map, folders and file contents, read-only. */
import type { BlockDevice } from '@diskfleet/disk';
import { readBytes } from '@diskfleet/disk';
import type { DirectoryEntry, Filesystem, FilesystemInfo, FilesystemReader, UsedMap } from '../filesystem.ts';
import { hasNtfsOemId, readBackupBootSector, readBootSector } from './bootSector.ts';
import { readClean, readLabel } from './cleanState.ts';
import { listDirectory, openEntry, rootEntry } from './entry.ts';
import { fileLayouts } from './fileLayouts.ts';
import { looksForeign } from './foreignMark.ts';
import { Mft } from './mft.ts';
import { countUsedBytes, readUsedMap, volumeEnd } from './usedMap.ts';
import { volatileFiles } from './volatileFiles.ts';

export const ntfsReader: FilesystemReader = {
  kinds: ['ntfs'],
  async probe(device) {
    if (device.sizeBytes < 512) return false;
    if (hasNtfsOemId(await readBytes(device, 0, 512))) return true;
    // A stale backup outlives reformatting, so it counts only where nothing else claims the volume.
    return !(await looksForeign(device)) && (await readBackupBootSector(device)) !== null;
  },
  open: openNtfs,
};

async function openNtfs(device: BlockDevice): Promise<Filesystem> {
  const { geometry, warnings } = await readBootSector(device);
  const source = { device, geometry };
  const mft = await Mft.open(source);
  const info: FilesystemInfo = {
    kind: 'ntfs',
    label: await readLabel(mft),
    uuid: geometry.serial,
    blockBytes: geometry.clusterBytes,
    totalBytes: volumeEnd(source),
    usedBytes: await countUsedBytes(mft),
    clean: await readClean(mft),
  };
  return {
    info,
    async usedMap(): Promise<UsedMap> {
      const map = await readUsedMap(mft);
      return { ...map, warnings: [...warnings, ...mft.warnings, ...map.warnings] };
    },
    root: (): Promise<DirectoryEntry> => rootEntry(mft),
    readDirectory: (directory: DirectoryEntry): AsyncIterable<DirectoryEntry> => listDirectory(mft, directory),
    openFile: (file, options = {}) => openEntry(mft, file, options.stream),
    fileLayouts: () => fileLayouts(mft),
    volatileFiles: () => volatileFiles(mft),
  };
}
