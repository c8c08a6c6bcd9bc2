import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { backupMemory } from './backupMemory.ts';

const folder = mkdtempSync(join(tmpdir(), 'diskfleet-memory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const series = { vaultId: 'v', machineId: 'm', kind: 'disk', source: 'serial' };

test('each series has a memory of its own, which the owner alone may read', async () => {
  const [one, other] = [backupMemory(folder, series), backupMemory(folder, { ...series, vaultId: 'w' })];
  expect(await one.load()).toBeNull();
  await one.save(Buffer.from('first'));
  await one.save(Buffer.from('second'));
  expect(Buffer.from((await one.load()) ?? [])).toEqual(Buffer.from('second'));
  expect(await other.load()).toBeNull();
  const [name = ''] = readdirSync(join(folder, 'memory'));
  expect(statSync(join(folder, 'memory', name)).mode & 0o777).toBe(0o600);
});

test('what was not used for half a year is forgotten; a folder that cannot be written costs only time', async () => {
  const old = join(folder, 'memory', 'old.map');
  writeFileSync(old, 'x');
  utimesSync(old, 1, 1);
  await backupMemory(folder, series).save(Buffer.from('third'));
  expect(readdirSync(join(folder, 'memory'))).toHaveLength(1);
  const file = join(folder, 'file');
  writeFileSync(file, 'x');
  const blocked = backupMemory(file, series);
  await blocked.save(Buffer.from('x'));
  expect(await blocked.load()).toBeNull();
});
