import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

const small = ['--mixed', '-n', '4096'];

async function made(scratch: Scratch, options: readonly string[], mountOptions: string): Promise<string> {
  const image = await scratch.sparseFile('btrfs.img', options.includes('--mixed') ? 20 << 20 : 112 << 20);
  await runTool('mkfs.btrfs', ['-q', '-f', '-L', 'seed', ...options, image]);
  const device = await scratch.attach(image);
  const folder = await scratch.mount(device, 'btrfs', mountOptions);
  await fillVolume(folder, { posix: true, many: 30 });
  await runTool('btrfs', ['subvolume', 'create', join(folder, 'sub')]);
  await writeFile(join(folder, 'sub', 'inside'), 'x');
  await writeFile(join(folder, 'repeated'), 'as ever '.repeat(12_000));
  await scratch.unmount(folder);
  await scratch.detach(device);
  return image;
}

export const seeds: readonly SeedSource[] = [
  { name: 'btrfs-zlib', make: (scratch) => made(scratch, small, 'compress-force=zlib') },
  { name: 'btrfs-lzo', make: (scratch) => made(scratch, small, 'compress-force=lzo') },
  { name: 'btrfs-zstd', make: (scratch) => made(scratch, small, 'compress-force=zstd') },
  { name: 'btrfs-xxhash', make: (scratch) => made(scratch, [...small, '--csum', 'xxhash'], 'compress=no') },
  { name: 'btrfs-blake2', make: (scratch) => made(scratch, [...small, '--csum', 'blake2'], 'compress=no') },
  { name: 'btrfs-sha256', make: (scratch) => made(scratch, [...small, '--csum', 'sha256'], 'compress=no') },
  { name: 'btrfs-two-copies', make: (scratch) => made(scratch, ['-m', 'dup'], 'compress=no') },
  {
    name: 'btrfs-log',
    make: async (scratch) => {
      const image = await scratch.sparseFile('live.img', 20 << 20);
      await runTool('mkfs.btrfs', ['-q', '-f', ...small, image]);
      const folder = await scratch.mount(await scratch.attach(image), 'btrfs', 'commit=300');
      for (let index = 0; index < 12; index++) {
        const file = await open(join(folder, `synced${index}`), 'w');
        await file.write(Buffer.alloc(index * 700, 65));
        await file.sync();
        await file.close();
      }
      return readFile(image);
    },
  },
];
