import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function made(scratch: Scratch, kilobytes: number, options: readonly string[]): Promise<string> {
  const image = await scratch.sparseFile('fat.img', kilobytes << 10);
  await runTool('mkfs.fat', [...options, image]);
  const source = scratch.path('source');
  await mkdir(source);
  await fillVolume(source, { posix: false, many: 20 });
  const names = (await readdir(source)).map((name) => join(source, name));
  await runTool('mcopy', ['-i', image, '-s', '-m', '-Q', ...names, '::/']);
  return image;
}

function seed(name: string, kilobytes: number, options: readonly string[]): SeedSource {
  return { name, make: (scratch) => made(scratch, kilobytes, options) };
}

export const seeds: readonly SeedSource[] = [
  seed('fat12', 1440, ['-F', '12', '-n', 'SEED']),
  seed('fat16', 4096, ['-F', '16', '-s', '1']),
  seed('fat32', 36_864, ['-F', '32', '-s', '1', '-n', 'SEED32']),
  seed('fat16-one-table', 4096, ['-F', '16', '-s', '1', '-f', '1', '-R', '3']),
];
