import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkPorts, lockDataFolder, prepareDataFolder } from './checks.ts';
import { loadSecrets } from './secrets.ts';
import { readSettings, type Settings } from './settings.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('npm start', () => {
  let folder: string;
  let settings: Settings;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'diskfleet-start-'));
    settings = readSettings({ DISKFLEET_DATA: join(folder, 'data') }, root);
    prepareDataFolder(settings);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('has defaults for everything, and says what is wrong with a port', () => {
    expect(readSettings({}, root)).toMatchObject({
      consolePort: 7300,
      serverPort: 7301,
      vaultPort: 7302,
      host: '127.0.0.1',
      databaseUrl: null,
    });
    for (const bad of ['0', '70000', 'http', '-1']) {
      expect(() => readSettings({ DISKFLEET_SERVER_PORT: bad }, root)).toThrow(/DISKFLEET_SERVER_PORT=.* is not a port/);
    }
  });

  test('names a taken port and the way out', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const address = other.address();
    const port = typeof address === 'object' ? Number(address?.port) : 0;
    await expect(checkPorts({ ...settings, vaultPort: port })).rejects.toThrow(
      new RegExp(`vault service cannot use port ${port}.*another program uses it[\\s\\S]*DISKFLEET_VAULT_PORT=`),
    );
    await new Promise((done) => other.close(done));
  });

  test('runs once per data folder, and takes over the lock of a process that is gone', () => {
    const unlock = lockDataFolder(settings);
    const lock = join(settings.dataFolder, 'start.lock');
    expect(readFileSync(lock, 'utf8')).toBe(String(process.pid));
    unlock();
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    writeFileSync(lock, String(gone));
    lockDataFolder(settings)();
    const script = `setInterval(() => {}, 1000) // infra`;
    const holder = execFileSync('bash', ['-c', `"${process.execPath}" -e '${script}' >/dev/null 2>&1 & echo $!`], {
      encoding: 'utf8',
    }).trim();
    try {
      writeFileSync(lock, holder);
      expect(() => lockDataFolder(settings)).toThrow(new RegExp(`running already .*process ${holder}`));
    } finally {
      process.kill(Number(holder));
    }
  });

  test('says when the data folder cannot be made', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => prepareDataFolder({ ...settings, dataFolder: join(folder, 'file', 'data') })).toThrow(
      /cannot be made[\s\S]*DISKFLEET_DATA/,
    );
  });

  test('makes secrets once, for this user alone', () => {
    const first = loadSecrets(settings);
    const second = loadSecrets(settings);
    expect(second).toEqual(first);
    expect(Buffer.from(first.serverPublicKey, 'base64')).toHaveLength(32);
    for (const path of [first.masterKeyFile, first.bridgeKeyFile, first.serverIdentityFile, first.nextAuthSecretFile])
      expect(statSync(path).mode & 0o077).toBe(0);
    expect(statSync(join(settings.dataFolder, 'secrets')).mode & 0o077).toBe(0);
  });

  test('an old Node is told what to do', () => {
    const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"18.1.0"})';
    const done = spawnSync(process.execPath, ['--import', old, join(root, 'infra/run.mjs'), 'start'], { encoding: 'utf8' });
    expect(done.status).toBe(1);
    expect(done.stderr).toMatch(/needs Node 20\.20 or newer[\s\S]*Install a current Node/);
  });

  test('an unknown command is wrong usage', () => {
    expect(spawnSync(process.execPath, [join(root, 'infra/run.mjs'), 'fly'], { encoding: 'utf8' }).status).toBe(2);
  });
});
