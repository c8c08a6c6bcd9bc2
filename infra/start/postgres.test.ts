import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningPostgres, startPostgres } from './postgres.ts';

let dataFolder: string;
const running: RunningPostgres[] = [];
const lines: string[] = [];

beforeEach(() => {
  dataFolder = mkdtempSync(path.join(os.tmpdir(), 'pg-test-'));
  chmodSync(dataFolder, 0o711);
  lines.length = 0;
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

async function start(): Promise<RunningPostgres> {
  const one = await startPostgres({ dataFolder, log: (line) => lines.push(line), unsafeNoSync: true });
  running.push(one);
  return one;
}

/** Resolves when the socket takes a connection. */
function reach(one: RunningPostgres): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path.join(one.host, '.s.PGSQL.5432'), () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}

test('starts, stops and starts again on the same data with the same password', async () => {
  const first = await start();
  await reach(first);
  await first.stop();
  await expect(reach(first)).rejects.toThrow();
  const begun = Date.now();
  const second = await start();
  expect(Date.now() - begun).toBeLessThan(10_000);
  expect(second.password).toBe(first.password);
  await reach(second);
});

test('comes back after kill -9 of the database', async () => {
  const first = await start();
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  await reach(await start());
  expect(lines.join('\n')).toMatch(/removed a stale postmaster.pid/);
});

test('a postmaster.pid that names a process of something else does not hold it up', async () => {
  const first = await start();
  await first.stop();
  writeFileSync(path.join(dataFolder, 'database', 'data', 'postmaster.pid'), `${process.pid}\n`);
  await reach(await start());
});

test('shuts down what a killed start left behind, and leaves alone what is in use', async () => {
  const script = `import { startPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)};
    const one = await startPostgres({ dataFolder: ${JSON.stringify(dataFolder)}, log: () => {}, unsafeNoSync: true });
    console.log('pid ' + one.pid); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => resolve(Number(/pid (\d+)/.exec(text)?.[1])));
  });
  await expect(start()).rejects.toThrow(/in use by another running Diskfleet/);
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain(dataFolder);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  await reach(await start());
  expect(lines.join('\n')).toMatch(/left behind by an earlier run/);
});
