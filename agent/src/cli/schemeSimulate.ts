import { type SimulatedStep, simulateScheme } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatTable } from '../words.ts';
import type { Args, Command } from './command.ts';
import { noMore, oneOf, required } from './parse.ts';
import { parseScheme, schemeHelp } from './schemeText.ts';

const hourMs = 3_600_000;

export const schemeSimulateCommand: Command = {
  name: 'scheme simulate',
  group: 'Vault',
  summary: 'Show what a deletion rule would keep and delete over future runs.',
  usage: '<rule> [--runs N] [--every HOURS] [--full-every N] [--between incremental|differential]',
  details: `Touches no vault. The rule is one of ${schemeHelp}.`,
  options: {
    runs: { type: 'string', value: 'N', help: 'How many runs to play; 14.' },
    every: { type: 'string', value: 'HOURS', help: 'Time between runs; 24.' },
    'full-every': { type: 'string', value: 'N', help: 'Every N-th run is full; 7.' },
    between: { type: 'string', value: 'METHOD', help: 'What runs between full ones are.' },
    'keep-first-full': { type: 'boolean', help: 'The first full point stays for ever.' },
    floor: { type: 'string', value: 'N', help: 'Never fewer points than this; 1.' },
  },
  examples: ['diskfleet scheme simulate differential:3 --full-every 3 --between differential --runs 6'],
  async run(cli, args) {
    const scheme = parseScheme(required(args.positionals[0], 'The rule'));
    noMore(args.positionals, 1);
    const plan = {
      runs: number(args, 'runs', 14),
      everyMs: number(args, 'every', 24) * hourMs,
      fullEvery: number(args, 'full-every', 7),
      between: oneOf(args.text('between'), ['incremental', 'differential'], '--between'),
      ...{ startMs: cli.now().getTime(), fullBytes: 10, changedBytes: 1 },
    };
    const guards = { keepFirstFull: args.flag('keep-first-full'), floor: number(args, 'floor', 1) };
    const steps = simulateScheme(scheme, plan, guards);
    return { json: steps, text: tableOf(steps) };
  },
};

function tableOf(steps: readonly SimulatedStep[]): string {
  const rows = steps.map(({ atMs, made, deleted, kept }) => [
    new Date(atMs).toISOString().slice(0, 16).replace('T', ' '),
    made,
    deleted.map((one) => one.id).join(' ') || '-',
    String(kept.length),
    kept.join(' '),
  ]);
  return formatTable(['TIME (UTC)', 'MAKES', 'DELETES', 'KEPT', 'POINTS'], rows);
}

/** @throws AgentError `USAGE` */
export function number(args: Args, name: string, otherwise: number): number {
  const text = args.text(name);
  if (text === null) return otherwise;
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1)
    throw new AgentError('USAGE', `--${name} must be a number from 1 on, not "${text}"`);
  return Number(text);
}
