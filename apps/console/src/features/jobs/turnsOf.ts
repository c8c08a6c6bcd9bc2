/**
 * The turns a backup took, read from its run log: what it built on, how often it read again what was written meanwhile, how long
 * writers were held. The log is written for people; a line this does not know stays in the log and is no loss.
 */
import type { JobLogLine } from '@diskfleet/protocol';

export interface Turn {
  readonly kind: 'parent' | 'full' | 'counted' | 'pass' | 'held' | 'early' | 'restart';
  readonly at: string;
  readonly title: string;
  readonly detail: string;
}

interface Reading {
  readonly kind: Turn['kind'];
  readonly line: RegExp;
  readonly tell: (found: readonly string[], passes: number) => readonly [title: string, detail: string];
}

const readings: readonly Reading[] = [
  {
    kind: 'parent',
    line: /^Building on restore point (\S+) of (\S+?)\.?$/,
    tell: () => ['Builds on the point before', 'Only what differs is stored.'],
  },
  { kind: 'full', line: /^There is no earlier restore point/, tell: () => ['Full', 'There was nothing to build on.'] },
  {
    kind: 'counted',
    line: /^(.+): writes were counted since \S+; (.+) of (.+) are read/,
    tell: ([disk = '', read = '', of = '']) => ['Changed-block map used', `${disk}: ${read} of ${of} are read.`],
  },
  {
    kind: 'pass',
    line: /^(.+) changed meanwhile and are read again/,
    tell: ([bytes = ''], passes) => [`Pass ${passes + 1}`, `${bytes} were written meanwhile and are read again.`],
  },
  {
    kind: 'early',
    line: /^Holding still took too long \((\S+) s\)/,
    tell: ([seconds = '']) => ['Let go early', `after ${seconds} s; it tries again.`],
  },
  {
    kind: 'held',
    line: /^Held still for (\S+) s; (.+) were read meanwhile/,
    tell: ([seconds = '', bytes = '']) => [`Held still for ${seconds} s`, `${bytes} were read while nobody wrote.`],
  },
  {
    kind: 'restart',
    line: /^Some writes to the disk were not told/,
    tell: () => ['Begins again', 'The system lost count of the writes: nothing is taken on trust.'],
  },
];

export function turnsOf(log: readonly JobLogLine[]): readonly Turn[] {
  const turns: Turn[] = [];
  for (const { at, text } of log) {
    for (const { kind, line, tell } of readings) {
      const found = line.exec(text);
      if (!found) continue;
      const passes = turns.filter((turn) => turn.kind === 'pass').length + 1;
      const [title, detail] = tell(found.slice(1), passes);
      turns.push({ kind, at, title, detail });
      break;
    }
  }
  return turns;
}
