/** The service before a real S3 storage: Ceph's RADOS gateway (Debian's packages, infra/test-deps.sh). */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, rawPrivateKey, signGrant, type VaultVerb } from '@diskfleet/protocol';
import { openStore } from '@diskfleet/vault';
import { makeBucket, noRadosgw, type Radosgw, startRadosgw, storeContract } from '@diskfleet/vault/testing';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVaultService } from './service.ts';

if (noRadosgw !== null && process.env.CI !== undefined) throw new Error(`the tests of buckets: ${noRadosgw}`);

describe.skipIf(noRadosgw !== null)(`a vault in a bucket${noRadosgw === null ? '' : ` (skipped: ${noRadosgw})`}`, () => {
  const pair = generateIdentity();
  let gateway: Radosgw;
  let folder: string;
  let service: Server;
  let url: string;
  let skippedMs = 0;
  const token = (vaultId: string, verbs: VaultVerb[], machineId: string | null = null) => {
    const expiresAt = new Date(Date.now() + 365 * 86_400_000).toISOString();
    return signGrant(rawPrivateKey(pair.privateKey), { purpose: 'vault', vaultId, machineId, verbs, expiresAt });
  };
  const bucketAt = (prefix: string) => ({
    ...{ bucket: 'vaults', prefix, region: 'us-east-1', endpoint: gateway.endpoint },
    ...gateway.credentials,
  });
  const register = (vaultId: string, prefix: string) =>
    fetch(`${url}/v1/vaults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token(vaultId, ['admin'])}` },
      body: JSON.stringify({ vaultId, bucket: bucketAt(prefix) }),
    });
  const newVault = async () => {
    const vaultId = randomUUID();
    expect((await register(vaultId, `v/${vaultId}`)).status).toBe(201);
    return { vaultId, baseUrl: `${url}/v1/vaults/${vaultId}` };
  };
  beforeAll(async () => {
    gateway = await startRadosgw();
    await makeBucket(gateway, 'vaults');
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-bucket-'));
    service = await createVaultService({
      dataFolder: join(folder, 'data'),
      serverPublicKey: pair.publicKey,
      log: pino({ level: 'silent' }),
      now: () => new Date(Date.now() + skippedMs),
      allowLoopback: true,
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const bound = service.address();
    url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : null}`;
  }, 120_000);
  afterAll(async () => {
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  storeContract('the service before a bucket (RADOS gateway)', async () => {
    const { vaultId, baseUrl } = await newVault();
    return {
      store: await openStore({ kind: 'service', baseUrl, token: token(vaultId, ['admin']) }),
      removes: true,
      async cleanUp() {},
    };
  });

  test('[P20] agents write through the service, the keys of the bucket stay with it, and what is removed is kept', async () => {
    const { vaultId, baseUrl } = await newVault();
    const agent = await openStore({ kind: 'service', baseUrl, token: token(vaultId, ['write'], 'm') });
    const bytes = randomBytes(3 << 20);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const name = `packs/${hash.slice(0, 2)}/${hash}`;
    expect(await agent.put(name, bytes)).toBe('stored');
    expect(await agent.put(name, bytes)).toBe('exists');
    await agent.close();
    const admin = await openStore({ kind: 'service', baseUrl, token: token(vaultId, ['admin']) });
    expect((await admin.get(name)).equals(bytes)).toBe(true);
    await admin.remove(name);
    expect(await admin.head(name)).toBeNull();
    const purge = async () =>
      (
        await fetch(`${baseUrl}/purge`, { method: 'POST', headers: { authorization: `Bearer ${token(vaultId, ['admin'])}` } })
      ).json();
    expect(await purge()).toEqual({ gone: 0, waiting: 1, locked: 0 });
    skippedMs = 15 * 86_400_000;
    expect(await purge()).toEqual({ gone: 1, waiting: 0, locked: 0 });
    skippedMs = 0;
    const usage = await (
      await fetch(`${baseUrl}/usage`, { headers: { authorization: `Bearer ${token(vaultId, ['read'])}` } })
    ).json();
    expect(usage).toMatchObject({ freeBytes: null, totalBytes: null });
    await admin.close();
    expect(await readFile(join(folder, 'data', 'vaults.json'), 'utf8')).toContain(gateway.credentials.secretAccessKey);
    const answer = await (await register(vaultId, `v/${vaultId}`)).text();
    expect(answer).not.toContain(gateway.credentials.secretAccessKey);
  });

  test('a vault inside another one’s prefix, or where one is already, is refused, and so are wrong keys', async () => {
    const { vaultId } = await newVault();
    expect((await register(randomUUID(), `v/${vaultId}/inner`)).status).toBe(409);
    expect((await register(randomUUID(), 'v')).status).toBe(409);
    const id = randomUUID();
    const answer = await fetch(`${url}/v1/vaults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token(id, ['admin'])}` },
      body: JSON.stringify({ vaultId: id, bucket: { ...bucketAt('w'), secretAccessKey: 'wrong' } }),
    });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: 'VAULT_REFUSED' } });
  });
});
