import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { planRestore, type RestoreGuards, type RestorePlan, restore } from '@diskfleet/engine';
import type { Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { findTarget } from '../inventory/findDisk.ts';
import { platformGuards } from '../inventory/guards.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import type { Args, Cli, Command, CommandResult } from './command.ts';
import { getFiles } from './getFiles.ts';
import { operationOf } from './operation.ts';
import { noMore, required } from './parse.ts';
import { planText } from './planText.ts';
import { ask } from './prompt.ts';
import { selectPoint } from './selectPoint.ts';
import { openVaultFor, pointVault, vaultOptions, withVault } from './vaultAccess.ts';

/** The plan was shown and nobody confirmed it; with `--json` it is printed beside the error. */
export class RefusedPlan extends AgentError {
  readonly plan: RestorePlan;
  constructor(plan: RestorePlan, message: string) {
    super('PLAN_NOT_CONFIRMED', message);
    this.plan = plan;
  }
}

export const restoreCommand: Command = {
  name: 'restore',
  group: 'Restore',
  summary: 'Write a saved disk to a disk or file, or saved files to a folder.',
  usage: '<point> --to <disk|file|folder> [--plan-only | --confirm HASH]',
  details: `First the plan is made: what will be written, and what on the target will be lost, by name. It is carried out only when you
type the target's name, or give --confirm with the plan's hash; when the target changed since, it is refused (exit code 4).
A file that does not exist is made. Partitions that are not part of the point are kept where the target has them: not a byte of
them is written. With --path, files and folders of the image are put into the folder named by --to.`,
  options: {
    ...vaultOptions,
    to: { type: 'string', value: 'TARGET', help: 'The disk or file to overwrite, or with --path a folder.' },
    disk: { type: 'string', value: 'N', help: 'Which disk of the point, counted from 0; default 0.' },
    partition: {
      type: 'string',
      value: 'N',
      help: 'Only this partition, to the beginning of the target (a partition or a file).',
    },
    'plan-only': { type: 'boolean', help: 'Show the plan and write nothing.' },
    confirm: { type: 'string', value: 'HASH', help: 'Carry out exactly this plan, without asking.' },
    'compare-all': { type: 'boolean', help: 'Read everything back after writing, not a sample.' },
    path: { type: 'string', multiple: true, value: 'PATH', help: 'Put back this file or folder of the image; may be repeated.' },
    overwrite: { type: 'string', value: 'RULE', help: 'With --path: never, ifNewer, always or keepBoth; default never.' },
    symlinks: { type: 'boolean', help: 'With --path: make symbolic links again, as links.' },
  },
  examples: [
    'diskfleet restore latest --to /dev/sdb --vault vault --plan-only',
    'diskfleet restore latest --to new.img --vault vault --confirm 3f9c…',
    'diskfleet restore latest --path /2/home/ada --to /tmp/back --vault vault',
  ],
  async run(cli, args) {
    const selector = required(args.positionals[0], 'The restore point');
    noMore(args.positionals, 1);
    const to = required(args.text('to'), 'The target (--to)');
    return withVault(await openVaultFor(cli, args, 'full', pointVault(cli, args, selector)), async (vault) => {
      const pointId = selectPoint(await vault.listPoints(), selector).id;
      const where = { pointId, diskIndex: diskIndexOf(args) };
      if (args.list('path').length > 0) return getFiles(cli, args, { vault, ...where, paths: args.list('path'), to });
      return restoreDisk(cli, args, { vault, ...where, partition: partitionOf(args), to });
    });
  },
};

/** @throws AgentError `USAGE` */
export function diskIndexOf(args: Args): number {
  const text = args.text('disk') ?? '0';
  if (!/^\d{1,3}$/.test(text)) throw new AgentError('USAGE', `--disk must be a number counted from 0, not "${text}"`);
  return Number(text);
}

/** @throws AgentError `USAGE` */
function partitionOf(args: Args): number | null {
  const text = args.text('partition');
  if (text === null) return null;
  if (!/^\d{1,4}$/.test(text)) throw new AgentError('USAGE', `--partition must be a number, not "${text}"`);
  return Number(text);
}

interface Wanted {
  readonly vault: Vault;
  readonly pointId: string;
  readonly diskIndex: number;
  /** Null: the whole disk. */
  readonly partition: number | null;
  readonly to: string;
}

async function restoreDisk(cli: Cli, args: Args, { vault, pointId, diskIndex, partition, to }: Wanted): Promise<CommandResult> {
  const target = await findTarget(cli.platform(), to);
  const guards = await guardsOf(cli, args);
  const plan = await planRestore(vault, { pointId, diskIndex, partition, target });
  const forbidden = await guards.whyForbidden(target.path);
  if (args.flag('plan-only')) return { json: { ...plan, forbidden }, text: planText(plan, forbidden) };
  if (forbidden !== null) throw new AgentError(forbidden.code, forbidden.text);
  if (!plan.fits) throw new AgentError('PLAN_DOES_NOT_FIT', plan.reasons.map(({ text }) => text).join('; '));
  const confirmedHash = args.text('confirm') ?? (await confirmAtTerminal(cli, plan));
  if (confirmedHash !== plan.planHash) {
    throw new AgentError('PLAN_CHANGED', `the plan confirmed is ${confirmedHash}, the one made now is ${plan.planHash}`);
  }
  const { op, end } = operationOf(cli);
  const compare = args.flag('compare-all') ? ('all' as const) : ('sample' as const);
  const result = await restore(vault, { plan, confirmedHash, compare, guards }, op).finally(end);
  const { writtenBytes, skippedBytes, comparedBytes, seconds, warnings } = result;
  const text = `Restored to ${target.path}: wrote ${formatBytes(writtenBytes)}, ${formatBytes(skippedBytes)} matched already, read back and compared ${formatBytes(comparedBytes)}, in ${formatSeconds(seconds)}.`;
  return { json: { writtenBytes, skippedBytes, comparedBytes, seconds, warnings }, text, warnings };
}

/** What the platform forbids, and the vault itself: overwriting one of its packs would destroy what is being restored. */
async function guardsOf(cli: Cli, args: Args): Promise<RestoreGuards> {
  const platform = platformGuards(cli.platform());
  const place = pointVault(cli, args, args.positionals[0]);
  const folder = place.kind === 'directory' ? await realpath(place.path) : null;
  const file = place.kind === 'file' ? await realpath(place.path) : null;
  return {
    async whyForbidden(path) {
      if (file !== null && (path === file || path.startsWith(`${file}.`))) {
        return { code: 'TARGET_IS_SOURCE', text: `${path} is the file that is restored from` };
      }
      if (folder !== null && path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
        return { code: 'TARGET_IS_SOURCE', text: `${path} lies inside the vault that is restored from` };
      }
      return platform.whyForbidden(path);
    },
  };
}

async function confirmAtTerminal(cli: Cli, plan: RestorePlan): Promise<string> {
  if (!cli.stdin.isTTY || !cli.stderr.isTTY || cli.json) {
    if (!cli.json) await cli.stdout.write(`${planText(plan, null)}\n`);
    throw new RefusedPlan(plan, `Look at the plan, then run again with --confirm ${plan.planHash}`);
  }
  await cli.stderr.write(`${planText(plan, null)}\n\n`);
  const answer = await ask(cli, `Type ${plan.target.name} to go on, anything else to stop: `);
  if (answer.trim() !== plan.target.name) throw new RefusedPlan(plan, 'The answer was not the name of the target.');
  return plan.planHash;
}
