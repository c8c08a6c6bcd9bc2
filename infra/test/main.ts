/**
 * `npm test`: every stage in order, stopping at none, so that one run shows all that is wrong. `npm test -- lint unit` runs some.
 * Tests wait a lot, for disks, tools and each other; the fuzzer never does. So it runs beside them at a low priority and is shown last.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Background, startBackground } from './background.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules', '.bin', name);

interface Stage {
  readonly name: string;
  readonly what: string;
  readonly run: () => boolean;
  /** Arguments for Node: runs beside the stages that follow, if any do. */
  readonly beside?: readonly string[];
}

function command(path: string, args: readonly string[], cwd = root): boolean {
  const done = spawnSync(path, args, { cwd, stdio: 'inherit', env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } });
  return done.status === 0;
}

function workspaces(): string[] {
  const below = (folder: string) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  return ['agent', 'e2e', 'bench', 'fuzz', 'infra', ...below('packages'), ...below('apps')];
}

const fuzzing = ['--disable-warning=ExperimentalWarning', join(root, 'fuzz/main.ts'), 'all', '45', '--jobs', '2'];

const stages: readonly Stage[] = [
  { name: 'deps', what: 'tools the tests need', run: () => command('bash', [join(root, 'infra/test-deps.sh')]) },
  { name: 'lint', what: 'format, lint, import walls', run: () => command(bin('biome'), ['ci', '--diagnostic-level=warn', '.']) },
  { name: 'budgets', what: 'size budgets', run: () => command(process.execPath, [join(root, 'infra/lint/budgets.ts')]) },
  {
    name: 'unused',
    what: 'unused files, exports and dependencies',
    run: () => command(bin('knip'), ['--no-progress', '--no-config-hints']),
  },
  {
    name: 'types',
    what: 'types',
    run: () =>
      workspaces()
        .map((folder) => command(bin('tsc'), ['-p', '.'], join(root, folder)))
        .every(Boolean),
  },
  {
    name: 'fuzz',
    what: 'every parser of foreign bytes, 45 s of the processor each',
    run: () => command(process.execPath, fuzzing),
    beside: fuzzing,
  },
  { name: 'unit', what: 'unit, contract and golden tests', run: () => command(bin('vitest'), ['run']) },
  {
    name: 'faults',
    what: 'crashes, full disks and flipped bits',
    run: () => command(process.execPath, [join(root, 'infra/test/faults.ts')]),
  },
  { name: 'e2e', what: 'fleet and round trip', run: () => command(bin('vitest'), ['run', '--config', 'e2e/vitest.config.ts']) },
  {
    name: 'browser',
    what: 'the browser',
    run: () => command(join(root, 'e2e/node_modules/.bin/playwright'), ['test'], join(root, 'e2e')),
  },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  process.stderr.write(`No such stage: ${unknown.join(', ')}. There are: ${stages.map((stage) => stage.name).join(', ')}\n`);
  process.exit(2);
}
const selected = stages.filter((stage) => wanted.length === 0 || wanted.includes(stage.name));
const head = ({ name, what }: Stage) => process.stdout.write(`\n━━ ${name}: ${what}\n`);
const besides = new Map<Stage, Background>();
const outcomes = new Map<Stage, { passed: boolean; seconds: number }>();
for (const stage of selected) {
  if (stage.beside && stage !== selected.at(-1)) {
    besides.set(stage, startBackground(process.execPath, stage.beside, root));
    continue;
  }
  head(stage);
  const startedAt = Date.now();
  const passed = stage.run();
  outcomes.set(stage, { passed, seconds: (Date.now() - startedAt) / 1000 });
}
for (const [stage, background] of besides) {
  head(stage);
  outcomes.set(stage, await background.finish());
}
const results = selected.map((stage) => ({ ...stage, ...(outcomes.get(stage) ?? { passed: false, seconds: 0 }) }));

process.stdout.write('\n');
for (const { name, what, passed, seconds } of results) {
  process.stdout.write(`${passed ? '✓' : '✗'} ${name.padEnd(8)} ${seconds.toFixed(0).padStart(4)} s  ${what}\n`);
}
const failed = results.filter((result) => !result.passed).length;
process.stdout.write(`\nstages: ${results.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
