/** What a real storage does not do on command, against a fake (testing/fakeS3.ts). The proof of the store itself: s3Store.radosgw.test.ts. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { storeContract } from '../../testing/index.ts';
import { indexContract } from '../../testing/indexContract.ts';
import { openStore } from '../openStore.ts';
import type { S3Config } from './s3Client.ts';
import { signed } from './sign.ts';
import { type Asked, type FakeS3, refuse, startFakeS3 } from './testing/fakeS3.ts';

const config = (fake: FakeS3, over: Partial<S3Config> = {}): S3Config => ({
  kind: 's3',
  bucket: 'backups',
  prefix: 'p',
  region: 'eu-west-1',
  endpoint: fake.endpoint,
  credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  patienceMs: 20_000,
  ...over,
});

storeContract('S3, a fake that ignores conditions', async () => {
  const fake = await startFakeS3();
  return { store: await openStore(config(fake)), removes: true, cleanUp: () => fake.close() };
});

describe('index in S3, a fake', () => {
  let fake: FakeS3 | null = null;
  afterEach(() => fake?.close());
  indexContract(async () => {
    fake = await startFakeS3();
    return openStore(config(fake));
  });
});

describe('S3 store on a fake', () => {
  const fakes: FakeS3[] = [];
  const open = async (onRequest?: (asked: Asked) => boolean, over: Partial<S3Config> = {}) => {
    const fake = await startFakeS3(onRequest);
    fakes.push(fake);
    return { fake, store: await openStore(config(fake, over)) };
  };
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const fake of fakes.splice(0)) await fake.close();
  });

  it('says loudly that a server ignores conditions, once, and refuses clean-up there', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { store } = await open(undefined, { bucket: 'said' });
    await store.put('config', Buffer.from('1'));
    await store.put('points/a/b', Buffer.from('1'));
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[0]).toMatch(/s3:\/\/said\/p does not honour conditional puts/);
    await expect(store.put(`gc/${'1'.padStart(16, '0')}-mark`, Buffer.from('1'))).rejects.toMatchObject({
      code: 'VAULT_REFUSED',
    });
  });

  it('takes a server that refuses conditions for one that has none, and a busy one for busy', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { store } = await open(
      ({ request, response }) =>
        request.headers['if-none-match'] !== undefined && refuse(response, 501, { code: 'NotImplemented' }),
      { bucket: 'refusing' },
    );
    expect(await store.put('config', Buffer.from('1'))).toBe('stored');
    expect(warned).toHaveBeenCalledTimes(1);
    let asked = 0;
    const busy = await open(
      ({ key, response }) => {
        if (key !== 'p/PUT-PROBE') return false;
        asked += 1;
        return asked === 1
          ? refuse(response, 400, { code: 'RequestTimeout' })
          : refuse(response, 412, { code: 'PreconditionFailed' });
      },
      { bucket: 'busy' },
    );
    expect(await busy.store.put('config', Buffer.from('1'))).toBe('stored');
    expect(asked).toBe(2);
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it('refuses a prefix an address would fold away', async () => {
    await expect(open(undefined, { prefix: 'a/../b' })).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('asks again after SlowDown and dropped connections, and gives up as VAULT_UNREACHABLE', async () => {
    let left = 3;
    const { store } = await open(({ response }) => {
      if (left-- <= 0) return false;
      if (left === 1) response.destroy();
      else refuse(response, 503, { code: 'SlowDown' });
      return true;
    });
    expect(await store.put('config', Buffer.from('1'))).toBe('stored');
    const down = await open(({ response }) => refuse(response, 500, { code: 'InternalError' }), { patienceMs: 200 });
    await expect(down.store.get('config')).rejects.toMatchObject({ code: 'VAULT_UNREACHABLE', retry: 'later' });
  });

  it('knows its own object when the answer to the put was lost, and not that of another', async () => {
    let lost = false;
    const { store, fake } = await open(({ method, key, request, response, store: keep }) => {
      if (method !== 'PUT' || request.headers['if-none-match'] !== '*') return false;
      if (fake.objects.has(key)) return refuse(response, 412, { code: 'PreconditionFailed' });
      if (key !== 'p/config' || lost) return false;
      lost = true;
      keep();
      response.destroy();
      return true;
    });
    expect(await store.put('config', Buffer.from('mine'))).toBe('stored');
    expect(lost).toBe(true);
    expect(await store.put('config', Buffer.from('mine'))).toBe('exists');
  });

  it('leaves no parts behind when an upload in parts fails', async () => {
    const aborted: string[] = [];
    const { store } = await open(
      ({ method, request, response }) => {
        const query = new URL(request.url ?? '', 'http://fake').searchParams;
        if (query.has('uploads'))
          response.end('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>');
        else if (query.get('partNumber') === '2') refuse(response, 400, { code: 'BadDigest' });
        else if (query.has('partNumber')) response.writeHead(200, { etag: '"1"' }).end();
        else if (method === 'DELETE') {
          aborted.push(query.get('uploadId') ?? '');
          response.writeHead(204).end();
        } else return false;
        return true;
      },
      { multipartOverBytes: 100 },
    );
    await expect(store.put('packs/00/a', Buffer.alloc(250))).rejects.toMatchObject({
      code: 'VAULT_STORE_FAILED',
      retry: 'later',
    });
    expect(aborted).toEqual(['u1']);
  });

  it.each([
    [
      'VAULT_REFUSED',
      /AWS_REGION=eu-north-1/,
      400,
      { code: 'AuthorizationHeaderMalformed', more: '<Region>eu-north-1</Region>' },
    ],
    ['VAULT_REFUSED', /clock of this PC.*by \d+ minutes \(it is fast\)/, 403, { code: 'RequestTimeTooSkewed' }],
    ['VAULT_REFUSED', /session token/, 400, { code: 'ExpiredToken' }],
    ['VAULT_REFUSED', /rights/, 403, { code: 'AccessDenied' }],
    ['VAULT_FULL', /no room/, 403, { code: 'QuotaExceeded' }],
    ['VAULT_NOT_FOUND', /bucket "backups"/, 404, { code: 'NoSuchBucket' }],
  ])('says %s with what to do: %s', async (code, message, status, error) => {
    const { store } = await open(({ response }) => {
      response.setHeader('date', 'Mon, 01 Jan 2024 00:00:00 GMT');
      return refuse(response, status, error);
    });
    await expect(store.get('config')).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('says VAULT_OBJECT_LOCKED when object lock refuses a deletion', async () => {
    const { store } = await open(
      ({ method, response }) =>
        method === 'DELETE' && refuse(response, 403, { code: 'AccessDenied', message: 'forbidden by object lock' }),
    );
    await expect(store.remove('packs/00/a')).rejects.toMatchObject({ code: 'VAULT_OBJECT_LOCKED', retry: 'later' });
  });
});

it('signs as the published example of a ranged get does', () => {
  const headers = signed(
    {
      method: 'GET',
      host: 'examplebucket.s3.amazonaws.com',
      path: '/test.txt',
      query: {},
      headers: { range: 'bytes=0-9' },
      bodySha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    },
    {
      credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
      region: 'us-east-1',
      at: new Date('2013-05-24T00:00:00Z'),
    },
  );
  expect(headers.authorization).toContain('Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
});
