/** The commands against a real vault service: with an admin's token they prune and sweep, with an agent's they do not. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, rawPrivateKey, signGrant, type VaultVerb } from '@diskfleet/protocol';
import { openStore } from '@diskfleet/vault';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createVaultService } from '../../../apps/vault-service/src/index.ts';
import { runHere, storeSmallPoint } from '../testing/smallVaults.ts';

const dayMs = 24 * 3_600_000;
const pair = generateIdentity();
const vaultId = randomUUID();
let folder: string;
let service: Server;
let address: string;
let skippedMs = 0;
const now = () => new Date(Date.now() + skippedMs);

const token = (verbs: VaultVerb[], machineId: string | null = null) => {
  const expiresAt = new Date(Date.now() + 365 * dayMs).toISOString();
  return signGrant(rawPrivateKey(pair.privateKey), { purpose: 'vault', vaultId, machineId, verbs, expiresAt });
};

const run = (env: Record<string, string>, ...argv: string[]) => runHere(argv, { env, now });
const asAdmin = (...argv: string[]) => run({ DISKFLEET_VAULT_TOKEN: token(['admin']) }, ...argv);

/** A point that an agent of machine `m` made; nothing else shares its 64 KiB. */
const makePoint = (fill: number) =>
  storeSmallPoint(
    { kind: 'service', baseUrl: address, token: token(['write'], 'm') },
    { fill, at: new Date(Date.now() + fill * 60_000), method: 'full' },
  );

async function age(days: number, below: string): Promise<void> {
  const at = new Date(Date.now() - days * dayMs);
  for (const name of await readdir(join(folder, 'vault', below), { recursive: true }))
    await utimes(join(folder, 'vault', below, name), at, at);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-cli-service-'));
  const options = { dataFolder: join(folder, 'data'), serverPublicKey: pair.publicKey, log: pino({ level: 'silent' }), now };
  service = await createVaultService(options);
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const bound = service.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : null}`;
  address = `${url}/v1/vaults/${vaultId}`;
  const answer = await fetch(`${url}/v1/vaults`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token(['admin'])}` },
    body: JSON.stringify({ vaultId, folder: join(folder, 'vault') }),
  });
  expect(answer.status).toBe(201);
});
afterAll(async () => {
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

test('a vault behind a service is made, pruned and swept by the commands of an admin, and nothing is destroyed before its time', async () => {
  await asAdmin('vault', 'create', address, '--unencrypted');
  const made = [await makePoint(1), await makePoint(2), await makePoint(3)];
  const packs = async () =>
    (await readdir(join(folder, 'vault', 'packs'), { recursive: true })).filter((name) => name.length > 60);
  const before = (await packs()).length;
  expect((await asAdmin('prune', 'full:1', '--vault', address, '--dry-run')).text).toContain('2 points would be deleted.');
  const { text, json } = await asAdmin('prune', 'full:1', '--vault', address, '--yes');
  expect(text).toMatch(/Deleted 2 points\. The vault service keeps them until \d{4}-/);
  expect(json).toMatchObject({
    points: [{ id: made[0], goesAtMs: expect.any(Number) }, { id: made[1] }, { id: made[2], action: 'keep' }],
  });
  expect((await asAdmin('prune', 'full:1', '--vault', address, '--yes')).text, 'they count as gone').toContain(
    'Deleted 0 points.',
  );
  expect((await asAdmin('points', '--vault', address)).text).toContain(made[0]?.slice(0, 12));
  await age(2, 'packs');
  expect((await asAdmin('gc', '--vault', address)).text, 'what they need is in use').toBe('Nothing to give back.');
  skippedMs = 15 * dayMs;
  await fetch(`${address}/purge`, { method: 'POST', headers: { authorization: `Bearer ${token(['admin'])}` } });
  expect((await asAdmin('gc', '--vault', address)).text).toMatch(/Marked \d packs?/);
  await age(2, 'gc');
  expect((await asAdmin('gc', '--vault', address)).text).toMatch(/Removed \d packs?\./);
  expect((await packs()).length).toBe(before);
  expect((await asAdmin('verify', '--content', '--vault', address)).text).toContain('no damage');
});

test('an agent’s token deletes nothing, sweeps nothing, and no token is no way in', async () => {
  const asAgent = (...argv: string[]) => run({ DISKFLEET_VAULT_TOKEN: token(['write', 'read'], 'm') }, ...argv);
  await makePoint(4);
  await expect(asAgent('prune', 'full:1', '--vault', address, '--yes')).rejects.toMatchObject({ code: 'VAULT_REFUSED' });
  const store = await openStore({ kind: 'service', baseUrl: address, token: token(['write', 'read'], 'm') });
  // Without its first step there is no sweep.
  await expect(store.put('gc/0000000000000009-mark', Buffer.from('x'))).rejects.toMatchObject({ code: 'VAULT_REFUSED' });
  await expect(store.remove('sessions/x')).rejects.toMatchObject({ code: 'VAULT_REFUSED' });
  await store.close();
  await expect(run({}, 'points', '--vault', address)).rejects.toMatchObject({ code: 'USAGE' });
  await expect(run({ DISKFLEET_VAULT_TOKEN: 'x' }, 'points', '--vault', address)).rejects.toMatchObject({
    code: 'VAULT_REFUSED',
  });
});
