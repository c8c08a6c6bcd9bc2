/** FAT12, FAT16 and FAT32 with long names: used map, folders and file contents, read-only. */
import { type BlockDevice, readBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileReader, Filesystem, FilesystemReader, UsedMap } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { readBackupBootSector } from './backupBootSector.ts';
import { BOOT_SECTOR_BYTES, decodeBootSector, type FatGeometry } from './bootSector.ts';
import { Chains } from './chain.ts';
import { listDirectory, readSlots, rootEntry } from './directory.ts';
import { openFile } from './fileContent.ts';
import { fileLayouts } from './fileLayouts.ts';
import { decodeLabel, slotKind } from './slot.ts';
import { readUsedMap } from './usedMap.ts';

export const fatReader: FilesystemReader = {
  kinds: ['fat12', 'fat16', 'fat32'],
  async probe(device) {
    if (device.sizeBytes < BOOT_SECTOR_BYTES) return false;
    return decodeBootSector(await readBytes(device, 0, BOOT_SECTOR_BYTES)) !== null;
  },
  async open(device) {
    const geometry =
      device.sizeBytes < BOOT_SECTOR_BYTES ? null : decodeBootSector(await readBytes(device, 0, BOOT_SECTOR_BYTES));
    if (geometry === null) throw new FilesystemError('FS_DAMAGED', 'This is not the boot sector of a FAT volume.');
    return openFat(device, geometry);
  },
  async openBackup(device) {
    const geometry = await readBackupBootSector(device);
    return geometry === null ? null : openFat(device, geometry);
  },
};

async function openFat(device: BlockDevice, geometry: FatGeometry): Promise<Filesystem> {
  const deviceEndBytes = Math.floor(device.sizeBytes / geometry.sectorBytes) * geometry.sectorBytes;
  const totalBytes = Math.min(geometry.totalBytes, deviceEndBytes);
  if (geometry.dataOffsetBytes > totalBytes)
    throw new FilesystemError('FS_DAMAGED', 'The FAT volume is cut off before its first cluster.');
  const volume = { device, geometry };
  const chains = new Chains(volume);
  const { clean, ...map } = await readUsedMap(volume, totalBytes);
  const warnings = [...map.warnings];
  if (totalBytes < geometry.totalBytes) {
    warnings.push(`The FAT volume is ${geometry.totalBytes} bytes long, but only ${totalBytes} of them are there.`);
  }
  const usedMap: UsedMap = { ...map, warnings };
  return {
    info: {
      kind: geometry.kind,
      label: await readLabel(chains),
      uuid: formatSerial(geometry),
      blockBytes: geometry.sectorBytes,
      totalBytes,
      usedBytes: map.usedBytes,
      clean: clean && !geometry.dirty,
    },
    usedMap: async () => usedMap,
    root: async () => rootEntry,
    readDirectory: (directory: DirectoryEntry): AsyncIterable<DirectoryEntry> => listDirectory(chains, directory),
    openFile: (file: DirectoryEntry): Promise<FileReader> => openFile(chains, file),
    fileLayouts: () => fileLayouts(volume, totalBytes),
  };
}

/** The root directory's label entry is the one Windows shows and changes; the boot sector's is what it was formatted with. */
async function readLabel(chains: Chains): Promise<string> {
  const { geometry } = chains.volume;
  const bootLabel = decodeLabel(geometry.bootLabel);
  try {
    for await (const { slot } of readSlots(chains, geometry.kind === 'fat32' ? geometry.rootCluster : null)) {
      if (slotKind(slot) === 'label') return decodeLabel(slot.subarray(0, 11));
    }
    return bootLabel;
  } catch (error) {
    // A damaged root directory must not keep the volume from being backed up.
    if (isDamage(error)) return bootLabel;
    throw error;
  }
}

/** As blkid prints it: `1234-ABCD`; empty when the volume has none. */
function formatSerial({ serial }: FatGeometry): string {
  if (serial === 0) return '';
  const digits = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
