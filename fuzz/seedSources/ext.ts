import { mkdir, open, readFile } from 'node:fs/promises';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function made(scratch: Scratch, kilobytes: number, options: readonly string[]): Promise<string> {
  const image = await scratch.sparseFile('ext.img', kilobytes << 10);
  const source = scratch.path('source');
  await mkdir(source);
  await fillVolume(source, { posix: true });
  await runTool('mke2fs', ['-q', '-F', ...options, '-d', source, image]);
  return image;
}

function seed(name: string, kilobytes: number, options: readonly string[]): SeedSource {
  return { name, make: (scratch) => made(scratch, kilobytes, options) };
}

export const seeds: readonly SeedSource[] = [
  seed('ext2-1k', 2048, ['-t', 'ext2', '-b', '1024', '-N', '128']),
  seed('ext2-small-groups', 3072, ['-t', 'ext2', '-b', '1024', '-N', '192', '-g', '512', '-O', '^resize_inode']),
  seed('ext4-1k', 4096, ['-t', 'ext4', '-b', '1024', '-N', '128', '-J', 'size=1', '-g', '1024']),
  seed('ext4-no-sums', 4096, [
    '-t',
    'ext4',
    '-b',
    '1024',
    '-N',
    '128',
    '-O',
    '^metadata_csum,uninit_bg,inline_data,^has_journal',
  ]),
  seed('ext4-inline', 4096, ['-t', 'ext4', '-b', '4096', '-N', '128', '-O', 'inline_data,^has_journal,64bit']),
  seed('ext4-bigalloc', 8192, ['-t', 'ext4', '-b', '1024', '-C', '4096', '-N', '128', '-O', 'bigalloc,^has_journal']),
  seed('ext4-meta-bg', 6144, ['-t', 'ext4', '-b', '1024', '-N', '192', '-g', '256', '-O', 'meta_bg,^resize_inode,^has_journal']),
  {
    name: 'ext3-to-replay',
    make: async (scratch) => {
      const path = await made(scratch, 4096, ['-t', 'ext3', '-b', '1024', '-N', '128', '-J', 'size=1']);
      const bytes = await readFile(path);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 0x60) | 4, 1024 + 0x60);
      return bytes;
    },
  },
  {
    name: 'ext4-live',
    // As it lies on the disk while mounted: a journal with transactions in it.
    make: async (scratch) => {
      const image = await scratch.sparseFile('live.img', 4096 << 10);
      await runTool('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-N', '128', '-J', 'size=1', image]);
      const device = await scratch.attach(image);
      const folder = await scratch.mount(device, 'ext4', 'commit=300');
      await fillVolume(folder, { posix: true, many: 20 });
      const file = await open(folder, 'r');
      await file.sync();
      await file.close();
      return readFile(image);
    },
  },
];
