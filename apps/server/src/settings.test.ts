import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateIdentity } from '@diskfleet/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from './settings.ts';

let folder: string;
let env: Record<string, string>;
const file = (name: string, text: string) => {
  const at = path.join(folder, name);
  writeFileSync(at, text, { mode: 0o600 });
  return at;
};
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'settings-'));
  env = {
    PGHOST: '/run/x',
    DISKFLEET_MASTER_KEY_FILE: file('master', randomBytes(32).toString('base64')),
    DISKFLEET_BRIDGE_KEY_FILE: file('bridge', randomBytes(32).toString('base64')),
    DISKFLEET_SERVER_IDENTITY_FILE: file('identity', JSON.stringify(generateIdentity())),
  };
});
afterAll(() => rmSync(folder, { recursive: true }));

test('defaults stay on this machine', () => {
  const { settings } = readSettings(env);
  expect(settings).toMatchObject({
    host: '127.0.0.1',
    port: 7301,
    vaultUrl: 'http://127.0.0.1:7302',
    publicUrl: 'http://127.0.0.1:7301',
  });
  expect(settings.vaultPublicUrl).toBe(settings.vaultUrl);
  expect(readSettings({ ...env, DATABASE_URL: 'postgres://h/d' }).settings.database).toEqual({ url: 'postgres://h/d' });
  expect(readSettings({ ...env, DISKFLEET_PUBLIC_URL: 'https://df.test/' }).settings.publicUrl).toBe('https://df.test');
});

test('what is missing, wrong or a sample is refused by name', () => {
  expect(() => readSettings({ ...env, PGHOST: '' })).toThrow(/DATABASE_URL/);
  expect(() => readSettings({ ...env, DISKFLEET_MASTER_KEY_FILE: '' })).toThrow(/DISKFLEET_MASTER_KEY_FILE/);
  expect(() => readSettings({ ...env, DISKFLEET_SERVER_PORT: '70000' })).toThrow(/DISKFLEET_SERVER_PORT/);
  expect(() => readSettings({ ...env, DISKFLEET_MASTER_KEY_FILE: file('short', 'AAAA') })).toThrow(/not 32 bytes/);
  const sample = file('sample', Buffer.alloc(32).toString('base64'));
  expect(() => readSettings({ ...env, DISKFLEET_MASTER_KEY_FILE: sample })).toThrow(/sample/);
  expect(() => readSettings({ ...env, DISKFLEET_BRIDGE_KEY_FILE: sample })).toThrow(/sample/);
});
