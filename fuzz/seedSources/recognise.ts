import { mkdir } from 'node:fs/promises';
import { runTool, type Scratch, handMadeVolumes as volumes } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';

async function made(scratch: Scratch, tool: string, options: readonly string[], megabytes = 4): Promise<string> {
  const image = await scratch.sparseFile('volume.img', megabytes << 20);
  await runTool(tool, [...options, image]);
  return image;
}

const byHand: Record<string, () => Uint8Array> = {
  raid1x: () => volumes.raid1x(4096),
  raid090: volumes.raid090,
  refs: volumes.refs,
  bitlocker: volumes.bitlocker,
  'bitlocker-to-go': volumes.bitlockerToGo,
  hfsplus: () => volumes.hfsplus('Macintosh'),
  zfs: () => volumes.zfs(),
  bcache: volumes.bcache,
  bcachefs: () => volumes.bcachefs('new'),
  swsuspend: () => volumes.swapOf('S1SUSPEND', 4096),
};

export const seeds: readonly SeedSource[] = [
  ...Object.entries(byHand).map(([name, make]) => ({ name, make: async () => make() })),
  { name: 'swap', make: (scratch) => made(scratch, 'mkswap', ['-L', 'seed']) },
  { name: 'btrfs', make: (scratch) => made(scratch, 'mkfs.btrfs', ['-q', '-f', '--mixed'], 20) },
  { name: 'xfs', make: (scratch) => made(scratch, 'mkfs.xfs', ['-q', '-f', '--unsupported'], 16) },
  { name: 'exfat', make: (scratch) => made(scratch, 'mkfs.exfat', [], 4) },
  {
    name: 'empty',
    make: async (scratch) => {
      await mkdir(scratch.path('none'));
      return new Uint8Array(1 << 20);
    },
  },
];
