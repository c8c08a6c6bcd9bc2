import { targetNames } from '../targets/names.ts';
import type { Outcome } from './runTarget.ts';

/** What was done and reached, one line for each run, and what was found. */
export function table(outcomes: readonly Outcome[], { branches }: { branches: boolean }): string {
  const rows = outcomes.map((outcome) => {
    const { own, taken } = coverage(outcome);
    return [
      outcome.target,
      String(outcome.executions),
      (outcome.executions / outcome.seconds).toFixed(0),
      `${taken} of ${own} (${((100 * taken) / Math.max(1, own)).toFixed(0)} %)`,
      String(outcome.inputs),
      String(outcome.repaired),
      String(outcome.slowestMs),
      String(outcome.restarts),
      String(outcome.unconfirmed),
      String(outcome.findings.length),
    ];
  });
  const head = [
    'target',
    'inputs',
    'a second',
    'branches reached',
    'kept',
    'repaired',
    'slowest ms',
    'restarts',
    'unconfirmed',
    'found',
  ];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows].map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  const problems = outcomes.flatMap(({ target, seed, findings, broken }) => [
    ...(broken === null ? [] : [`${target} (seed ${seed}): ${broken}`]),
    ...findings.map(({ problem, file }) => `${target} (seed ${seed}): ${problem.kind}: ${problem.text}\n  ${file}`),
  ]);
  const missed = branches ? outcomes.flatMap(unreached) : [];
  return `\n${[...lines, ...missed, '', ...problems].join('\n')}\n`;
}

function ownFiles(target: string): RegExp {
  return targetNames.find(({ name }) => name === target)?.own ?? /^/;
}

function coverage({ target, facts, reached }: Outcome): { own: number; taken: number } {
  const own = [...facts.places.entries()].filter(([, { file }]) => ownFiles(target).test(file));
  return { own: own.length, taken: own.filter(([id]) => reached.has(id)).length };
}

/** By file: the lines with a branch no input took. */
function unreached({ target, facts, reached }: Outcome): string[] {
  const lines = new Map<string, Set<number>>();
  for (const [id, { file, line }] of facts.places.entries()) {
    if (reached.has(id) || !ownFiles(target).test(file)) continue;
    lines.set(file, (lines.get(file) ?? new Set()).add(line));
  }
  return [...lines].map(([file, numbers]) => `  ${file}: ${[...numbers].sort((a, b) => a - b).join(' ')}`);
}
