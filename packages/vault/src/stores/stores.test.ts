import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { VaultError } from '../errors.ts';
import { faultyStore, memoryStore, serveStore, storeContract } from '../testing/index.ts';
import { indexContract } from '../testing/indexContract.ts';
import { openStore } from './openStore.ts';

const folders: string[] = [];
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'diskfleet-store-'));
  folders.push(path);
  return path;
}
afterAll(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

describe.each([
  ['memory', async () => ({ store: memoryStore(), end: async () => {} })],
  ['directory', async () => ({ store: await openStore({ kind: 'directory', path: await folder() }), end: async () => {} })],
  [
    'service over HTTP',
    async () => {
      const server = await serveStore(memoryStore(), { token: 't' });
      return { store: await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't' }), end: () => server.close() };
    },
  ],
] as const)('index in %s', (_name, open) => {
  let end = async () => {};
  afterEach(() => end());
  indexContract(async () => {
    const opened = await open();
    end = opened.end;
    return opened.store;
  });
});

storeContract('memory', async () => ({ store: memoryStore(), removes: true, async cleanUp() {} }));
storeContract('directory', async () => ({
  store: await openStore({ kind: 'directory', path: await folder() }),
  removes: true,
  async cleanUp() {},
}));
storeContract('service over HTTP', async () => {
  const server = await serveStore(memoryStore(), { token: 't' });
  const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't' });
  return { store, removes: false, cleanUp: () => server.close() };
});

describe('directory store', () => {
  it('says VAULT_NOT_FOUND for a folder that is not there, and for a file', async () => {
    const path = await folder();
    await expect(openStore({ kind: 'directory', path: join(path, 'none') })).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    await writeFile(join(path, 'file'), 'x');
    await expect(openStore({ kind: 'directory', path: join(path, 'file') })).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('leaves no temporary file behind and removes only those older than a day', async () => {
    const path = await folder();
    await mkdir(join(path, 'tmp'));
    await writeFile(join(path, 'tmp', 'fresh'), 'x');
    await writeFile(join(path, 'tmp', 'stale'), 'x');
    const twoDaysAgo = Date.now() / 1000 - 2 * 86400;
    await utimes(join(path, 'tmp', 'stale'), twoDaysAgo, twoDaysAgo);
    const store = await openStore({ kind: 'directory', path });
    await store.put('packs/00/a', Buffer.alloc(3 << 20, 1));
    expect(await readdir(join(path, 'tmp'))).toEqual(['fresh']);
    const names: string[] = [];
    for await (const one of store.list('')) names.push(one.name);
    expect(names).toEqual(['packs/00/a']);
  });
});

describe('a directory store whose drive went away', () => {
  it('fails instead of filling the empty mount point', async () => {
    const path = await folder();
    const store = await openStore({ kind: 'directory', path });
    await store.put('packs/00/a', Buffer.from('a'));
    await rename(path, `${path}-unplugged`);
    folders.push(`${path}-unplugged`);
    await expect(store.put('packs/00/b', Buffer.from('b'))).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED', retry: 'later' });
    await mkdir(path);
    await expect(store.put('packs/00/b', Buffer.from('b'))).rejects.toMatchObject({ code: 'VAULT_STORE_FAILED', retry: 'later' });
    expect(await readdir(path)).toEqual([]);
  });
});

describe('a folder this user may not write', () => {
  // Root may write everywhere: a child process becomes another user once its modules are loaded.
  it.skipIf(process.platform === 'win32')('says so, with guidance', async () => {
    const path = await folder();
    await chmod(path, 0o555);
    const script = `
      import { openStore } from ${JSON.stringify(new URL('./openStore.ts', import.meta.url).href)};
      if (process.getuid() === 0) process.seteuid(65534);
      const store = await openStore({ kind: 'directory', path: ${JSON.stringify(path)} });
      await store.put('packs/00/a', Buffer.from('a')).catch((cause) => console.log(cause.code, cause.message));`;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(out).toMatch(/^VAULT_STORE_FAILED .*owner and rights/);
    await chmod(path, 0o755);
  });
});

describe('service store', () => {
  it('rides out a service that restarts', async () => {
    const inner = memoryStore();
    const first = await serveStore(inner, { token: 't' });
    const store = await openStore({ kind: 'service', baseUrl: first.baseUrl, token: 't', patienceMs: 10_000 });
    await store.put('a', Buffer.from('a'));
    await first.close();
    const pending = store.put('b', Buffer.from('b'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const second = await serveStore(inner, { token: 't', port: first.port });
    expect(await pending).toBe('stored');
    expect((await store.get('b')).toString()).toBe('b');
    await store.close();
    await second.close();
  });

  it('says VAULT_UNREACHABLE, to be tried later, when patience ends', async () => {
    const server = await serveStore(memoryStore(), { token: 't' });
    await server.close();
    const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't', patienceMs: 300 });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'VAULT_UNREACHABLE', retry: 'later' });
    await store.close();
  });

  it('gives up waiting when it is closed', async () => {
    const server = await serveStore(memoryStore(), { token: 't' });
    await server.close();
    const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't', patienceMs: 60_000 });
    const pending = expect(store.get('a')).rejects.toMatchObject({ code: 'VAULT_UNREACHABLE' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await store.close();
    await pending;
  }, 5000);

  it('tries again after 5xx and after connections cut in the middle of an answer', async () => {
    const inner = memoryStore(new Map([['a', Buffer.alloc(100_000, 7)]]));
    let calls = 0;
    const server = await serveStore(inner, {
      token: 't',
      onRequest: (request, response) => {
        calls += 1;
        if (calls === 1) response.writeHead(503).end();
        else if (calls === 2) request.socket.destroy();
        else if (calls === 3) {
          response.writeHead(200, { 'content-length': 100_000 });
          response.write(Buffer.alloc(5000, 7), () => request.socket.destroy());
        } else return false;
        return true;
      },
    });
    const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't', patienceMs: 10_000 });
    expect((await store.get('a')).equals(Buffer.alloc(100_000, 7))).toBe(true);
    expect(calls).toBe(4);
    await store.close();
    await server.close();
  });

  it.each([
    [401, 'VAULT_REFUSED'],
    [403, 'VAULT_REFUSED'],
    [404, 'VAULT_OBJECT_MISSING'],
    [507, 'VAULT_FULL'],
    [400, 'VAULT_STORE_FAILED'],
  ])('turns status %i into %s', async (status, code) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 'SOMETHING_ELSE', message: 'because' } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const store = await openStore({ kind: 'service', baseUrl: `http://127.0.0.1:${port}/v`, token: 't', patienceMs: 100 });
    await expect(store.get('a')).rejects.toMatchObject({ code, message: 'because' });
    await store.close();
    server.closeAllConnections();
    server.close();
  });

  it('hears a refusal that comes before all of a large object is sent', async () => {
    const server = await serveStore(memoryStore(), {
      token: 't',
      onRequest: (request, response) => {
        if (request.method !== 'PUT') return false;
        response.writeHead(507, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: { code: 'VAULT_FULL', message: 'the quota is used up' } }));
        return true;
      },
    });
    const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't', patienceMs: 2000 });
    const large = Buffer.alloc(24 << 20, 1);
    await expect(store.put('packs/00/a', large)).rejects.toMatchObject({ code: 'VAULT_FULL', message: 'the quota is used up' });
    expect(await store.head('packs/00/a')).toBeNull();
    await store.close();
    await server.close();
  });

  it('passes on what the service says: full', async () => {
    const full = faultyStore(memoryStore(), {
      before: (call) => (call === 'put' ? new VaultError('VAULT_FULL', 'quota') : null),
    });
    const server = await serveStore(full, { token: 't' });
    const store = await openStore({ kind: 'service', baseUrl: server.baseUrl, token: 't' });
    await expect(store.put('a', Buffer.alloc(1))).rejects.toMatchObject({ code: 'VAULT_FULL', retry: 'later' });
    await store.close();
    await server.close();
  });
});
