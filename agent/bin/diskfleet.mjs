#!/usr/bin/env node
/**
 * Starts `diskfleet` on the Node it needs, from whatever Node is on the PC: itself when that is 24 or newer, else the pinned one
 * that was installed beside it. Plain JavaScript for Node 20, no dependency.
 */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 24;
const folder = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const bundle = join(folder, 'dist', 'diskfleet.js');
const entry = existsSync(bundle) ? bundle : join(folder, 'src', 'main.ts');

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  await import(pathToFileURL(entry).href);
} else {
  const node = pinnedNode();
  if (node === null) {
    process.stderr.write(
      `diskfleet needs Node ${NEEDED_MAJOR} or newer; this is ${process.version} and no pinned one is installed.\n` +
        'Run `npm run setup` in the checkout, or install Node 24.\n',
    );
    process.exit(1);
  }
  const child = spawn(node, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  // At a terminal the whole group gets Ctrl-C; a signal sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`diskfleet: ${node} cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The binary of the npm package for this machine, found from the package or from the root of the workspace. */
function pinnedNode() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const file = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  for (const from of [join(folder, 'package.json'), join(dirname(folder), 'package.json')]) {
    try {
      const path = join(dirname(createRequire(from).resolve(`${name}/package.json`)), file);
      if (existsSync(path)) return path;
    } catch {
      // Not installed here: look one level up.
    }
  }
  return null;
}
