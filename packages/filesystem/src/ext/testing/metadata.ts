import type { Extent } from '@diskfleet/disk';
import { memoryDevice } from '@diskfleet/disk';
import { FilesystemError } from '../../errors.ts';
import { readGroupTable } from '../groups.ts';
import { readInode } from '../inodes.ts';
import { mapFile } from '../mapping.ts';
import { readSuperblock } from '../superblock.ts';
import { readUsedMap } from '../usedMap.ts';

/**
 * Where damage hurts: superblock and group descriptors (several times, so that they are hit often), each inode in use, and every
 * used block that is neither content of a file nor inode table: bitmaps, folders, trees of blocks, the journal.
 */
export async function metadataOf(bytes: Uint8Array): Promise<Extent[]> {
  const device = memoryDevice(bytes);
  const superblock = await readSuperblock(device);
  const volume = { device, superblock, groups: await readGroupTable(device, superblock) };
  const { blockBytes } = superblock;
  const used = new Set<number>();
  for (const { offsetBytes, lengthBytes } of (await readUsedMap(volume)).extents) {
    for (let at = offsetBytes; at < offsetBytes + lengthBytes; at += blockBytes) used.add(at / blockBytes);
  }
  const places: Extent[] = [];
  const tableBlocks = Math.ceil((superblock.inodesPerGroup * superblock.inodeBytes) / blockBytes);
  for (let number = 1; number <= superblock.inodeCount; number++) {
    const table = volume.groups.group(Math.floor((number - 1) / superblock.inodesPerGroup)).inodeTableBlock;
    for (let block = table; block < table + tableBlocks; block++) used.delete(block);
    try {
      const inode = await readInode(volume, number);
      const offsetBytes = table * blockBytes + ((number - 1) % superblock.inodesPerGroup) * superblock.inodeBytes;
      places.push({ offsetBytes, lengthBytes: 160 });
      if (inode.type !== 'file' || inode.inlineData || number === superblock.journalInode) continue;
      for (const run of (await mapFile(volume, inode)).runs) {
        for (let block = run.physical; block < run.physical + run.count; block++) used.delete(block);
      }
    } catch (error) {
      if (!(error instanceof FilesystemError)) throw error;
    }
  }
  const core = [
    { offsetBytes: 1024, lengthBytes: 0x160 },
    {
      offsetBytes: blockBytes * (superblock.firstDataBlock + 1),
      lengthBytes: superblock.groupCount * superblock.descriptorBytes,
    },
  ];
  const blocks = [...used].map((block) => ({ offsetBytes: block * blockBytes, lengthBytes: blockBytes }));
  return [...Array.from({ length: 15 }, () => core).flat(), ...places, ...blocks];
}
