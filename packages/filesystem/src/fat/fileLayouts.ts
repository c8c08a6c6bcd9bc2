/**
 * Where the content of every file lies: whole clusters, as many as its size needs. The FAT is read once (64 MiB of it stay in
 * memory: all of it for 16 million clusters), folders in large pieces.
 *
 * Stamps are as good as the times of the format: of two changes within two seconds that keep size and first cluster the second
 * leaves no trace.
 */
import { PAGES_OF_A_WALK } from '../clusterChain.ts';
import type { DirectoryEntry, FileLayout } from '../filesystem.ts';
import { walkLayouts } from '../layoutWalk.ts';
import { pieceCache } from '../pieceCache.ts';
import { Chains } from './chain.ts';
import { firstClusterOf, listDirectory, readSlot, rootEntry } from './directory.ts';
import { slotFirstCluster, slotSizeBytes } from './slot.ts';
import type { FatVolume } from './volume.ts';

const CACHE = { pieceBytes: 128 << 10, pieces: 64 };

/** As `Filesystem.fileLayouts`. @param endBytes the volume's end on this device, which may be cut short */
export function fileLayouts(opened: FatVolume, endBytes: number): AsyncGenerator<FileLayout> {
  const volume: FatVolume = { ...opened, device: pieceCache(opened.device, CACHE) };
  const chains = new Chains(volume, PAGES_OF_A_WALK);
  return walkLayouts({
    root: rootEntry,
    readDirectory: (directory) => listDirectory(chains, directory),
    nameBytes: (entry) => Buffer.from(entry.name),
    folderIdentity: async (directory) => String(await firstClusterOf(chains, directory)),
    fileIdentity: () => null,
    layoutOf: (file) => layoutOf(chains, file, endBytes),
  });
}

async function layoutOf(chains: Chains, file: DirectoryEntry, endBytes: number): Promise<Pick<FileLayout, 'stamp' | 'extents'>> {
  const { volume } = chains;
  const { geometry } = volume;
  const slot = await readSlot(volume, file.ref);
  const clusters = Math.ceil(slotSizeBytes(slot) / geometry.clusterBytes);
  const chain = await chains.follow(slotFirstCluster(slot, geometry.kind === 'fat32'), clusters);
  // All but the name and the day of the last access.
  const stamp = `${slot.toString('hex', 12, 18)}${slot.toString('hex', 20, 32)}`;
  // A broken chain is no layout: what it still holds may be another file's by now.
  return { stamp, extents: chain.end === 'whole' ? chains.fileExtents(chain, endBytes) : [] };
}
