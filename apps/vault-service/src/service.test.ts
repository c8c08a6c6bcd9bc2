import { createHash, randomBytes, randomUUID, sign } from 'node:crypto';
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
  const start = async () => {
    const service = await createVaultService({
      dataFolder: join(folder, 'registry'),
      serverPublicKey: server.publicKey,
      log,
      now: () => new Date(),
    });
    await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
    const address = service.address();
    return { service, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : null}` };
  };
  const halt = async ({ service }: Awaited<ReturnType<typeof start>>) => {
    service.closeAllConnections();
    await new Promise((done) => service.close(done));
  };
  let current = await start();
  const running = {
    folder,
    url: current.url,
    async restart() {
      await halt(current);
      current = await start();
      running.url = current.url;
    },
    async stop() {
      await halt(current);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return running;
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

/** A token no code of ours would sign. */
function unchecked(vaultId: string, verbs: VaultVerb[], machineId: string): string {
  const grant = { purpose: 'vault', vaultId, machineId, verbs, expiresAt: new Date(Date.now() + 60_000).toISOString() };
  const payload = Buffer.from(JSON.stringify(grant), 'utf8');
  const bytes = Buffer.concat([Buffer.from('diskfleet-grant-v1\0', 'utf8'), payload]);
  return `${payload.toString('base64url')}.${sign(null, bytes, rawPrivateKey(server.privateKey)).toString('base64url')}`;
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
    removes: true,
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

  const admin = (extra: Partial<VaultToken> = {}) => token(vaultId, ['admin'], extra);
  const tokens = {
    writer: () => token(vaultId, ['write'], { machineId: 'machine-a' }),
    reader: () => token(vaultId, ['read']),
    'reader on a machine': () => token(vaultId, ['read'], { machineId: 'machine-a' }),
    'write without a machine': () => token(vaultId, ['write']),
    admin: () => admin(),
    // Signed by the server's own key, by mistake or by whoever took it over: still no admin.
    'admin on a machine': () => unchecked(vaultId, ['admin'], 'machine-a'),
  };
  type Who = keyof typeof tokens;
  const everyone: readonly Who[] = [
    'writer',
    'reader',
    'reader on a machine',
    'write without a machine',
    'admin',
    'admin on a machine',
  ];
  const readers: readonly Who[] = ['reader', 'reader on a machine', 'admin'];
  const matrix: readonly (readonly [method: string, path: string, body: string | undefined, who: readonly Who[]])[] = [
    ['PUT', 'PACK', undefined, ['writer', 'admin']],
    ['PUT', 'objects/sessions/s-0', 's', ['writer', 'admin']],
    ['PUT', 'objects/points/machine-a/d/x.adi', 'p', ['writer', 'admin']],
    ['PUT', 'objects/points/machine-b/d/x.adi', 'p', ['admin']],
    ['PUT', 'objects/config', 'c', ['admin']],
    ['PUT', 'objects/keys/k', 'c', ['admin']],
    ['PUT', 'objects/gc/0000000000000001-doom', 'c', ['admin']],
    ['GET', 'PACK', undefined, readers],
    ['HEAD', 'PACK', undefined, ['writer', 'write without a machine', ...readers]],
    ['GET', 'objects/config', undefined, ['writer', ...readers]],
    ['GET', 'objects/keys/k', undefined, readers],
    ['GET', 'objects/points/machine-a/d/x.adi', undefined, ['writer', ...readers]],
    ['GET', 'objects/points/machine-b/d/x.adi', undefined, readers],
    ['GET', 'list?prefix=', undefined, readers],
    ['GET', 'list?prefix=packs/', undefined, ['writer', ...readers]],
    ['GET', 'list?prefix=points/', undefined, readers],
    ['GET', 'list?prefix=points/machine-a/', undefined, ['writer', ...readers]],
    ['POST', 'has', '{"names":["packs/aa/x"]}', ['writer', 'write without a machine', ...readers]],
    ['POST', 'has', '{"names":["keys/k"]}', readers],
    ['GET', 'usage', undefined, readers],
    ['GET', 'policy', undefined, readers],
    ['GET', 'removed', undefined, readers],
    ['PUT', 'policy', '{"deletionDelayMs":1209600000,"minRetentionMs":0,"quotaBytes":null,"machineBytesPerDay":null}', ['admin']],
    ['POST', 'purge', '', ['admin']],
    ['DELETE', 'objects/sessions/s-0', undefined, ['admin']],
    ['DELETE', 'objects/points/machine-a/d/x.adi', undefined, ['admin']],
    ['POST', 'undelete', '{"name":"points/machine-a/d/x.adi"}', ['admin']],
    ['DELETE', 'PACK', undefined, ['admin']],
    ['DELETE', 'objects/config', undefined, []],
    ['DELETE', 'objects/keys/k', undefined, []],
  ];

  test('[P9] who may do what, verb by verb and token by token', async () => {
    const bytes = Buffer.from('a pack');
    for (const [method, path, body, who] of matrix) {
      // The admin last, so that what each row needs is there for all.
      for (const one of everyone) {
        const at = path === 'PACK' ? pack(bytes) : path;
        const answer = await call(method, at, tokens[one](), path === 'PACK' && method === 'PUT' ? bytes : body);
        const allowed = answer.status !== 401 && answer.status !== 403;
        expect(allowed, `${one}: ${method} ${path} answered ${answer.status}`).toBe(who.includes(one));
      }
    }
  });

  test('[P17] removing keeps a point until the delay is over, and says so', async () => {
    const name = `points/m/d/20261122t000000000z-${'a'.repeat(32)}.adi`;
    await call('PUT', `objects/${name}`, admin(), 'manifest');
    expect((await call('DELETE', `objects/${name}`, admin())).status).toBe(204);
    const store = await openStore({ kind: 'service', baseUrl: base, token: admin() });
    const found = [];
    for await (const one of store.list('points/')) found.push(one);
    await store.close();
    expect(found).toMatchObject([{ name, sizeBytes: 8 }]);
    expect(Math.round(((found[0]?.goesAtMs ?? 0) - Date.now()) / 86_400_000)).toBe(14);
    expect(await (await call('GET', 'removed', admin())).json()).toMatchObject({ objects: [{ name }] });
    expect((await call('POST', 'undelete', admin(), JSON.stringify({ name }))).status).toBe(200);
    expect(await (await call('GET', 'removed', admin())).json()).toEqual({ objects: [] });
  });

  test('[P16] the policy is kept over a restart of the service and answers what is in force', async () => {
    const wanted = { deletionDelayMs: 0, minRetentionMs: 0, quotaBytes: 5_000_000, machineBytesPerDay: null };
    expect((await call('PUT', 'policy', admin(), JSON.stringify(wanted))).status).toBe(200);
    await running.restart();
    base = `${running.url}/v1/vaults/${vaultId}`;
    const answer = await (await call('GET', 'policy', admin())).json();
    expect(answer).toMatchObject({ wanted, inForce: { deletionDelayMs: 14 * 86_400_000, quotaBytes: 5_000_000 } });
    for (const bad of [
      '{}',
      '{"deletionDelayMs":-1}',
      'x',
      JSON.stringify({ ...wanted, quotaBytes: 0.5 }),
      JSON.stringify({ ...wanted, deletionDelayMs: 1e18 }),
    ])
      expect((await call('PUT', 'policy', admin(), bad)).status).toBe(400);
  });

  test('[P19] at the quota an agent hears VAULT_QUOTA and everything stored before is there', async () => {
    const policy = { deletionDelayMs: 1000, minRetentionMs: 0, quotaBytes: 1500, machineBytesPerDay: null };
    await call('PUT', 'policy', admin(), JSON.stringify(policy));
    const store = await openStore({ kind: 'service', baseUrl: base, token: tokens.writer(), patienceMs: 1000 });
    const [first, second] = [randomBytes(1000), randomBytes(1000)];
    const nameOf = (bytes: Uint8Array) => pack(bytes).slice('objects/'.length);
    expect(await store.put(nameOf(first), first)).toBe('stored');
    await expect(store.put(nameOf(second), second)).rejects.toMatchObject({ code: 'VAULT_QUOTA', retry: 'later' });
    await store.put('points/machine-a/d/y.adi', Buffer.from('m'));
    expect((await store.head(nameOf(first)))?.sizeBytes).toBe(1000);
    await store.close();
  });

  test('has answers in batches, and hostile ones are refused', async () => {
    const bytes = randomBytes(77);
    await call('PUT', pack(bytes), admin(), bytes);
    const ask = (names: readonly unknown[]) => call('POST', 'has', admin(), JSON.stringify({ names }));
    const known = pack(bytes).slice('objects/'.length);
    expect(await (await ask([known, `packs/00/${'0'.repeat(64)}`])).json()).toEqual({ sizes: [77, null] });
    expect((await ask(Array.from({ length: 1001 }, () => known))).status).toBe(400);
    expect((await ask(['../secret'])).status).toBe(400);
    expect((await ask([5])).status).toBe(400);
    expect((await call('POST', 'has', admin(), `{"names":["${'a'.repeat(2 << 20)}"]}`)).status).toBe(413);
  });

  test('[P7] an address that is not well formed is the caller’s mistake', async () => {
    expect((await call('GET', 'objects/%E0%A4%A', admin())).status).toBe(400);
    expect((await call('POST', 'undelete', admin(), '{"name":"../x"}')).status).toBe(400);
    expect((await call('POST', 'undelete', admin(), '{"name":"packs/aa/none"}')).status).toBe(404);
    expect((await call('PATCH', 'objects/config', admin())).status).toBe(405);
  });

  test.each([
    'http://127.0.0.1:1',
    'http://localhost:1',
    'http://[::1]:1',
    'http://169.254.169.254',
    'http://0.0.0.0:1',
    'ftp://x',
  ])('a bucket at %s is refused before anything is sent there', async (endpoint) => {
    const id = randomUUID();
    const bucket = { bucket: 'abc', prefix: '', region: 'r', endpoint, accessKeyId: 'a', secretAccessKey: 'secret-of-mine' };
    const answer = await fetch(`${running.url}/v1/vaults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token(id, ['admin'])}` },
      body: JSON.stringify({ vaultId: id, bucket }),
    });
    expect([400, 422]).toContain(answer.status);
    expect(await answer.text()).not.toContain('secret-of-mine');
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
