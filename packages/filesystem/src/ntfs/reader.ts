/** NTFS (versions 1.2 to 3.1): used map, folders and file contents, read-only. */
import type { BlockDevice } from '@diskfleet/disk';
import { readBytes } from '@diskfleet/disk';
import type { DirectoryEntry, Filesystem, FilesystemInfo, FilesystemReader, UsedMap } from '../filesystem.ts';
import { zeroWhereUnreadable } from '../zeroWhereUnreadable.ts';
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
    return device.sizeBytes >= 512 && hasNtfsOemId(await readBytes(device, 0, 512));
  },
  open: async (device) => openNtfs(device, await readBootSector(device)),
  async openBackup(device) {
    const geometry = (await looksForeign(zeroWhereUnreadable(device))) ? null : await readBackupBootSector(device);
    if (geometry === null) return null;
    const filesystem = await openNtfs(device, { geometry, warnings: [] });
    // Where the copy says, there must be a table with a root folder.
    await filesystem.root();
    return filesystem;
  },
};

async function openNtfs(
  device: BlockDevice,
  { geometry, warnings }: Awaited<ReturnType<typeof readBootSector>>,
): Promise<Filesystem> {
  const source = { device, geometry };
  const mft = await Mft.open(source);
  const info: FilesystemInfo = {
    kind: 'ntfs',
    label: await readLabel(mft),
    uuid: geometry.serial,
    blockBytes: geometry.clusterBytes,
    totalBytes: volumeEnd(source),
    usedBytes: await countUsedBytes(mft),
    clean: warnings.length === 0 && (await readClean(mft)),
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
