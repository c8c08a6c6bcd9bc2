import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { runTool, type Scratch, handMadeVolumes as volumes } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';

async function made(scratch: Scratch, tool: string, options: readonly string[], megabytes = 4): Promise<string> {
  const image = await scratch.sparseFile('volume.img', megabytes << 20);
  await runTool(tool, [...options, image]);
  return image;
}

async function luks(scratch: Scratch, type: string): Promise<string> {
  const image = await scratch.sparseFile('volume.img', 20 << 20);
  const options = ['luksFormat', '-q', '--type', type, '--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  await runTool('cryptsetup', [...options, image, '-'], { input: 'secret' });
  // What the key slots hold is noise nobody parses.
  const bytes = await readFile(image);
  bytes.fill(0, type === 'luks1' ? 4096 : 32_768);
  await writeFile(image, bytes);
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
  { name: 'luks1', make: (scratch) => luks(scratch, 'luks1') },
  { name: 'luks2', make: (scratch) => luks(scratch, 'luks2') },
  { name: 'f2fs', make: (scratch) => made(scratch, 'mkfs.f2fs', ['-q', '-l', 'Flash'], 64) },
  { name: 'udf', make: (scratch) => made(scratch, 'mkfs.udf', ['-l', 'my udf'], 8) },
  { name: 'udf-2k', make: (scratch) => made(scratch, 'mkfs.udf', ['-b', '2048', '-l', '日本', '-m', 'hd'], 8) },
  { name: 'jfs', make: (scratch) => made(scratch, 'mkfs.jfs', ['-q', '-L', 'jlabel'], 20) },
  {
    name: 'iso9660',
    make: async (scratch) => {
      const [folder, image] = [scratch.path('content'), scratch.path('disc.iso')];
      await mkdir(folder);
      await runTool('genisoimage', ['-quiet', '-J', '-V', 'My Disc', '-o', image, folder]);
      return image;
    },
  },
  {
    name: 'empty',
    make: async (scratch) => {
      await mkdir(scratch.path('none'));
      return new Uint8Array(1 << 20);
    },
  },
];
