import { readFile } from 'node:fs/promises';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';

async function disk(scratch: Scratch): Promise<string> {
  return scratch.sparseFile('disk.img', 8 << 20);
}

async function gpt(scratch: Scratch, ...options: string[]): Promise<string> {
  const path = await disk(scratch);
  await runTool('sgdisk', ['-n', '1:0:+1M', '-t', '1:ef00', '-n', '2:0:+2M', '-n', '5:0:0', '-c', '2:Grüße', ...options, path]);
  return path;
}

async function mbr(scratch: Scratch, script: string): Promise<string> {
  const path = await disk(scratch);
  await runTool('sfdisk', ['-q', path], { input: script });
  return path;
}

const logical = `label: dos
start=64, size=1024, type=c, bootable
start=2048, size=12000, type=f
start=2112, size=512, type=83
start=4096, size=1024, type=82
start=8192, size=2048, type=7
`;

export const seeds: readonly SeedSource[] = [
  { name: 'gpt', make: (scratch) => gpt(scratch) },
  { name: 'gpt-hybrid', make: (scratch) => gpt(scratch, '-h', '1:2') },
  {
    name: 'gpt-backup',
    make: async (scratch) => {
      const bytes = await readFile(await gpt(scratch));
      bytes.fill(0, 512, 1024);
      return bytes;
    },
  },
  {
    name: 'gpt-4k',
    sectorBytes: 4096,
    make: async (scratch) => {
      const device = await scratch.attach(await disk(scratch), undefined, 4096);
      await runTool('sgdisk', ['-n', '1:0:+1M', '-n', '2:0:0', device]);
      return readFile(device);
    },
  },
  { name: 'mbr-logical', make: (scratch) => mbr(scratch, logical) },
  { name: 'mbr', make: (scratch) => mbr(scratch, 'label: dos\nstart=2048, size=4096, type=7, bootable\nstart=8192, type=83\n') },
  {
    name: 'superfloppy',
    make: async (scratch) => {
      const path = await disk(scratch);
      await runTool('mkfs.fat', ['-F', '12', path]);
      return path;
    },
  },
];
