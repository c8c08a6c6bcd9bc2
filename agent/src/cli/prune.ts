import { anomalyOf, applyScheme, type PointHeader, type SchemeGuards, type Vault, type Verdict } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatTable, plural } from '../words.ts';
import type { Args, Cli, Command } from './command.ts';
import { noMore, required } from './parse.ts';
import { ask } from './prompt.ts';
import { number } from './schemeSimulate.ts';
import { parseScheme, schemeHelp } from './schemeText.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

interface Pruned extends Verdict {
  readonly point: PointHeader;
}

export const pruneCommand: Command = {
  name: 'prune',
  group: 'Vault',
  summary: 'Delete restore points by a rule.',
  usage: '<rule> --vault FOLDER [--dry-run | --yes]',
  details: `The rule is one of ${schemeHelp}. It is applied to each disk of each machine by itself; --dry-run only shows what would go.
Times are those at which the vault received the points. The newest point and pinned ones always stay, and a series that looks wrong (a clock
that jumped, a burst of runs, most of a disk changed at once) is left alone. Space comes back by \`diskfleet gc\`.`,
  options: {
    ...vaultOptions,
    'dry-run': { type: 'boolean', help: 'Show what would be deleted and delete nothing.' },
    yes: { type: 'boolean', help: 'Delete without asking.' },
    machine: { type: 'string', value: 'NAME', help: 'Only points of this machine.' },
    source: { type: 'string', value: 'NAME', help: 'Only points of this source.' },
    pin: { type: 'string', multiple: true, value: 'POINT', help: 'Keep this point; may be given several times.' },
    'keep-first-full': { type: 'boolean', help: 'The first full point of each series stays.' },
    floor: { type: 'string', value: 'N', help: 'Never fewer points of a series than this; 1.' },
  },
  examples: [
    'diskfleet prune calendar:7d,4w,12m,3y --vault vault --dry-run',
    'diskfleet prune differential:10 --vault vault --yes',
  ],
  async run(cli, args) {
    const scheme = parseScheme(required(args.positionals[0], 'The rule'));
    noMore(args.positionals, 1);
    const dryRun = args.flag('dry-run');
    return withVault(await openVaultFor(cli, args, dryRun ? 'list' : 'full'), async (vault) => {
      const { points, unreadable } = await vault.listPoints();
      const verdicts = await judge(vault, points, {
        args,
        apply: (series, nowMs, guards) => applyScheme(scheme, series, nowMs, guards),
        nowMs: cli.now().getTime(),
      });
      const going = verdicts.filter((one) => one.action === 'delete');
      if (!dryRun && going.length > 0) {
        await confirm(cli, args, { text: tableOf(verdicts), count: going.length });
        for (const { id } of going) await vault.removePoint(id);
      }
      const end = dryRun ? `${plural(going.length, 'point')} would be deleted.` : `Deleted ${plural(going.length, 'point')}.`;
      return {
        json: { dryRun, points: verdicts.map(({ id, action, why }) => ({ id, action, why })) },
        text: verdicts.length === 0 ? 'No restore point matches.' : `${tableOf(verdicts)}\n${end}`,
        warnings: unreadable.map(
          (name) => `the manifest ${name} cannot be read and was left alone; \`diskfleet verify\` says why`,
        ),
      };
    });
  },
};

interface Judging {
  readonly args: Args;
  readonly nowMs: number;
  readonly apply: (series: Parameters<typeof applyScheme>[1], nowMs: number, guards: SchemeGuards) => Verdict[];
}

/** Verdicts on every series that was asked for, oldest first. */
async function judge(vault: Vault, points: readonly PointHeader[], { args, nowMs, apply }: Judging): Promise<Pruned[]> {
  const times = await vault.pointTimes();
  const pins = args.list('pin');
  for (const pin of pins) {
    if (!points.some(({ id }) => id.startsWith(pin)))
      throw new AgentError('POINT_NOT_FOUND', `no restore point begins with "${pin}"`);
  }
  const [machine, source] = [args.text('machine'), args.text('source')];
  const wanted = points.filter(
    (point) => (machine ?? point.machineName) === point.machineName && (source ?? point.source) === point.source,
  );
  const series = Map.groupBy(wanted, (point) => JSON.stringify([point.machineId, point.source]));
  return [...series.values()].flatMap((ones) => {
    const facts = ones.map((point) => {
      const receivedAtMs = times.get(point.id);
      if (receivedAtMs === undefined)
        throw new AgentError('INVALID_INPUT', 'this vault does not tell when it received its points: rules cannot be applied');
      return { ...point, receivedAtMs, pinned: pins.some((pin) => point.id.startsWith(pin)) };
    });
    const guards = {
      floor: number(args, 'floor', 1),
      keepFirstFull: args.flag('keep-first-full'),
      frozen: anomalyOf(facts, nowMs),
    };
    const byId = new Map(ones.map((point) => [point.id, point]));
    return apply(facts, nowMs, guards).flatMap((verdict) => {
      const point = byId.get(verdict.id);
      return point === undefined ? [] : [{ ...verdict, point }];
    });
  });
}

function tableOf(verdicts: readonly Pruned[]): string {
  const rows = verdicts.map(({ action, why, point }) => [
    action === 'delete' ? 'DELETE' : 'keep',
    point.id.slice(0, 12),
    point.createdAt.replace('T', ' ').slice(0, 19),
    `${point.machineName}/${point.source}`,
    point.method,
    why,
  ]);
  return formatTable(['', 'POINT', 'MADE (UTC)', 'OF', 'METHOD', 'WHY'], rows);
}

async function confirm(cli: Cli, args: Args, shown: { text: string; count: number }): Promise<void> {
  if (args.flag('yes')) return;
  if (!cli.stdin.isTTY || !cli.stderr.isTTY)
    throw new AgentError('USAGE', 'no terminal to ask at: give --yes, or --dry-run to only look');
  await cli.stderr.write(`${shown.text}\n`);
  const answer = await ask(cli, `Delete ${plural(shown.count, 'point')} for good? Type "delete": `);
  if (answer.trim() !== 'delete') throw new AgentError('USAGE', 'nothing was deleted');
}
