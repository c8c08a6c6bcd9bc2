import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolRequestShape, generateIdentity } from '@diskfleet/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSettings } from '../inventory/settings.ts';
import { fakePlatform } from '../platform/fake.ts';
import { machineId, serverKeys } from '../testing/fakeServer.ts';
import { enrol, serverBase } from './enrol.ts';
import { readIdentity } from './identity.ts';

let folder: string;
let server: Server;
let url: string;
let answer: { status: number; body: unknown };
let asked: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-enrol-'));
  await writeFile(join(folder, 'm.json'), JSON.stringify({ hostname: 'pc', disks: [] }));
  asked = [];
  answer = { status: 200, body: { machineId, serverId: 'server-1', serverPublicKey: serverKeys.publicKey, state: 'pending' } };
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    asked.push(JSON.parse(text));
    response
      .writeHead(answer.status, { 'content-type': 'application/json', location: '/elsewhere' })
      .end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}/` : '';
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const enrolHere = (more: { allowRemoteDiskWrites?: boolean | null; serverUrl?: string } = {}) =>
  enrol({
    serverUrl: url,
    token: 'token-of-sixteen-or-more',
    folder: join(folder, 'data'),
    allowRemoteDiskWrites: null,
    platform: fakePlatform(join(folder, 'm.json')),
    env: {},
    now: () => new Date('2026-11-22T12:00:00Z'),
    signal: new AbortController().signal,
    ...more,
  });

test('sends a valid request, pins the server and keeps its key when it enrols again', async () => {
  const first = await enrolHere();
  expect(first).toMatchObject({ machineId, state: 'pending', serverId: 'server-1' });
  const request = enrolRequestShape.parse(asked[0]);
  const identity = await readIdentity(join(folder, 'data'));
  expect(identity).toMatchObject({
    serverPublicKey: serverKeys.publicKey,
    publicKey: request.publicKey,
    serverUrl: url.replace(/\/$/, ''),
  });
  expect(JSON.stringify(asked)).not.toContain(identity?.privateKey);
  await enrolHere();
  expect(enrolRequestShape.parse(asked[1]).publicKey).toBe(request.publicKey);
});

test('a refusal keeps its code, and nothing is written', async () => {
  answer = { status: 403, body: { error: { code: 'ENROL_TOKEN_INVALID', message: 'used up' } } };
  await expect(enrolHere()).rejects.toMatchObject({ code: 'ENROL_TOKEN_INVALID', message: 'used up', retry: 'never' });
  expect(await readIdentity(join(folder, 'data'))).toBeNull();
});

test('a busy server is asked again later, a strange or redirecting one is not believed', async () => {
  answer = { status: 503, body: { error: { code: 'SERVER_BUSY', message: '' } } };
  await expect(enrolHere()).rejects.toMatchObject({ code: 'SERVER_BUSY', retry: 'later' });
  answer = { status: 200, body: { hello: 'world' } };
  await expect(enrolHere()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE', retry: 'never' });
  answer = { status: 302, body: {} };
  await expect(enrolHere()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
  expect(await readIdentity(join(folder, 'data'))).toBeNull();
});

test('the local switch for disk writes is on unless switched off, and other settings stay', async () => {
  await enrolHere();
  expect((await readSettings(join(folder, 'data'))).allowRemoteDiskWrites).toBe(true);
  await writeFile(join(folder, 'data/settings.json'), '{"diskFiles": ["/srv/a"]}');
  await enrolHere({ allowRemoteDiskWrites: false });
  expect(JSON.parse(await readFile(join(folder, 'data/settings.json'), 'utf8'))).toEqual({
    allowRemoteDiskWrites: false,
    diskFiles: ['/srv/a'],
  });
});

test('addresses', () => {
  expect(serverBase('https://backup.example.org/fleet//')).toBe('https://backup.example.org/fleet');
  for (const bad of ['', 'backup.example.org', 'ftp://x', 'file:///etc'])
    expect(() => serverBase(bad)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  expect(generateIdentity().publicKey).not.toBe(serverKeys.publicKey);
});
