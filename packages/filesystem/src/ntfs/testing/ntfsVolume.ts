/** NTFS volumes made by mkntfs and filled through ntfs-3g. */
import type { Extent } from '@diskfleet/disk';
import { openFileDevice } from '@diskfleet/disk';
import { partcloneUsedExtents } from '../../testing/partclone.ts';
import { runTool, type Scratch } from '../../testing/scratch.ts';
import { type Tree, treeOfFolder } from '../../testing/tree.ts';
import { readBootSector } from '../bootSector.ts';

export const NTFS_TOOLS = { tools: ['mkntfs', 'ntfs-3g', 'partclone.ntfs', 'setfattr', 'losetup'], root: true } as const;

export interface NtfsVolumeOptions {
  readonly sizeBytes: number;
  readonly mkntfs?: readonly string[];
  readonly mountOptions?: string;
  fill?(folder: string): Promise<void>;
}

let volumes = 0;

/** Makes a volume in a file, lets `fill` write into it, and returns the unmounted file and the tree as ntfs-3g shows it. */
export async function makeNtfsVolume(scratch: Scratch, options: NtfsVolumeOptions): Promise<{ path: string; tree: Tree }> {
  const path = await scratch.sparseFile(`ntfs${volumes++}.img`, options.sizeBytes);
  await runTool('mkntfs', ['-F', '-Q', '-q', ...(options.mkntfs ?? []), path]);
  if (!options.fill) return { path, tree: new Map() };
  // On a block device ntfs-3g is unmounted when umount returns; on a file it would still be writing.
  const device = await scratch.attach(path);
  const writing = await scratch.mount(device, 'ntfs-3g', options.mountOptions ?? 'big_writes');
  await options.fill(writing);
  await scratch.unmount(writing);
  const reading = await scratch.mount(device, 'ntfs-3g', 'ro');
  const tree = await treeOfFolder(reading);
  await scratch.unmount(reading);
  await scratch.detach(device);
  return { path, tree };
}

/**
 * partclone's map, plus what we count as used on purpose and partclone does not: the end of the volume behind its last whole
 * cluster, where the backup boot sector lies.
 */
export async function partcloneNtfsExtents(path: string, scratch: Scratch): Promise<Extent[]> {
  const extents = await partcloneUsedExtents('partclone.ntfs', path, scratch);
  const device = await openFileDevice(path);
  const { geometry } = await readBootSector(device);
  await device.close();
  const tail = geometry.clusterCount * geometry.clusterBytes;
  const tailBytes = Math.min(device.sizeBytes, geometry.volumeBytes + geometry.sectorBytes) - tail;
  const last = extents.at(-1);
  if (tailBytes <= 0) return extents;
  if (last && last.offsetBytes + last.lengthBytes === tail) {
    return [...extents.slice(0, -1), { ...last, lengthBytes: last.lengthBytes + tailBytes }];
  }
  return [...extents, { offsetBytes: tail, lengthBytes: tailBytes }];
}
