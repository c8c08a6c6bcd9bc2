import { generateIdentity, type ServerMessage } from '@diskfleet/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FakeServer, fakeServer, serverKeys, testIdentity, welcomeWith } from '../testing/fakeServer.ts';
import { fakeTimers } from '../testing/fakeTimers.ts';
import { reconnectDelayMs, refusalDelayMs } from './backoff.ts';
import { keepLinked, socketUrl } from './link.ts';

const offer: ServerMessage = { type: 'cancel', jobId: '22222222-2222-4222-8222-222222222222' };

function start(server: FakeServer, random = () => 0.5) {
  const timers = fakeTimers({ random });
  const seen: string[] = [];
  const link = keepLinked({
    identity: testIdentity,
    dial: server.dial,
    timers,
    events: {
      onUp: ({ machineName }) => seen.push(`up ${machineName}`),
      onMessage: ({ type }) => seen.push(`message ${type}`),
      onDown: () => seen.push('down'),
      onRefused: (code) => seen.push(`refused ${code}`),
    },
  });
  return { timers, link, seen };
}

test('proves itself, checks the server, and only then is up', () => {
  const server = fakeServer();
  const { link, seen } = start(server);
  const connection = server.last();
  expect(connection.url).toBe('ws://127.0.0.1:7301/agents/socket');
  expect(link.send({ type: 'accept', jobId: testIdentity.machineId, attempt: 1 })).toBe(false);
  connection.challenge();
  expect(connection.sent.map(({ type }) => type)).toEqual(['prove']);
  connection.say(offer);
  expect(seen).toEqual([]);
  connection.welcome();
  connection.say(offer);
  expect(seen).toEqual(['up PC 12', 'message cancel']);
  expect(link.send({ type: 'accept', jobId: testIdentity.machineId, attempt: 1 })).toBe(true);
  link.stop();
});

test('a server with another key gets no inventory and no work done', () => {
  const server = fakeServer();
  const { seen } = start(server);
  server.last().challenge();
  server.last().welcome(generateIdentity().privateKey);
  server.last().say(offer);
  expect(seen).toEqual(['refused SERVER_KEY_CHANGED']);
  expect(server.last().closed).toBe(true);
  expect(server.last().sent.map(({ type }) => type)).toEqual(['prove']);
});

test('the agent’s own signature sent back to it is no proof (reflection)', () => {
  const server = fakeServer();
  const { seen } = start(server);
  server.last().challenge();
  const prove = server.last().sent[0];
  if (prove?.type !== 'prove') throw new Error('no proof was sent');
  server.last().say(welcomeWith(prove.signature));
  expect(seen).toEqual(['refused SERVER_KEY_CHANGED']);
});

test('a welcome recorded on one connection opens no other (replay), even with the same server nonce', () => {
  const server = fakeServer();
  const { timers, seen } = start(server);
  const nonce = Buffer.alloc(32, 9).toString('base64');
  let recorded: string | null = null;
  const first = server.last();
  const text = first.events.onText;
  first.events.onText = (message) => {
    recorded = message;
    text(message);
  };
  first.challenge(nonce);
  first.welcome();
  first.events.onClose('gone');
  timers.advance(10_000);
  expect(server.connections).toHaveLength(2);
  server.last().challenge(nonce);
  server.last().events.onText(recorded ?? '');
  expect(seen).toEqual(['up PC 12', 'down', 'refused SERVER_KEY_CHANGED']);
});

test('signs one challenge a connection only', () => {
  const server = fakeServer();
  start(server);
  server.last().challenge('AAAA');
  server.last().challenge('BBBB');
  expect(server.last().sent).toHaveLength(1);
});

test('another server id, and a protocol outside of ours, end the connection by name', () => {
  for (const [change, code] of [
    [{ serverId: 'other' }, 'SERVER_KEY_CHANGED'],
    [{ protocolMin: 99, protocolMax: 99 }, 'AGENT_TOO_OLD'],
    [{ protocolMin: 0, protocolMax: 0 }, 'AGENT_TOO_NEW'],
  ] as const) {
    const server = fakeServer();
    const { seen } = start(server);
    const challenge = { type: 'challenge' as const, serverId: 'server-1', serverNonce: 'AAAA', protocolMin: 1, protocolMax: 1 };
    server.last().say({ ...challenge, ...change });
    expect(seen).toEqual([`refused ${code}`]);
    expect(server.last().sent).toEqual([]);
  }
});

test('a pending agent waits as long as it was told, says so once, and comes in when approved', () => {
  const server = fakeServer();
  const { timers, seen } = start(server, () => 0);
  const refusal: ServerMessage = { type: 'refusal', code: 'AGENT_PENDING', message: 'wait', retryAfterMs: 5_000 };
  server.last().challenge();
  server.last().say(refusal);
  timers.advance(4_999);
  expect(server.connections).toHaveLength(1);
  timers.advance(1);
  expect(server.connections).toHaveLength(2);
  server.last().challenge();
  server.last().say(refusal);
  timers.advance(5_000);
  server.last().challenge();
  server.last().welcome();
  expect(seen).toEqual(['refused AGENT_PENDING', 'up PC 12']);
});

test('dials again with growing jitter, forgets the failures once connected, and stops when told', () => {
  const server = fakeServer();
  const { timers, link } = start(server, () => 0.999_999);
  for (const expected of [1_999, 3_999, 7_999, 15_999]) {
    server.last().events.onClose('refused');
    expect(timers.waiting()).toEqual([expected]);
    timers.advance(expected);
  }
  server.last().challenge();
  server.last().welcome();
  server.last().events.onClose('lost');
  expect(timers.waiting()).toEqual([1_999]);
  link.stop();
  expect(timers.waiting()).toEqual([]);
});

test('a hundred lost connections are dialled again a hundred times and never two at once', () => {
  const server = fakeServer();
  const { timers } = start(server, Math.random);
  for (let n = 0; n < 100; n += 1) {
    expect(server.connections).toHaveLength(n + 1);
    server.last().events.onClose('lost');
    server.last().events.onClose('lost again');
    expect(timers.waiting()).toHaveLength(1);
    timers.advance(timers.waiting()[0] ?? 0);
  }
});

test('pings, and gives up a line that fell silent', () => {
  const server = fakeServer();
  const { timers, seen } = start(server);
  server.last().challenge();
  server.last().welcome();
  timers.advance(30_000);
  server.last().events.onAlive();
  timers.advance(60_000);
  expect(server.last().pings).toBe(3);
  expect(seen).not.toContain('down');
  timers.advance(60_000);
  expect(seen).toContain('down');
  expect(server.connections.length).toBeGreaterThan(1);
});

test('a server that opens and says nothing is left after the handshake time', () => {
  const server = fakeServer();
  const { timers } = start(server);
  timers.advance(19_999);
  expect(server.last().closed).toBe(false);
  timers.advance(1);
  expect(server.connections[0]?.closed).toBe(true);
});

test('garbage and unknown messages are ignored', () => {
  const server = fakeServer();
  const { seen } = start(server);
  server.last().challenge();
  server.last().welcome();
  for (const text of ['', '{', '[]', 'null', '{"type":"fromTheFuture"}', '\u0000']) server.last().events.onText(text);
  server.last().say(offer);
  expect(seen).toEqual(['up PC 12', 'message cancel']);
});

test('delays stay inside their bounds', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const delay = reconnectDelayMs(failures, () => random);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(Math.min(300_000, 2_000 * 2 ** (failures - 1)) + 1);
      },
    ),
  );
  expect(refusalDelayMs(null, () => 0)).toBe(60_000);
  expect(refusalDelayMs(0, () => 0)).toBe(500);
  expect(refusalDelayMs(10 ** 9, () => 0)).toBe(300_000);
});

test('socket addresses', () => {
  expect(socketUrl('https://backup.example.org/fleet')).toBe('wss://backup.example.org/fleet/agents/socket');
  expect(serverKeys.publicKey).toBe(testIdentity.serverPublicKey);
});
