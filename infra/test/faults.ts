/**
 * `npm run test:faults`: the fault suite of the vault, some minutes. `-- long`: hours, for a release or after a change of the format.
 * `-- --seed N`: one seed of the simulation once more, with all its calls in `faults-seed-N.txt`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const usage = 'Usage: npm run test:faults [-- long | --seed N]\n';

function environment(args: readonly string[]): Record<string, string> | null {
  const [first, second] = args;
  if (first === undefined) return {};
  if (first === 'long' && args.length === 1) return { DISKFLEET_FAULTS: 'long' };
  if (first !== '--seed' || args.length !== 2 || !/^\d+$/.test(second ?? '')) return null;
  const file = join(root, `faults-seed-${second}.txt`);
  process.stdout.write(`All calls go to ${file}\n`);
  return { DISKFLEET_FAULT_SEED: second ?? '', DISKFLEET_FAULT_TRACE: file };
}

const env = environment(process.argv.slice(2));
if (env === null) {
  process.stderr.write(usage);
  process.exit(2);
}
const only = 'DISKFLEET_FAULT_SEED' in env ? ['oneSeed'] : [];
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', '--root', root, '--config', join(root, 'infra/test/faults.vitest.config.ts'), ...only],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } },
);
process.exit(status ?? 1);
