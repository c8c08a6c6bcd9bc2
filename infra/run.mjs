// The one door of the root scripts: `node infra/run.mjs <command>`. Runs on any Node from 20.20 with nothing installed, so it
// uses built-ins only and stays plain JavaScript. It installs and builds what changed, then hands over to the pinned Node 24.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const NEEDED_NODE = [20, 20];
const NEEDED_DISK_BYTES = 2.5e9;
const commands = {
  start: { build: true, script: 'infra/start/main.ts' },
  test: { build: true, script: 'infra/test/main.ts' },
  setup: { build: true, script: null },
  bench: { build: true, script: 'bench/main.ts' },
  fuzz: { build: false, script: 'fuzz/main.ts' },
  faults: { build: false, script: 'infra/test/faults.ts' },
};

function stop(message, exitCode = 1) {
  process.stderr.write(`\n${message}\n`);
  process.exit(exitCode);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NEEDED_NODE[0] || (major === NEEDED_NODE[0] && minor >= NEEDED_NODE[1])) return;
  stop(
    `Diskfleet needs Node ${NEEDED_NODE.join('.')} or newer; this is ${process.version}.\nInstall a current Node (nodejs.org or your package manager) and run the command again.`,
  );
}

// npm hands its own settings down as variables; pnpm and turbo would take them for theirs.
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}

function step(text) {
  process.stderr.write(`▸ ${text}\n`);
}

// In a pipe or a service the tools print plain lines; their full output is shown only when they fail.
function run(command, args, what) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...cleanEnvironment(), NEXT_TELEMETRY_DISABLED: '1', TURBO_TELEMETRY_DISABLED: '1', CI: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = [];
    const startedAt = Date.now();
    const ticker = setInterval(
      () => process.stderr.write(`  … ${what}: ${Math.round((Date.now() - startedAt) / 1000)} s\n`),
      15_000,
    );
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => output.push(piece));
    child.on('error', (error) => stop(`${what} could not start: ${error.message}`));
    child.on('close', (code) => {
      clearInterval(ticker);
      if (code === 0) return resolve();
      const text = Buffer.concat(output).toString('utf8');
      const hint = /ENOSPC|no space left/i.test(text)
        ? 'The disk is full. Free some space and run the command again.'
        : /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|network/i.test(text)
          ? 'The npm registry cannot be reached. Check the network (and `npm config get registry`), then run the command again.'
          : 'See the output above.';
      stop(`${text.split('\n').slice(-60).join('\n')}\n${what} failed (exit code ${code}). ${hint}`);
    });
  });
}

function stampPath(name) {
  return path.join(root, 'node_modules', `.diskfleet-${name}`);
}

function isFresh(name, value) {
  try {
    return readFileSync(stampPath(name), 'utf8') === value;
  } catch {
    return false;
  }
}

function manifestHash() {
  const hash = createHash('sha256');
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'];
  for (const folder of ['apps', 'packages']) {
    for (const name of readdirSync(path.join(root, folder)).sort()) files.push(`${folder}/${name}/package.json`);
  }
  for (const file of [...files, 'agent/package.json', 'e2e/package.json', 'bench/package.json', 'fuzz/package.json']) {
    const full = path.join(root, file);
    if (existsSync(full)) hash.update(`${file}\0`).update(readFileSync(full));
  }
  return hash.update(process.arch).digest('hex');
}

// Names, sizes and times of all sources: enough to know that nothing changed since the last build.
function sourceHash() {
  const hash = createHash('sha256');
  const walk = (folder) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (
        ['node_modules', 'dist', '.next', '.turbo'].includes(entry.name) ||
        entry.name.endsWith('.tsbuildinfo') ||
        entry.name === 'next-env.d.ts'
      )
        continue;
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(name);
      else if (entry.isFile()) {
        const stat = statSync(path.join(root, name));
        hash.update(`${name}\0${stat.size}\0${stat.mtimeMs}\n`);
      }
    }
  };
  for (const folder of ['agent', 'apps', 'packages']) walk(folder);
  return hash.update(manifestHash()).digest('hex');
}

function packageManager() {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).packageManager;
}

async function install() {
  const stamp = manifestHash();
  if (isFresh('installed', stamp)) return;
  const room = statfsSync(root);
  const freeBytes = room.bavail * room.bsize;
  if (freeBytes < NEEDED_DISK_BYTES) {
    stop(
      `Installing needs about ${NEEDED_DISK_BYTES / 1e9} GB, and only ${(freeBytes / 1e9).toFixed(1)} GB are free on this disk.\nFree some space and run the command again.`,
    );
  }
  step('Installing packages from the npm registry (first time: about a minute)');
  await run(
    process.platform === 'win32' ? 'npx.cmd' : 'npx',
    ['-y', packageManager(), 'install', '--frozen-lockfile'],
    'Installing',
  );
  mkdirSync(path.join(root, 'node_modules'), { recursive: true });
  writeFileSync(stampPath('installed'), stamp);
}

async function build() {
  const outputs = [
    'agent/dist/diskfleet.js',
    'apps/server/dist/main.js',
    'apps/vault-service/dist/main.js',
    'apps/console/.next/standalone',
  ];
  const stamp = sourceHash();
  if (isFresh('built', stamp) && outputs.every((file) => existsSync(path.join(root, file)))) return;
  step('Building console, server and agent (first time: about a minute)');
  await run(
    process.platform === 'win32' ? 'npx.cmd' : 'npx',
    ['-y', packageManager(), 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only'],
    'Building',
  );
  writeFileSync(stampPath('built'), stamp);
}

// A host Node of 24 or newer is used as it is; else the one that came with the packages.
function pinnedNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  const require = createRequire(path.join(root, 'package.json'));
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const manifest = require.resolve(`node-${platform}-${process.arch}/package.json`);
    return path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return stop(
      `There is no prebuilt Node 24 for ${process.platform}-${process.arch}.\nInstall Node 24 or newer yourself and run the command again.`,
    );
  }
}

function handOver(script, args) {
  const node = pinnedNode();
  const env = {
    ...cleanEnvironment(),
    PATH: `${path.dirname(node)}${path.delimiter}${path.join(root, 'node_modules', '.bin')}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', path.join(root, script), ...args], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the whole process group already; other signals are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`Cannot run ${node}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : null;
if (!command) stop(`Usage: node infra/run.mjs ${Object.keys(commands).join('|')}`, 2);
checkNode();
await install();
if (command.build) await build();
if (command.script) handOver(command.script, args);
else process.stdout.write('Ready. `npm start` runs it; `node_modules/.bin/diskfleet --help` is the command line.\n');
