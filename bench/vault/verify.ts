/** The same data in one vault of each tool; every stored byte is read again and checked. Passes are interleaved. */
import { existsSync } from 'node:fs';
import { run } from '../../e2e/images/tools.ts';
import { allocatedBytes, type Cost, measure } from '../measure.ts';
import type { Figure } from './report.ts';
import { cli, hasPeer, place, secrets, sizes, sourceFile } from './setting.ts';

interface Checker {
  readonly tool: string;
  readonly needs?: string;
  readonly folder: string;
  /** Makes the repository and puts the file in. */
  readonly fill: (file: string) => string;
  readonly check: string;
}

const mib = (bytes: number) => Math.round(bytes / (1 << 20));
const folders = { ours: place('verify-diskfleet'), restic: place('verify-restic'), borg: place('verify-borg') };

const ours = (folder: string) => (file: string) =>
  `${cli} vault create ${folder} --json > /dev/null && ${cli} backup disk ${file} --vault ${folder} --method full --json > /dev/null`;

const checkers: readonly Checker[] = [
  {
    tool: 'diskfleet verify --data',
    folder: folders.ours,
    fill: ours(folders.ours),
    check: `${cli} verify --data --vault ${folders.ours} --json > /dev/null`,
  },
  {
    tool: 'diskfleet verify --content',
    folder: folders.ours,
    fill: ours(folders.ours),
    check: `${cli} verify --content --vault ${folders.ours} --json > /dev/null`,
  },
  {
    tool: 'restic check --read-data',
    needs: 'restic',
    folder: folders.restic,
    fill: (file) =>
      `restic init -q -r ${folders.restic} && restic -q -r ${folders.restic} backup --stdin --stdin-filename disk.img < ${file}`,
    check: `restic -q -r ${folders.restic} check --read-data`,
  },
  {
    tool: 'borg check --verify-data',
    needs: 'borg',
    folder: folders.borg,
    fill: (file) => `borg init -e repokey-blake2 ${folders.borg} && borg create -C zstd,1 ${folders.borg}::a - < ${file}`,
    check: `borg check --verify-data ${folders.borg}`,
  },
];

export async function measureVerify(passes: number): Promise<Figure[]> {
  const file = await sourceFile('data', sizes.dataMib);
  const usable = checkers.filter(({ needs }) => needs === undefined || hasPeer(needs));
  for (const { folder } of usable) await run('rm', ['-rf', folder]);
  for (const { folder, fill } of usable) if (!existsSync(folder)) await measure(fill(file), secrets);
  const costs = new Map<string, Cost[]>();
  for (let pass = 0; pass < passes; pass += 1) {
    for (const { tool, check, folder } of usable) {
      // Read once before, so that every tool finds its data in memory and not the first one alone on the disk.
      await run('bash', ['-c', `find ${folder} -type f -print0 | xargs -0 cat > /dev/null`]);
      const cost = await measure(check, secrets);
      costs.set(tool, [...(costs.get(tool) ?? []), cost]);
      process.stderr.write(`${tool.padEnd(28)} ${cost.wallSeconds.toFixed(2)} s, ${cost.cpuSeconds.toFixed(1)} CPU s\n`);
    }
  }
  const figures = usable.map(({ tool, folder }) => ({
    operation: 'check every stored byte',
    tool,
    costs: costs.get(tool) ?? [],
    note: `${mib(allocatedBytes(folder))} MiB stored`,
  }));
  for (const { folder } of usable) await run('rm', ['-rf', folder]);
  return figures;
}
