/**
 * The older half of the points is deleted and its space given back; then the same again while backups run. Every run starts from a
 * fresh copy, and what is left is checked after it.
 */
import { join } from 'node:path';
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

function thinners({ ours, restic, disk }: Repositories): Thinner[] {
  const half = Math.floor(sizes.points / 2);
  const [vault, repository] = [place('gc-diskfleet'), place('gc-restic')];
  const found: Thinner[] = [
    {
      tool: 'diskfleet',
      pristine: ours,
      folder: vault,
      thin: `${process.execPath} ${join(root, 'bench/vault/thin.ts')} ${vault} ${half} > /dev/null`,
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
  const tools = thinners(repositories);
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

/** Backups one after another for as long as the sweeper works: how many succeed, and how slow they are. */
async function besideBackups(thinner: Thinner): Promise<Figure[]> {
  const { tool, pristine, folder, thin, backup, check } = thinner;
  await freshCopy(pristine, folder);
  const quiet = [await measure(backup, secrets), await measure(backup, secrets)];
  const during: Cost[] = [];
  let refused = 0;
  let said = '';
  let working = true;
  const sweeping = measure(thin, secrets).finally(() => {
    working = false;
  });
  const backingUp = async () => {
    while (working) {
      const cost = await measure(backup, secrets).catch((cause: unknown) => {
        refused += 1;
        said = String(cause);
        return null;
      });
      if (cost !== null) during.push(cost);
    }
  };
  const [swept] = await Promise.all([sweeping, backingUp()]);
  await measure(check, secrets);
  if (refused > 0) process.stderr.write(`${tool}: a backup beside it ended with: ${said.slice(-600)}\n`);
  const failed = refused === 0 ? 'none refused' : `${refused} REFUSED`;
  return [
    { operation: 'the same while backups run', tool, costs: [swept], note: 'checked sound' },
    { operation: 'a backup, nothing else running', tool, costs: quiet },
    ...(during.length === 0
      ? []
      : [
          {
            operation: 'a backup while space is given back',
            tool,
            costs: during,
            note: `${during.length} succeeded, ${failed}`,
          },
        ]),
    ...(during.length === 0 && refused > 0
      ? [
          {
            operation: 'a backup while space is given back',
            tool,
            costs: [swept],
            note: `${failed}, none succeeded (time: the clean-up)`,
          },
        ]
      : []),
  ];
}
