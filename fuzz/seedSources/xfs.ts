import { mkdir, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function mounted(scratch: Scratch, options: readonly string[], fill: (folder: string) => Promise<void>): Promise<string> {
  const image = await scratch.sparseFile('xfs.img', 32 << 20);
  await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', '-L', 'seed', ...options, image]);
  const device = await scratch.attach(image);
  const folder = await scratch.mount(device, 'xfs');
  await fill(folder);
  await scratch.unmount(folder);
  await scratch.detach(device);
  return image;
}

/** A file in so many pieces that its map is a tree, and a folder that is one. */
async function fillDeep(folder: string): Promise<void> {
  await fillVolume(folder, { posix: true, many: 400 });
  const comb = await open(join(folder, 'comb'), 'w');
  for (let index = 0; index < 400; index++) await comb.write('z', index * 9000);
  await comb.close();
  await symlink('x'.repeat(1000), join(folder, 'farther-link'));
  await mkdir(join(folder, 'gone'));
  await rm(join(folder, 'many', 'entry 7'));
}

/** As the kernel no longer writes it: made and filled by mkfs alone. */
async function version4(scratch: Scratch): Promise<string> {
  const image = await scratch.sparseFile('xfs4.img', 16 << 20);
  const [source, script] = [scratch.path('source'), scratch.path('proto')];
  await mkdir(source);
  await fillVolume(source, { posix: true, many: 40 });
  await rm(join(source, 'Grüße 世界'));
  const lines = ['/none', '0 0', 'd--755 0 0', `text ---644 0 0 ${join(source, 'text.txt')}`, 'sub d--755 0 0'];
  for (let index = 0; index < 60; index++) lines.push(`entry${index} ---644 0 0 ${join(source, 'empty')}`);
  lines.push('$', `odd ---644 0 0 ${join(source, 'odd')}`, 'link l--777 0 0 text', '$');
  await writeFile(script, `${lines.join('\n')}\n`);
  await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', '-m', 'crc=0', '-p', script, image]);
  return image;
}

export const seeds: readonly SeedSource[] = [
  { name: 'xfs5', make: (scratch) => mounted(scratch, [], (folder) => fillVolume(folder, { posix: true })) },
  { name: 'xfs5-deep', make: (scratch) => mounted(scratch, ['-b', 'size=1024', '-d', 'agcount=2'], fillDeep) },
  { name: 'xfs4', make: version4 },
  {
    name: 'xfs5-live',
    make: async (scratch) => {
      const image = await scratch.sparseFile('live.img', 32 << 20);
      await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', image]);
      const folder = await scratch.mount(await scratch.attach(image), 'xfs');
      await fillVolume(folder, { posix: true, many: 20 });
      return readFile(image);
    },
  },
];
