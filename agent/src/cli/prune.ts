import { type PointHeader, type PruneVerdict, planPrune, type Vault, VaultError } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatTable, plural } from '../words.ts';
import type { Args, Cli, Command } from './command.ts';
import { noMore, required } from './parse.ts';
import { ask } from './prompt.ts';
import { number } from './schemeSimulate.ts';
import { parseScheme, schemeHelp } from './schemeText.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

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
      const nowMs = dryRun ? await roughTimeMs(cli, vault) : ((await vault.storeTimeMs()) ?? cli.now().getTime());
      const going = await vault.goingPoints();
      const verdicts = planPrune(scheme, {
        points: pointsMeant(args, points),
        ...{ times: await vault.pointTimes(), going, nowMs },
        pinned: pinsOf(args, points),
        verified: () => false,
        floor: number(args, 'floor', 1),
        keepFirstFull: args.flag('keep-first-full'),
      });
      const chosen = verdicts.filter((one) => one.action === 'delete');
      if (!dryRun && chosen.length > 0) await confirm(cli, args, { text: tableOf(verdicts), count: chosen.length });
      const refused = dryRun ? new Map<string, string>() : await removeAll(vault, chosen);
      const left = await vault.goingPoints();
      const deleted = chosen.filter(({ id }) => !refused.has(id));
      const end = dryRun
        ? `${plural(chosen.length, 'point')} would be deleted.`
        : `Deleted ${plural(deleted.length, 'point')}.${goesWhen(deleted, left)}`;
      return {
        json: { dryRun, points: verdicts.map(({ id, action, why }) => jsonOf({ id, action, why, refused, left })) },
        text: verdicts.length === 0 ? 'No restore point matches.' : `${tableOf(verdicts)}\n${end}`,
        warnings: [
          ...unreadable.map((name) => `the manifest ${name} cannot be read and was left alone; \`diskfleet verify\` says why`),
          ...[...refused].map(([id, why]) => `${id.slice(0, 12)} was kept: ${why}`),
        ],
      };
    });
  },
};

/** Only looking may be without the right to store anything: then this PC's clock has to do. */
async function roughTimeMs(cli: Cli, vault: Vault): Promise<number> {
  const told = await vault.storeTimeMs().catch((error: unknown) => {
    if (error instanceof VaultError) return null;
    throw error;
  });
  return told ?? cli.now().getTime();
}

function pointsMeant(args: Args, points: readonly PointHeader[]): readonly PointHeader[] {
  const [machine, source] = [args.text('machine'), args.text('source')];
  return points.filter(
    (point) => (machine ?? point.machineName) === point.machineName && (source ?? point.source) === point.source,
  );
}

/** @throws AgentError `POINT_NOT_FOUND` for a pin that keeps nothing. */
function pinsOf(args: Args, points: readonly PointHeader[]): (id: string) => boolean {
  const pins = args.list('pin');
  for (const pin of pins) {
    if (!points.some(({ id }) => id.startsWith(pin)))
      throw new AgentError('POINT_NOT_FOUND', `no restore point begins with "${pin}"`);
  }
  return (id) => pins.some((pin) => id.startsWith(pin));
}

const kept: ReadonlySet<string> = new Set(['VAULT_RETAINED', 'VAULT_OBJECT_LOCKED']);

/** A disk makes many removals durable in one go. */
const removedAtOnce = 16;

/** What the storage keeps for now is left for a later run; the rest goes. Returns why, by point. */
async function removeAll(vault: Vault, chosen: readonly PruneVerdict[]): Promise<Map<string, string>> {
  const refused = new Map<string, string>();
  const remove = ({ id }: PruneVerdict) =>
    vault.removePoint(id).catch((error: unknown) => {
      if (!(error instanceof VaultError) || !kept.has(error.code)) throw error;
      refused.set(id, error.message);
    });
  for (let at = 0; at < chosen.length; at += removedAtOnce) {
    // All of a group end before the vault is closed, whatever happens to one of them.
    const ends = await Promise.allSettled(chosen.slice(at, at + removedAtOnce).map(remove));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
  return refused;
}

/** A vault service keeps what was deleted for a while. */
function goesWhen(deleted: readonly PruneVerdict[], left: ReadonlyMap<string, number>): string {
  const times = deleted.flatMap(({ id }) => left.get(id) ?? []);
  if (times.length === 0) return '';
  const at = new Date(Math.max(...times)).toISOString().slice(0, 16).replace('T', ' ');
  return ` The vault service keeps them until ${at} UTC; until then they can be used, and the console can take the deletion back.`;
}

interface Shown {
  readonly id: string;
  readonly action: string;
  readonly why: string;
  readonly refused: ReadonlyMap<string, string>;
  readonly left: ReadonlyMap<string, number>;
}

function jsonOf({ id, action, why, refused, left }: Shown) {
  const goesAtMs = left.get(id);
  const kept = refused.get(id);
  return { id, action, why, ...(kept === undefined ? {} : { kept }), ...(goesAtMs === undefined ? {} : { goesAtMs }) };
}

function tableOf(verdicts: readonly PruneVerdict[]): string {
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
