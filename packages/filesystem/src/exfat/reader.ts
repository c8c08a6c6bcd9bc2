/** exFAT, and TexFAT as far as it is the same: used map, folders and file contents, read-only. */
import type { BlockDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { Filesystem, FilesystemReader, UsedMap } from '../filesystem.ts';
import { readBootRegion } from './bootRegion.ts';
import { listDirectory, rootEntry } from './directory.ts';
import { openFile } from './fileContent.ts';
import { fileLayouts } from './fileLayouts.ts';
import { readRootDirectory } from './rootDirectory.ts';
import { readUsedMap } from './usedMap.ts';
import { ExfatVolume } from './volume.ts';

export const exfatReader: FilesystemReader = {
  kinds: ['exfat'],
  probe: async (device) => (await readBootRegion(device)) !== null,
  open: openExfat,
};

async function openExfat(device: BlockDevice): Promise<Filesystem> {
  const region = await readBootRegion(device);
  if (region === null) throw new FilesystemError('FS_DAMAGED', 'This is not the boot sector of an exFAT volume.');
  const { geometry } = region;
  const deviceEndBytes = Math.floor(device.sizeBytes / geometry.sectorBytes) * geometry.sectorBytes;
  const totalBytes = Math.min(geometry.totalBytes, deviceEndBytes);
  if (geometry.dataOffsetBytes > totalBytes)
    throw new FilesystemError('FS_DAMAGED', 'The exFAT volume is cut off before its first cluster.');
  const volume = new ExfatVolume(device, geometry);
  const root = await readRootDirectory(volume);
  const map = await readUsedMap(volume, root, totalBytes);
  const warnings = [...region.warnings, ...map.warnings];
  if (totalBytes < geometry.totalBytes) {
    warnings.push(`The exFAT volume is ${geometry.totalBytes} bytes long, but only ${totalBytes} of them are there.`);
  }
  const usedMap: UsedMap = { ...map, warnings };
  return {
    info: {
      kind: 'exfat',
      label: root.label,
      uuid: formatSerial(geometry.serial),
      blockBytes: geometry.sectorBytes,
      totalBytes,
      usedBytes: map.usedBytes,
      clean: !geometry.dirty,
    },
    usedMap: async () => usedMap,
    root: async () => rootEntry,
    readDirectory: (directory) => listDirectory(volume, root.upcaseTable, directory),
    openFile: (file) => openFile(volume, file),
    fileLayouts: () => fileLayouts(volume, root.upcaseTable, totalBytes),
    foldName: root.upcaseTable.upcase,
  };
}

/** As blkid prints it: `1234-ABCD`; empty when the volume has none. */
function formatSerial(serial: number): string {
  if (serial === 0) return '';
  const digits = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
