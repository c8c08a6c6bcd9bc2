/** The S3 store against a real storage: Ceph's RADOS gateway (Debian's packages, infra/test-deps.sh). */
import { randomBytes, randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createVault, openVault } from '../../index.ts';
import { storeContract } from '../../testing/index.ts';
import { indexContract } from '../../testing/indexContract.ts';
import { openStore } from '../openStore.ts';
import { type S3Config, s3Client } from './s3Client.ts';
import { noRadosgw, type Radosgw, startRadosgw } from './testing/radosgw.ts';

if (noRadosgw !== null && process.env.CI !== undefined) throw new Error(`the tests of the S3 store: ${noRadosgw}`);

describe.skipIf(noRadosgw !== null)(`S3 store on a RADOS gateway${noRadosgw === null ? '' : ` (skipped: ${noRadosgw})`}`, () => {
  let gateway: Radosgw;
  const config = (over: Partial<S3Config> = {}): S3Config => ({
    kind: 's3',
    bucket: 'vaults',
    prefix: `p/${randomUUID()}`,
    region: 'us-east-1',
    endpoint: gateway.endpoint,
    credentials: gateway.credentials,
    patienceMs: 20_000,
    ...over,
  });
  beforeAll(async () => {
    gateway = await startRadosgw();
    for (const bucket of ['vaults', 'locked']) {
      const client = s3Client(config({ bucket, prefix: '' }));
      await client.ask({ method: 'PUT', headers: bucket === 'locked' ? { 'x-amz-bucket-object-lock-enabled': 'true' } : {} });
      client.close();
    }
  }, 120_000);
  afterAll(() => gateway.stop());

  storeContract('S3 (RADOS gateway)', async () => ({
    store: await openStore(config({ listPage: 3 })),
    removes: true,
    async cleanUp() {},
  }));
  storeContract('S3 (RADOS gateway), in parts of 5 MiB', async () => ({
    store: await openStore(config({ multipartOverBytes: 5 << 20 })),
    removes: true,
    async cleanUp() {},
  }));

  indexContract(() => openStore(config({ listPage: 7 })));

  it('is honoured in conditional puts', async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    const store = await openStore(config());
    await store.put('config', Buffer.from('x'));
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    await store.close();
  });

  it('puts a pack over 64 MiB in parts and reads it back by range', async () => {
    const store = await openStore(config());
    const bytes = randomBytes((65 << 20) + 7);
    expect(await store.put('packs/00/large', bytes)).toBe('stored');
    expect(await store.put('packs/00/large', bytes)).toBe('exists');
    expect((await store.head('packs/00/large'))?.sizeBytes).toBe(bytes.length);
    const last = { offsetBytes: bytes.length - 100, lengthBytes: 100 };
    expect((await store.get('packs/00/large', last)).equals(bytes.subarray(-100))).toBe(true);
    await store.close();
  }, 60_000);

  it('says when objects came in, and nothing of what others keep in the bucket', async () => {
    const place = config();
    const store = await openStore(place);
    await store.put('config', Buffer.from('x'));
    const client = s3Client(place);
    await client.ask({ method: 'PUT', name: 'Not a Vault+.txt' });
    client.close();
    const found = [];
    for await (const one of store.list('')) found.push(one);
    expect(found).toMatchObject([{ name: 'config', sizeBytes: 1, storedAtMs: expect.any(Number) }]);
    await store.close();
  });

  it('refuses bytes that do not fit the hash in their name', async () => {
    const store = await openStore(config());
    await expect(store.put(`packs/00/${'0'.repeat(64)}`, Buffer.from('changed'))).rejects.toMatchObject({
      code: 'VAULT_STORE_FAILED',
    });
    await store.close();
  });

  it('says what is wrong with keys and buckets, and never the secret', async () => {
    const secretAccessKey = 'a-secret-that-is-wrong';
    const { accessKeyId } = gateway.credentials;
    const wrongSecret = await openStore(config({ credentials: { accessKeyId, secretAccessKey } }));
    const refused = await wrongSecret.get('config').catch((cause: unknown) => cause);
    expect(refused).toMatchObject({ code: 'VAULT_REFUSED', message: expect.stringContaining('AWS_SECRET_ACCESS_KEY') });
    expect(String(refused)).not.toContain(secretAccessKey);
    const wrongKey = await openStore(config({ credentials: { accessKeyId: 'nobody', secretAccessKey } }));
    await expect(wrongKey.get('config')).rejects.toMatchObject({
      code: 'VAULT_REFUSED',
      message: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    });
    const noBucket = await openStore(config({ bucket: 'none-such' }));
    await expect(noBucket.get('config')).rejects.toMatchObject({
      code: 'VAULT_NOT_FOUND',
      message: expect.stringContaining('none-such'),
    });
    await expect(noBucket.put('config', Buffer.alloc(1))).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    for (const store of [wrongSecret, wrongKey, noBucket]) await store.close();
  });

  it('tells of object lock', async () => {
    const plain = await openStore(config());
    expect(await plain.facts?.()).toEqual([]);
    const locked = await openStore(config({ bucket: 'locked' }));
    expect((await locked.facts?.())?.join(' ')).toMatch(/Object lock is on.*keeps older versions/);
    await locked.put('config', Buffer.from('x'));
    await locked.remove('config');
    expect(await locked.head('config')).toBeNull();
    await plain.close();
    await locked.close();
  });

  it('holds a vault, and opens in a worker thread from plain data', async () => {
    const place = config();
    const vault = await createVault(place, { encryption: { kind: 'none' }, now: () => new Date('2026-01-01') });
    await vault.close();
    await expect(openVault(config(), { kind: 'none' })).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    const script = `import { openStore } from ${JSON.stringify(new URL('../openStore.ts', import.meta.url).href)};
      import { parentPort, workerData } from 'node:worker_threads';
      const store = await openStore(workerData);
      parentPort.postMessage((await store.head('config')).sizeBytes);
      await store.close();`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { workerData: place });
    expect(await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))).toBeGreaterThan(0);
    await worker.terminate();
  });
});
