import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function fill(folder: string): Promise<void> {
  const compressed = join(folder, 'compressed');
  await mkdir(compressed);
  await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', compressed]);
  await writeFile(join(compressed, 'text'), Array.from({ length: 4000 }, (_, index) => `line ${index % 77}`).join('\n'));
  await fillVolume(folder, { posix: false, many: 90 });
  await writeFile(join(folder, 'tiny:stream'), 'other');
  await symlink('tiny', join(folder, 'link'));
}

async function made(scratch: Scratch, megabytes: number, options: readonly string[]): Promise<string> {
  const image = await scratch.sparseFile('ntfs.img', megabytes << 20);
  await runTool('mkntfs', ['-F', '-Q', '-q', ...options, image]);
  const device = await scratch.attach(image);
  const folder = await scratch.mount(device, 'ntfs-3g', 'compression,streams_interface=windows');
  await fill(folder);
  await scratch.unmount(folder);
  await scratch.detach(device);
  return image;
}

export const seeds: readonly SeedSource[] = [
  { name: 'ntfs-1k', make: (scratch) => made(scratch, 3, ['-c', '1024', '-L', 'SEED']) },
  { name: 'ntfs-4k', make: (scratch) => made(scratch, 6, ['-c', '4096']) },
];
