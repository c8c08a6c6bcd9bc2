/**
 * The older half of the points is deleted and its space given back; then the same again while backups run. Every run starts from a
 * fresh copy, and what is left is checked after it.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { run } from '../../e2e/images/tools.ts';
import { allocatedBytes, type Cost, measure } from '../measure.ts';
import type { Repositories } from './points.ts';
import type { Figure } from './report.ts';
import { cli, freshCopy, place, root, secrets, sizes } from './setting.ts';

interface Thinner {
  readonly tool: string;
  readonly pristine: string;
  readonly folder: string;
  readonly thin: string;
  readonly backup: string;
  readonly check: string;
}

/** As people run it: bundled like the command, beside it, since native modules are looked for from there. */
async function bundled(): Promise<string> {
  const out = join(root, 'agent/dist/benchThin.js');
  const external = ['koffi', '@napi-rs/blake-hash', '@node-rs/argon2'].map((name) => `--external:${name}`);
  const options = ['--bundle', '--platform=node', '--format=esm', '--target=node24', '--log-level=warning', ...external];
  await run(join(root, 'agent/node_modules/.bin/esbuild'), [join(root, 'bench/vault/thin.ts'), ...options, `--outfile=${out}`]);
  return out;
}

function thinners({ ours, restic, disk }: Repositories, thin: string): Thinner[] {
  const half = Math.floor(sizes.points / 2);
  const [vault, repository] = [place('gc-diskfleet'), place('gc-restic')];
  const found: Thinner[] = [
    {
      tool: 'diskfleet',
      pristine: ours,
      folder: vault,
      thin: `${process.execPath} ${thin} ${vault} ${half} > /dev/null`,
      backup: `${cli} backup disk ${disk} --vault ${vault} --json > /dev/null`,
      check: `${cli} verify --data --vault ${vault} --json > /dev/null`,
    },
  ];
  if (restic !== null) {
    found.push({
      tool: 'restic forget --prune',
      pristine: restic,
      folder: repository,
      thin: `restic -q -r ${repository} forget --group-by '' --keep-last ${sizes.points - half} --prune > /dev/null`,
      backup: `restic -q -r ${repository} backup --stdin --stdin-filename disk.img < ${disk}`,
      check: `restic -q -r ${repository} check`,
    });
  }
  return found;
}

const mib = (bytes: number) => Math.round(bytes / (1 << 20));

export async function measureGc(repositories: Repositories, passes: number): Promise<Figure[]> {
  const tools = thinners(repositories, await bundled());
  const alone = new Map<string, { costs: Cost[]; note: string }>();
  for (let pass = 0; pass < passes; pass += 1) {
    for (const { tool, pristine, folder, thin, check } of tools) {
      await freshCopy(pristine, folder);
      const before = mib(allocatedBytes(folder));
      const cost = await measure(thin, secrets);
      const note = `${before} MiB before, ${mib(allocatedBytes(folder))} after; checked sound`;
      await measure(check, secrets);
      alone.set(tool, { costs: [...(alone.get(tool)?.costs ?? []), cost], note });
      process.stderr.write(`${tool.padEnd(28)} ${cost.wallSeconds.toFixed(2)} s, ${cost.cpuSeconds.toFixed(1)} CPU s, ${note}\n`);
    }
  }
  const figures: Figure[] = tools.map(({ tool }) => ({
    operation: 'delete half, give back the space',
    tool,
    ...(alone.get(tool) ?? { costs: [] }),
  }));
  for (const tool of tools) figures.push(...(await besideBackups(tool)));
  return figures;
}

/** Backups one after another for as long as the sweeper works: how many succeed, how slow they are, and whether they stop the sweeper. */
async function besideBackups(thinner: Thinner): Promise<Figure[]> {
  const { tool, pristine, folder, thin, backup, check } = thinner;
  await freshCopy(pristine, folder);
  const quiet = [await measure(backup, secrets), await measure(backup, secrets)];
  const sweeps: Tries = { costs: [], refused: 0, said: '' };
  const backups: Tries = { costs: [], refused: 0, said: '' };
  const sweeping = attempt(thin, sweeps);
  let working = true;
  sweeping.finally(() => {
    working = false;
  });
  // The sweeper gets a start, so that it has whatever lock it takes.
  await setTimeout(500);
  const backingUp = async () => {
    while (working) await attempt(backup, backups);
  };
  await Promise.all([sweeping, backingUp()]);
  await measure(check, secrets);
  return [
    { operation: 'the same while backups run', tool, costs: sweeps.costs, note: wordsOf(sweeps) },
    { operation: 'a backup, nothing else running', tool, costs: quiet },
    { operation: 'a backup while space is given back', tool, costs: backups.costs, note: wordsOf(backups) },
  ];
}

interface Tries {
  readonly costs: Cost[];
  refused: number;
  said: string;
}

async function attempt(script: string, tries: Tries): Promise<void> {
  try {
    tries.costs.push(await measure(script, secrets, { flush: false }));
  } catch (cause) {
    tries.refused += 1;
    tries.said = /unable to create lock|Fatal: .*/.exec(String(cause))?.[0] ?? String(cause).slice(-200);
  }
}

function wordsOf({ costs, refused, said }: Tries): string {
  return `${costs.length} succeeded, ${refused === 0 ? 'none refused' : `${refused} REFUSED: ${said}`}`;
}
