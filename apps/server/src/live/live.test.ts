import type { LiveEvent } from '@diskfleet/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, enrolAgent } from '../testing/fakeAgent.ts';
import { startTestDatabases, startTestFleet, type TestFleet, until } from '../testing/fleet.ts';
import { createLiveBus } from './bus.ts';

const event = (n: number): LiveEvent => ({ kind: 'machine', machineId: `${n}` });

async function take(bus: ReturnType<typeof createLiveBus>, lastEventId: string | null, count: number) {
  const stop = new AbortController();
  const got: (readonly [string, LiveEvent])[] = [];
  for await (const item of bus.subscribe(lastEventId, stop.signal)) {
    got.push(item);
    if (got.length === count) break;
  }
  return got;
}

test('a new reader is told to ask for everything; one who comes back gets what it missed', async () => {
  const bus = createLiveBus('e1');
  for (let n = 1; n <= 5; n += 1) bus.publish(event(n));
  const [first] = await take(bus, null, 1);
  expect(first?.[1]).toEqual({ kind: 'resync' });
  bus.publish(event(6));
  expect(await take(bus, first?.[0] ?? '', 1)).toEqual([['e1-6', event(6)]]);
});

test('ids of an earlier start, of the future and forgotten ones lead to resync', async () => {
  const bus = createLiveBus('e2');
  for (let n = 1; n <= 2500; n += 1) bus.publish(event(n));
  for (const id of ['e1-3', 'e2-9999', 'e2-10', 'e2-x', 'garbage', '']) {
    expect((await take(bus, id, 1))[0]?.[1], id).toEqual({ kind: 'resync' });
  }
  const missed = await take(bus, 'e2-2498', 2);
  expect(missed).toEqual([
    ['e2-2499', event(2499)],
    ['e2-2500', event(2500)],
  ]);
  expect(bus.readers).toBe(0);
});

test('a reader too slow for the stream is told to start over instead of filling the memory', async () => {
  const bus = createLiveBus('e3');
  const stop = new AbortController();
  const reading = bus.subscribe(null, stop.signal);
  await reading.next();
  const next = reading.next();
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (let n = 1; n <= 5000; n += 1) bus.publish(event(n));
  const seen = [(await next).value];
  for (;;) {
    const { value } = await reading.next();
    seen.push(value);
    if (value?.[0] === 'e3-5000') break;
  }
  expect(seen.length).toBeLessThan(4000);
  expect(seen.some((item) => item?.[1].kind === 'resync')).toBe(true);
  stop.abort();
  expect((await reading.next()).done).toBe(true);
});

let databases: Awaited<ReturnType<typeof startTestDatabases>>;
let fleet: TestFleet;
beforeAll(async () => {
  databases = await startTestDatabases();
  fleet = await startTestFleet(databases);
});
afterAll(async () => {
  await fleet.stop();
  await databases.stop();
});

test('events reach a browser over one stream, with ids, and the stream ends with the connection', async () => {
  const { sid, user } = await fleet.owner();
  const stop = new AbortController();
  const response = await fetch(`${fleet.url}/trpc/live.events?input=${encodeURIComponent('{"json":{}}')}`, {
    headers: { authorization: `Bearer ${await fleet.bridgeToken({ sub: user.id, sid })}`, accept: 'text/event-stream' },
    signal: stop.signal,
  });
  expect(response.headers.get('content-type')).toMatch(/text\/event-stream/);
  let text = '';
  void (async () => {
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += piece;
  })().catch(() => {});
  await until(async () => text.includes('resync'), 'the first event');
  const session = await connect(fleet, await enrolAgent(fleet, 'seen-live'));
  await until(async () => /"kind":"machine"[\s\S]*id: \w+-\d+/.test(text), 'the machine');
  expect(fleet.server.ctx.live.readers).toBe(1);
  stop.abort();
  await until(async () => fleet.server.ctx.live.readers === 0, 'the reader to go');
  session.cut();
});
