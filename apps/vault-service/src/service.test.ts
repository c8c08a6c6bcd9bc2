import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, rawPrivateKey, signGrant, type VaultToken, type VaultVerb } from '@diskfleet/protocol';
import { openStore } from '@diskfleet/vault';
import { storeContract } from '@diskfleet/vault/testing';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { createVaultService } from './service.ts';

const pageShape = z.object({
  objects: z.array(z.object({ name: z.string(), sizeBytes: z.number() })),
  next: z.string().nullable(),
});

const server = generateIdentity();
const log = pino({ level: 'silent' });

async function startService() {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-service-'));
  const service = await createVaultService({
    dataFolder: join(folder, 'registry'),
    serverPublicKey: server.publicKey,
    log,
    now: () => new Date(),
  });
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
  const address = service.address();
  const port = typeof address === 'object' ? address?.port : null;
  const stop = async () => {
    service.closeAllConnections();
    await new Promise((done) => service.close(done));
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, url: `http://127.0.0.1:${port}`, stop };
}

function token(vaultId: string, verbs: VaultVerb[], extra: Partial<VaultToken> = {}): string {
  const grant = {
    purpose: 'vault',
    vaultId,
    machineId: null,
    verbs,
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
    ...extra,
  } as const;
  return signGrant(rawPrivateKey(server.privateKey), grant);
}

async function register(url: string, vaultId: string, folder: string): Promise<Response> {
  return fetch(`${url}/v1/vaults`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token(vaultId, ['admin'])}` },
    body: JSON.stringify({ vaultId, folder }),
  });
}

storeContract('vault service with an admin token', async () => {
  const { folder, url, stop } = await startService();
  const vaultId = randomUUID();
  expect((await register(url, vaultId, join(folder, 'vault'))).status).toBe(201);
  return {
    store: await openStore({ kind: 'service', baseUrl: `${url}/v1/vaults/${vaultId}`, token: token(vaultId, ['admin']) }),
    removes: false,
    cleanUp: stop,
  };
});

describe('vault service', () => {
  let running: Awaited<ReturnType<typeof startService>>;
  let vaultId: string;
  let base: string;
  beforeEach(async () => {
    running = await startService();
    vaultId = randomUUID();
    base = `${running.url}/v1/vaults/${vaultId}`;
    expect((await register(running.url, vaultId, join(running.folder, 'vault'))).status).toBe(201);
  });
  afterEach(() => running.stop());

  const call = (method: string, path: string, bearer: string, body?: Uint8Array | string) =>
    fetch(`${base}/${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}` },
      body: body === undefined ? undefined : new Uint8Array(Buffer.from(body)),
    });
  const pack = (bytes: Uint8Array) => {
    const name = createHash('sha256').update(bytes).digest('hex');
    return `objects/packs/${name.slice(0, 2)}/${name}`;
  };

  test('[P9] a writer adds packs, index segments and its own points, and reads no pack', async () => {
    const writer = token(vaultId, ['write'], { machineId: 'machine-a' });
    const bytes = randomBytes(5000);
    expect((await call('PUT', pack(bytes), writer, bytes)).status).toBe(201);
    expect((await call('PUT', pack(bytes), writer, bytes)).status).toBe(200);
    expect((await call('HEAD', pack(bytes), writer)).status).toBe(200);
    expect((await call('GET', pack(bytes), writer)).status).toBe(403);
    expect((await call('PUT', 'objects/points/machine-a/disk/x.adi', writer, 'p')).status).toBe(201);
    expect((await call('PUT', 'objects/points/machine-b/disk/x.adi', writer, 'p')).status).toBe(403);
    expect((await call('GET', 'objects/points/machine-b/disk/x.adi', writer)).status).toBe(403);
    expect((await call('PUT', 'objects/config', writer, 'c')).status).toBe(403);
    expect((await call('DELETE', pack(bytes), writer)).status).toBe(403);
    expect((await call('GET', 'list?prefix=points/', writer)).status).toBe(403);
    expect((await call('GET', 'list?prefix=points/machine-a/', writer)).status).toBe(200);
  });

  test('[P9] a reader reads all and changes nothing', async () => {
    const reader = token(vaultId, ['read']);
    const bytes = randomBytes(100);
    await call('PUT', pack(bytes), token(vaultId, ['admin']), bytes);
    expect(Buffer.from(await (await call('GET', pack(bytes), reader)).arrayBuffer()).equals(bytes)).toBe(true);
    expect((await call('PUT', pack(Buffer.from('x')), reader, 'x')).status).toBe(403);
    expect((await call('DELETE', pack(bytes), reader)).status).toBe(403);
  });

  test('[P8] without a valid token nothing is answered but health', async () => {
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
    const forged = signGrant(rawPrivateKey(generateIdentity().privateKey), {
      purpose: 'vault',
      vaultId,
      machineId: null,
      verbs: ['admin'],
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
    });
    const expired = token(vaultId, ['admin'], { expiresAt: new Date(Date.now() - 1000).toISOString() });
    const other = token(randomUUID(), ['admin']);
    for (const [bad, status] of [
      [forged, 401],
      [expired, 401],
      ['x.y', 401],
      [other, 403],
    ] as const) {
      expect((await call('GET', 'list?prefix=', bad)).status, bad.slice(0, 10)).toBe(status);
    }
    expect((await fetch(`${base}/list?prefix=`)).status).toBe(401);
  });

  test('[P11] a body that does not match its content name is refused and not kept', async () => {
    const admin = token(vaultId, ['admin']);
    const answer = await call('PUT', pack(Buffer.from('one')), admin, 'two');
    expect(answer.status).toBe(422);
    expect((await call('HEAD', pack(Buffer.from('one')), admin)).status).toBe(404);
  });

  test('[P7] names cannot climb out of the vault', async () => {
    const admin = token(vaultId, ['admin']);
    await writeFile(join(running.folder, 'secret'), 'secret');
    for (const name of [
      '..%2Fsecret',
      'packs%2F..%2F..%2Fsecret',
      '%2Fetc%2Fpasswd',
      'a%00b',
      '.hidden',
      'packs//x',
      `${'a/'.repeat(20)}x`,
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await call(method, `objects/${name}`, admin, method === 'PUT' ? 'x' : undefined);
        expect(answer.status, `${method} ${name}`).toBe(400);
      }
    }
  });

  test('ranges are honoured and checked', async () => {
    const admin = token(vaultId, ['admin']);
    const bytes = randomBytes(1000);
    await call('PUT', pack(bytes), admin, bytes);
    const ranged = async (range: string) =>
      fetch(`${base}/${pack(bytes)}`, { headers: { authorization: `Bearer ${admin}`, range } });
    const part = await ranged('bytes=10-19');
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);
    expect((await ranged('bytes=2000-3000')).status).toBe(416);
    expect((await ranged('bytes=5-1')).status).toBe(416);
  });

  test('lists page by page in order', async () => {
    const admin = token(vaultId, ['admin']);
    for (let index = 0; index < 1005; index += 1)
      await call('PUT', `objects/sessions/s${String(index).padStart(5, '0')}`, admin, 'x');
    const first = pageShape.parse(await (await call('GET', 'list?prefix=sessions/', admin)).json());
    const second = pageShape.parse(await (await call('GET', `list?prefix=sessions/&after=${first.next}`, admin)).json());
    expect([first.objects.length, second.objects.length, second.next]).toEqual([1000, 5, null]);
    expect(String(first.objects[999]?.name) < String(second.objects[0]?.name)).toBe(true);
  });

  test('a vault is registered once, in an empty folder, never inside another', async () => {
    expect((await register(running.url, vaultId, join(running.folder, 'elsewhere'))).status).toBe(409);
    expect((await register(running.url, randomUUID(), join(running.folder, 'vault', 'inner'))).status).toBe(409);
    await writeFile(join(running.folder, 'full'), '');
    expect((await register(running.url, randomUUID(), running.folder)).status).toBe(409);
    expect((await register(running.url, randomUUID(), 'relative/path')).status).toBe(400);
    const writer = token(vaultId, ['write'], { machineId: 'm' });
    const answer = await fetch(`${running.url}/v1/vaults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${writer}` },
      body: JSON.stringify({ vaultId, folder: '/tmp/x' }),
    });
    expect(answer.status).toBe(403);
  });

  test('an upload that breaks off leaves nothing', async () => {
    const bytes = randomBytes(1 << 20);
    const abort = new AbortController();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(bytes.subarray(0, 1000)));
        setTimeout(() => abort.abort(), 50);
      },
    });
    const init = {
      method: 'PUT',
      headers: { authorization: `Bearer ${token(vaultId, ['admin'])}`, 'content-length': String(bytes.length) },
      body,
      duplex: 'half',
      signal: abort.signal,
    } as const;
    await expect(fetch(`${base}/${pack(bytes)}`, init)).rejects.toThrow();
    expect((await call('HEAD', pack(bytes), token(vaultId, ['admin']))).status).toBe(404);
  });

  test('a folder test says what a vault there would meet, and cleans up', async () => {
    const folder = join(running.folder, 'candidate');
    const ask = async (path: string) =>
      (
        await fetch(`${running.url}/v1/test-folder`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token(vaultId, ['admin'])}` },
          body: JSON.stringify({ folder: path }),
        })
      ).json();
    expect(await ask(folder)).toMatchObject({ ok: true, writable: true, isEmpty: true, problem: null });
    expect(await readdir(folder)).toEqual([]);
    expect(await ask('/proc/nowhere')).toMatchObject({ ok: false, writable: false });
    expect(await ask(running.folder)).toMatchObject({ ok: false, problem: expect.stringMatching(/not empty/) });
  });
});
