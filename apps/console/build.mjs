/** `next build`, then the static files beside the standalone server, which serves them but does not bring them along. */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const next = join(dirname(createRequire(import.meta.url).resolve('next/package.json')), 'dist/bin/next');
execFileSync(process.execPath, [next, 'build'], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' },
});

const target = join(folder, '.next/standalone/apps/console/.next/static');
rmSync(target, { recursive: true, force: true });
cpSync(join(folder, '.next/static'), target, { recursive: true });
