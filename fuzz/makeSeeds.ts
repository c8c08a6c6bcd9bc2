/**
 * Makes seeds with the real tools: `node fuzz/makeSeeds.ts <target|all>`; needs root and what infra/test-deps.sh installs. A seed that
 * is there stays as it is, for kept inputs are changes to it; delete one only together with the inputs that name it.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeScratch, type Scratch } from '@diskfleet/filesystem/testing';
import { packSeed } from './engine/seedImage.ts';
import { seedFolder } from './run/folders.ts';
import { targetNames } from './targets/names.ts';

/** Content of one seed: a file a tool made, or bytes. */
export interface SeedSource {
  readonly name: string;
  readonly sectorBytes?: number;
  make(scratch: Scratch): Promise<string | Uint8Array>;
}

const [wanted = ''] = process.argv.slice(2);
for (const { name: target } of targetNames) {
  if (wanted !== target && wanted !== 'all') continue;
  const { seeds }: { seeds: readonly SeedSource[] } = await import(`./seedSources/${target}.ts`);
  await mkdir(seedFolder(target), { recursive: true });
  for (const { name, sectorBytes, make } of seeds) {
    const path = join(seedFolder(target), `${name}.img.zst`);
    if (existsSync(path)) continue;
    const scratch = await makeScratch();
    try {
      const made = await make(scratch);
      await writeFile(path, packSeed(typeof made === 'string' ? await readFile(made) : made, sectorBytes ?? 512));
      process.stdout.write(`${target}/${name}: ${(await stat(path)).size} bytes\n`);
    } finally {
      await scratch.dispose();
    }
  }
}
