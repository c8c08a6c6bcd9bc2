/**
 * `npm run bench -- scale [part …]`: memory and speed of large vaults, each step in a process of its own. Parts: usual (1,000 points of ten
 * PCs), index (40 million chunks in as many points) and points (100,000 points of 1,000 PCs); all when none is named.
 * DISKFLEET_SCALE_PERCENT makes all smaller. The vaults are made once under DISKFLEET_BENCH_FOLDER (5 GB together) and used again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from '../measure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'packages/vault/src/testing/measureScale.ts');
/** A bundle, as what is shipped: reading TypeScript alone takes Node 40 MB. It lies where its native packages are found. */
const script = join(root, 'packages/vault/node_modules/.scale/measureScale.mjs');
const percent = Number(process.env.DISKFLEET_SCALE_PERCENT ?? 100);
const work = join(process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench'), `scale-${percent}`);
const part = (whole: number) => Math.max(1, Math.round((whole * percent) / 100));

/** Machines, points of each, leaves of the first and of later points, chunks of a leaf: see `ScalePlan`. */
const vaults: Readonly<Record<string, { plan: readonly number[]; phases: readonly string[] }>> = {
  usual: { plan: [10, 100, part(800), part(20), 256], phases: ['writer', 'reader', 'verify', 'gc'] },
  index: { plan: [10, 100, part(3000), part(130), 256], phases: ['writer', 'reader', 'verify'] },
  points: { plan: [part(1000), 100, 64, 4, 16], phases: ['gc', 'verify'] },
};

interface Result {
  readonly vault: string;
  readonly [figure: string]: string | number;
}

function bundle(): void {
  const external = ['koffi', '@napi-rs/blake-hash', '@node-rs/argon2'].map((name) => `--external:${name}`);
  const banner = "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);";
  const { status } = spawnSync(
    join(root, 'node_modules/.bin/esbuild'),
    [
      source,
      '--bundle',
      '--platform=node',
      '--format=esm',
      '--target=node24',
      ...external,
      `--banner:js=${banner}`,
      `--outfile=${script}`,
      '--log-level=warning',
    ],
    { stdio: 'inherit' },
  );
  if (status !== 0) throw new Error('esbuild could not bundle the script');
}

function runPhase(vault: string, folder: string, words: readonly string[]): Result {
  const { status, stdout } = spawnSync(process.execPath, [script, folder, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${words.join(' ')} of ${folder} ended with ${status}`);
  const result: Result = { vault, ...JSON.parse(stdout) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return result;
}

async function list(vault: string, folder: string): Promise<Result> {
  const { wallSeconds, cpuSeconds, peakRssBytes } = await measure(
    `${process.execPath} ${join(root, 'agent/dist/diskfleet.js')} points --vault ${folder} --json`,
  );
  const round = (value: number) => Math.round(value * 100) / 100;
  const result = {
    vault,
    phase: 'list',
    seconds: round(wallSeconds),
    cpuSeconds: round(cpuSeconds),
    peakRssMb: peakRssBytes >> 20,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return result;
}

function makeOnce(vault: string, plan: readonly number[]): string {
  const folder = join(work, vault);
  if (existsSync(folder)) return folder;
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  runPhase(vault, making, ['make', plan.join(',')]);
  renameSync(making, folder);
  return folder;
}

const named = process.argv.slice(2);
const unknown = named.find((word) => !Object.hasOwn(vaults, word));
if (unknown !== undefined) throw new Error(`no part is called ${unknown}: ${Object.keys(vaults).join(', ')}`);
bundle();
const results: Result[] = [];
for (const [vault, { plan, phases }] of Object.entries(vaults)) {
  if (named.length > 0 && !named.includes(vault)) continue;
  const folder = makeOnce(vault, plan);
  for (const phase of phases) results.push(runPhase(vault, folder, [phase]));
  results.push(await list(vault, folder));
}
const folder = join(root, 'bench/results');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'scale.json'), `${JSON.stringify(results, null, 2)}\n`);
