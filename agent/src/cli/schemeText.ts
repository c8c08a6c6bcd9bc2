/** Deletion rules as people write them on a command line, e.g. `calendar:7d,4w,12m,3y`. */
import type { Scheme } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';

export const schemeHelp =
  'full:N, incremental:N (groups), differential:N (points), time:DAYSd, calendar:7d,4w,12m,3y or space:500GiB';

const units: Readonly<Record<string, number>> = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };

/** @throws AgentError `USAGE` naming the forms there are */
export function parseScheme(text: string): Scheme {
  const [kind = '', rest = ''] = text.split(/:(.*)/s);
  switch (kind) {
    case 'full':
    case 'incremental':
    case 'differential':
      return { kind, keep: whole(/^(\d{1,6})$/.exec(rest)?.[1], text, 1) };
    case 'time':
      return { kind, days: whole(/^(\d{1,6})d$/.exec(rest)?.[1], text, 1) };
    case 'calendar':
      return calendar(rest, text);
    case 'space': {
      const [, amount, unit = ''] = /^(\d{1,9})\s*([a-z]{1,3})$/i.exec(rest) ?? [];
      return { kind, bytes: whole(amount, text, 1) * (units[unit.toLowerCase()] ?? wrong(text)) };
    }
    default:
      return wrong(text);
  }
}

function calendar(rest: string, text: string): Scheme {
  const found = { d: 0, w: 0, m: 0, y: 0 };
  for (const part of rest.split(',')) {
    const [, count, unit] = /^(\d{1,5})([dwmy])$/.exec(part) ?? [];
    if (unit !== 'd' && unit !== 'w' && unit !== 'm' && unit !== 'y') return wrong(text);
    found[unit] = whole(count, text, 0);
  }
  return { kind: 'calendar', days: found.d, weeks: found.w, months: found.m, years: found.y };
}

function whole(digits: string | undefined, text: string, least: number): number {
  const value = Number(digits ?? Number.NaN);
  return Number.isSafeInteger(value) && value >= least ? value : wrong(text);
}

function wrong(text: string): never {
  throw new AgentError('USAGE', `"${text}" is not a deletion rule: write ${schemeHelp}`);
}
