/** NTFS volumes made by mkntfs and filled through ntfs-3g. */
import { link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Bytes that differ from one place to the next, so a misplaced cluster shows. */
export function pattern(lengthBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  for (let offset = 0, value = seed; offset + 4 <= lengthBytes; offset += 4) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(value, offset);
  }
  return bytes;
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

/** Something of everything, small: for tests that damage it. Mount with `compression,streams_interface=windows`. */
export async function fillRich(folder: string): Promise<void> {
  const compressed = join(folder, 'compressed');
  await mkdir(compressed);
  await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', compressed]);
  await writeFile(join(compressed, 'text'), Array.from({ length: 9000 }, (_, index) => `line ${index % 77}`).join('\n'));
  await writeFile(join(folder, 'plain'), pattern(150_000, 1));
  await writeFile(join(folder, 'plain:stream'), pattern(3000, 2));
  await writeFile(join(folder, 'resident'), 'small');
  await symlink('plain', join(folder, 'link'));
  await link(join(folder, 'plain'), join(folder, 'second name'));
  await mkdir(join(folder, 'many'));
  for (let index = 0; index < 150; index++) await writeFile(join(folder, 'many', `a file with number ${index}`), '');
  // Alternating growth scatters two files over many runs.
  const [odd, even] = [await open(join(folder, 'odd'), 'w'), await open(join(folder, 'even'), 'w')];
  for (let index = 0; index < 60; index++) {
    await odd.write(pattern(3000, index), 0, 3000, index * 20_000);
    await even.write(pattern(3000, -index), 0, 3000, index * 20_000);
  }
  await odd.close();
  await even.close();
}
