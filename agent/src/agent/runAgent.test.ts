import { mkdtemp, realpath, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentMessage, OfferedJob } from '@diskfleet/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fakePlatform } from '../platform/fake.ts';
import { type FakeServer, fakeServer, testIdentity } from '../testing/fakeServer.ts';
import { fakeTimers } from '../testing/fakeTimers.ts';
import { writeIdentity } from './identity.ts';
import { openJournal } from './journal.ts';
import { runAgent } from './runAgent.ts';

let folder: string;
let stops: (() => Promise<void>)[];
beforeEach(async () => {
  stops = [];
  folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-agent-')));
  await writeFile(join(folder, 'disk.img'), '');
  await truncate(join(folder, 'disk.img'), 2 << 20);
  await writeMachine([{ path: join(folder, 'disk.img'), serial: 'S-1' }]);
  await writeIdentity(join(folder, 'data'), testIdentity);
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await rm(folder, { recursive: true, force: true });
});

const writeMachine = (disks: readonly object[]) => writeFile(join(folder, 'm.json'), JSON.stringify({ hostname: 'pc', disks }));

function start(server: FakeServer) {
  const timers = fakeTimers();
  const abort = new AbortController();
  const running = runAgent({
    folder: join(folder, 'data'),
    platform: fakePlatform(join(folder, 'm.json')),
    env: {},
    signal: abort.signal,
    timers,
    dial: server.dial,
    log: pino({ level: 'silent' }),
  });
  const stop = async () => {
    abort.abort();
    await running;
  };
  stops.push(() => stop().catch(() => {}));
  return { timers, running, stop };
}

/** Waits for what the agent does on real disks and files meanwhile. */
async function until<T>(find: () => T | undefined): Promise<T> {
  for (let n = 0; n < 400; n += 1) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not happen');
}

const sentOf = <T extends AgentMessage['type']>(server: FakeServer, type: T) =>
  server.last().sent.filter((message): message is Extract<AgentMessage, { type: T }> => message.type === type);

async function connect(server: FakeServer) {
  await until(() => server.connections.at(-1));
  server.last().challenge();
  server.last().welcome();
  return until(() => sentOf(server, 'hello')[0]);
}

const jobId = '55555555-5555-4555-8555-555555555555';
const offer: OfferedJob = {
  jobId,
  attempt: 1,
  expiresAt: '2026-11-22T13:00:00.000Z',
  spec: {
    kind: 'backup',
    vault: { vaultId: 'v', baseUrl: 'http://127.0.0.1:9', token: 't', keys: { idKey: '', publicKey: null, privateKey: null } },
    backupKind: 'disk',
    method: 'full',
    diskKeys: ['serial:not-there'],
    compression: 'fast',
    sectorBySector: false,
  },
};

test('says hello with its disks, answers a refresh, and tells a plugged-in disk by itself', async () => {
  const server = fakeServer();
  const { timers } = start(server);
  const hello = await connect(server);
  expect(hello.inventory.disks.map(({ serial }) => serial)).toEqual(['S-1']);
  expect([hello.running, hello.done]).toEqual([[], []]);
  server.last().say({ type: 'refreshInventory', requestId: jobId });
  expect((await until(() => sentOf(server, 'inventory')[0])).requestId).toBe(jobId);
  await writeFile(join(folder, 'stick.img'), '');
  await truncate(join(folder, 'stick.img'), 4 << 20);
  await writeMachine([
    { path: join(folder, 'disk.img'), serial: 'S-1' },
    { path: join(folder, 'stick.img'), serial: 'USB-2', removable: true },
  ]);
  timers.advance(30_000);
  const told = await until(() => sentOf(server, 'inventory')[1]);
  expect([told.requestId, told.inventory.disks.map(({ serial }) => serial)]).toEqual([null, ['S-1', 'USB-2']]);
  timers.advance(30_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(sentOf(server, 'inventory')).toHaveLength(2);
});

test('an outcome is told again after every reconnect until it is acknowledged, and the job never runs again', async () => {
  const server = fakeServer();
  const { timers } = start(server);
  await connect(server);
  server.last().say({ type: 'offer', job: offer });
  const { outcome } = await until(() => sentOf(server, 'done')[0]);
  expect(outcome.outcome).toMatchObject({ kind: 'failed', failure: { code: 'DISK_NOT_FOUND' } });
  server.last().events.onClose('cut');
  timers.advance(10_000);
  expect((await connect(server)).done).toEqual([outcome]);
  server.last().say({ type: 'offer', job: offer });
  expect((await until(() => sentOf(server, 'done')[0])).outcome).toEqual(outcome);
  server.last().say({ type: 'ack', jobId, attempt: 1 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  server.last().events.onClose('cut');
  timers.advance(10_000);
  expect((await connect(server)).done).toEqual([]);
});

test('after a crash in the middle of a job its hello says so', async () => {
  const journal = openJournal(join(folder, 'data'), { now: () => new Date() });
  journal.accept(jobId, 1);
  journal.start(jobId, 1);
  journal.close();
  const server = fakeServer();
  start(server);
  expect((await connect(server)).done).toMatchObject([
    { jobId, outcome: { kind: 'failed', failure: { code: 'AGENT_RESTARTED' } } },
  ]);
});

test('one agent a folder; its secrets are its own; without an identity it says how to get one', async () => {
  const server = fakeServer();
  const first = start(server);
  await connect(server);
  await expect(start(fakeServer()).running).rejects.toMatchObject({ code: 'AGENT_BUSY' });
  await first.stop();
  const again = start(server);
  await connect(server);
  await again.stop();
  expect((await stat(join(folder, 'data/identity.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'data/journal.jsonl'))).mode & 0o777).toBe(0o600);
  await rm(join(folder, 'data/identity.json'));
  await expect(start(server).running).rejects.toMatchObject({ code: 'NOT_ENROLLED' });
});

test('a damaged identity or settings file is named, never replaced', async () => {
  await writeFile(join(folder, 'data/settings.json'), '{"allowRemoteDiskWrites": "maybe"}');
  await expect(start(fakeServer()).running).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await writeFile(join(folder, 'data/identity.json'), '{"version": 1, ');
  await expect(start(fakeServer()).running).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});
