import { readFile } from 'node:fs/promises';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function made(scratch: Scratch, options: readonly string[], sectorBytes = 512): Promise<string> {
  process.env.TZ = 'UTC';
  const image = await scratch.sparseFile('exfat.img', 4 << 20);
  const device = await scratch.attach(image, undefined, sectorBytes);
  await runTool('mkfs.exfat', [...options, device]);
  const folder = await scratch.mount(device, 'exfat-fuse');
  await fillVolume(folder, { posix: false, many: 25 });
  await scratch.unmount(folder);
  await scratch.detach(device);
  return image;
}

export const seeds: readonly SeedSource[] = [
  { name: 'exfat-512', make: (scratch) => made(scratch, ['-c', '512', '-L', 'Größe']) },
  { name: 'exfat-4k', make: (scratch) => made(scratch, ['-c', '4096']) },
  { name: 'exfat-sectors-4k', sectorBytes: 4096, make: (scratch) => made(scratch, ['-c', '8192'], 4096) },
  {
    name: 'exfat-backup',
    make: async (scratch) => {
      const bytes = await readFile(await made(scratch, ['-c', '4096']));
      bytes.fill(0x55, 64, 120);
      return bytes;
    },
  },
];
