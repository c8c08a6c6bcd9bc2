/** `npm test`: every stage in order, stopping at none, so that one run shows all that is wrong. `npm test -- lint unit` runs some. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules', '.bin', name);

interface Stage {
  readonly name: string;
  readonly what: string;
  readonly run: () => boolean;
}

function command(path: string, args: readonly string[], cwd = root): boolean {
  const done = spawnSync(path, args, { cwd, stdio: 'inherit', env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } });
  return done.status === 0;
}

function workspaces(): string[] {
  const below = (folder: string) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  return ['agent', 'e2e', 'bench', 'fuzz', 'infra', ...below('packages'), ...below('apps')];
}

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
  { name: 'unit', what: 'unit, contract and golden tests', run: () => command(bin('vitest'), ['run']) },
  {
    name: 'fuzz',
    what: 'every parser of foreign bytes, 45 s each',
    run: () =>
      command(process.execPath, [
        '--disable-warning=ExperimentalWarning',
        join(root, 'fuzz/main.ts'),
        'all',
        '45',
        '--jobs',
        '2',
      ]),
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
const results = stages
  .filter((stage) => wanted.length === 0 || wanted.includes(stage.name))
  .map((stage) => {
    process.stdout.write(`\n━━ ${stage.name}: ${stage.what}\n`);
    const startedAt = Date.now();
    const passed = stage.run();
    return { ...stage, passed, seconds: (Date.now() - startedAt) / 1000 };
  });

process.stdout.write('\n');
for (const { name, what, passed, seconds } of results) {
  process.stdout.write(`${passed ? '✓' : '✗'} ${name.padEnd(8)} ${seconds.toFixed(0).padStart(4)} s  ${what}\n`);
}
const failed = results.filter((result) => !result.passed).length;
process.stdout.write(`\nstages: ${results.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
