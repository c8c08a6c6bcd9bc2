/**
 * `npm run fuzz -- <target|all> <seconds> [--seed N] [--jobs N] [--keep] [--branches]`: fuzzes parsers of bytes that are not ours, each for that many
 * seconds, with N processes. `npm run fuzz -- --replay FILE...` judges kept inputs alone. Ends with 1 when anything was found.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { judge } from './run/judge.ts';
import { mergeCorpus } from './run/keep.ts';
import { type Outcome, runTarget } from './run/runTarget.ts';
import { table } from './run/table.ts';
import { targetNames } from './targets/names.ts';

const names = targetNames.map(({ name }) => name);

const usage = `Usage: npm run fuzz -- <target|all> <seconds> [--seed N] [--jobs N] [--keep] [--branches]
       npm run fuzz -- <target> --replay FILE...
Targets: ${names.join(', ')}\n`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    jobs: { type: 'string' },
    keep: { type: 'boolean' },
    branches: { type: 'boolean' },
    replay: { type: 'boolean' },
  },
});
const [name = '', ...rest] = positionals;
const wanted = name === 'all' ? names : names.filter((target) => target === name);
if (wanted.length === 0 || rest.length === 0) {
  process.stderr.write(usage);
  process.exit(2);
}
process.exit(values.replay ? await replay() : await fuzz());

async function replay(): Promise<number> {
  let failed = 0;
  for (const file of rest) {
    const { problem, cpuMs, peakBytes } = await judge(name, readFileSync(file, 'utf8'));
    if (problem !== null) failed += 1;
    const verdict = problem === null ? 'nothing wrong' : `${problem.kind}: ${problem.text}`;
    process.stdout.write(`${file}: ${verdict} (${Math.round(cpuMs)} ms of CPU, ${peakBytes >> 20} MiB)\n`);
  }
  return failed === 0 ? 0 : 1;
}

async function fuzz(): Promise<number> {
  const seconds = Number(rest[0]);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const jobs = Number(values.jobs ?? 1);
  if (!(seconds > 0) || !Number.isSafeInteger(seed) || !(jobs > 0)) {
    process.stderr.write(usage);
    return 2;
  }
  // One target by itself may have several processes; of all targets, several run beside each other.
  const work = wanted.length > 1 ? [...wanted] : Array.from({ length: jobs }, () => wanted[0] ?? '');
  process.stdout.write(`seed ${seed}, ${seconds} s each, ${jobs} at a time of ${availableParallelism()} processors\n`);
  const outcomes: Outcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < work.length) {
      const index = next++;
      outcomes.push(await runTarget({ target: work[index] ?? '', seconds, seed: seed + index, number: index }));
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  if (values.keep)
    for (const target of new Set(work))
      await mergeCorpus(
        target,
        outcomes.filter((outcome) => outcome.target === target),
      );
  process.stdout.write(table(outcomes, { branches: values.branches === true }));
  return outcomes.every(({ findings, broken }) => findings.length === 0 && broken === null) ? 0 : 1;
}
