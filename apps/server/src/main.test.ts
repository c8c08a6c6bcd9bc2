import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTestDatabases } from '@diskfleet/db/testing';
import { generateIdentity } from '@diskfleet/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';

let databases: Awaited<ReturnType<typeof startTestDatabases>>;
let folder: string;
let child: ChildProcess | null = null;
beforeAll(async () => {
  databases = await startTestDatabases();
  folder = mkdtempSync(path.join(os.tmpdir(), 'server-main-'));
  execFileSync(process.execPath, ['build.mjs', built], { cwd: packageFolder });
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await databases.stop();
  rmSync(folder, { recursive: true, force: true });
  rmSync(path.join(packageFolder, built), { recursive: true, force: true });
});

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const built = `dist/test-${process.pid}`;

test.each([
  ['from its sources', 'src/main.ts'],
  ['bundled', `${built}/main.js`],
])('%s the process starts, says so, and ends on SIGTERM', async (_how, program) => {
  const address = await databases.fresh();
  const secret = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const setupToken = randomBytes(20).toString('hex');
  child = spawn(process.execPath, [path.join(packageFolder, program)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      DISKFLEET_SERVER_PORT: '0',
      PGHOST: address.host,
      PGUSER: address.user,
      PGPASSWORD: address.password,
      PGDATABASE: address.database,
      DISKFLEET_SETUP_TOKEN: setupToken,
      DISKFLEET_MASTER_KEY_FILE: secret('master', randomBytes(32).toString('base64')),
      DISKFLEET_BRIDGE_KEY_FILE: secret('bridge', randomBytes(32).toString('base64')),
      DISKFLEET_SERVER_IDENTITY_FILE: secret('identity', JSON.stringify(generateIdentity())),
    },
  });
  let text = '';
  const ready = await new Promise<{ port: number }>((resolve, reject) => {
    child?.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const line = text.split('\n').find((one) => one.includes('"msg":"ready"'));
      if (line) resolve(JSON.parse(line));
    });
    child?.once('exit', () => reject(new Error(text)));
  });
  const health = await fetch(`http://127.0.0.1:${ready.port}/healthz`);
  expect(await health.json()).toEqual({ ok: true, needsOwner: true, version: '0.1.0' });
  const begun = Date.now();
  const code = await new Promise((resolve) => {
    child?.once('exit', resolve);
    child?.kill('SIGTERM');
  });
  expect(code).toBe(0);
  expect(Date.now() - begun).toBeLessThan(5000);
  for (const line of text.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  expect(text).not.toContain(setupToken);
});
