import { agents, auditLog, enrolTokens, machines } from '@diskfleet/db';
import { generateIdentity } from '@diskfleet/protocol';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connect, enrolAgent, enrolOverHttp, handshake, makeDisk, makeInventory, openSocket } from '../testing/fakeAgent.ts';
import { codeOf, LOCAL_TOKEN, startTestDatabases, startTestFleet, type TestFleet, until } from '../testing/fleet.ts';
import { newEnrolToken } from './enrol.ts';

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

const owner = async () => fleet.client(await fleet.owner());

test('a token never looks like an option of the command it is typed after', () => {
  // 0xf8 is where base64url begins with a dash.
  expect(newEnrolToken((bytes) => Buffer.alloc(bytes, 0xf8))).toMatch(/^dfe_-/);
});

test('one token lets one PC in, however many come at once', async () => {
  const { token } = await (await owner()).machines.createEnrolToken.mutate({ ttlMinutes: 60, autoApprove: false });
  const before = await fleet.server.ctx.db.$count(machines);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => enrolOverHttp(fleet, { token, publicKey: generateIdentity().publicKey })),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ code }) => code === 'ENROL_TOKEN_INVALID')).toHaveLength(19);
  expect(await fleet.server.ctx.db.$count(machines)).toBe(before + 1);
  expect(await fleet.server.ctx.db.select().from(enrolTokens).where(eq(enrolTokens.tokenHash, token))).toEqual([]);
});

test('the same key enrolling again, even at the same time, gets the same answer', async () => {
  const client = await owner();
  const { token } = await client.machines.createEnrolToken.mutate({ ttlMinutes: 60, autoApprove: false });
  const { publicKey } = generateIdentity();
  const first = await enrolOverHttp(fleet, { token, publicKey });
  const again = await Promise.all(Array.from({ length: 5 }, () => enrolOverHttp(fleet, { token, publicKey })));
  for (const { body } of again) expect(body).toEqual(first.body);
  expect(await fleet.server.ctx.db.$count(agents, eq(agents.publicKey, publicKey))).toBe(1);
  const other = await enrolOverHttp(fleet, { token: 'some-other-token-000', publicKey });
  expect(other.code).toBe('ENROL_TOKEN_INVALID');
});

test('old, wrong and malformed enrolments are refused by name', async () => {
  const { token } = await (await owner()).machines.createEnrolToken.mutate({ ttlMinutes: 5, autoApprove: false });
  expect((await enrolOverHttp(fleet, { token, publicKey: 'AAAA' })).code).toBe('INVALID_INPUT');
  expect((await enrolOverHttp(fleet, { token: `${token}x`, publicKey: generateIdentity().publicKey })).code).toBe(
    'ENROL_TOKEN_INVALID',
  );
  fleet.skipMs(6 * 60_000);
  expect((await enrolOverHttp(fleet, { token, publicKey: generateIdentity().publicKey })).code).toBe('ENROL_TOKEN_INVALID');
  fleet.skipMs(-6 * 60_000);
  const broken = await fetch(`${fleet.url}/agents/enrol`, { method: 'POST', body: '{' });
  expect(broken.status).toBe(403);
  const browser = await fetch(`${fleet.url}/agents/enrol`, {
    method: 'POST',
    body: '{}',
    headers: { origin: 'http://evil.test' },
  });
  expect(browser.status).toBe(403);
});

test('a PC waits in the waiting room, is welcomed right after approval, and shut out at once when revoked', async () => {
  const client = await owner();
  const keys = generateIdentity();
  const { body } = await enrolOverHttp(fleet, {
    token: LOCAL_TOKEN,
    publicKey: keys.publicKey,
    inventory: makeInventory('waiting-pc'),
  });
  if (!body) throw new Error('not enrolled');
  const agent = { ...body, keys, inventory: makeInventory('waiting-pc') };
  expect(body.state).toBe('pending');
  expect((await handshake(fleet, agent)).answer).toMatchObject({ type: 'refusal', code: 'AGENT_PENDING', retryAfterMs: 3000 });
  const pending = await client.machines.list.query({ state: 'pending' });
  expect(pending.find(({ id }) => id === agent.machineId)).toMatchObject({
    name: 'waiting-pc',
    state: 'pending',
    connection: 'offline',
  });
  await client.machines.approve.mutate({ id: agent.machineId, name: 'Desk' });
  const session = await connect(fleet, agent);
  await until(
    async () => (await client.machines.get.query({ id: agent.machineId })).connection === 'online',
    'the machine online',
  );
  const asking = client.machines.refresh.mutate({ id: agent.machineId });
  const { requestId } = await session.next('refreshInventory');
  session.say({ type: 'inventory', requestId, inventory: makeInventory('waiting-pc', [makeDisk('A'), makeDisk('B')]) });
  expect((await asking).disks).toBe(2);
  await client.machines.revoke.mutate({ id: agent.machineId });
  expect((await session.closed).reason).toBe('AGENT_REVOKED');
  expect((await handshake(fleet, agent)).answer).toMatchObject({ code: 'AGENT_REVOKED', retryAfterMs: null });
  expect(await codeOf(client.machines.refresh.mutate({ id: agent.machineId }))).toBe('AGENT_OFFLINE');
  const { token } = await client.machines.createEnrolToken.mutate({ ttlMinutes: 60, autoApprove: false });
  const back = await enrolOverHttp(fleet, { token, publicKey: keys.publicKey });
  expect(back.body).toMatchObject({ machineId: agent.machineId, state: 'pending' });
});

test('a rejected PC is forgotten', async () => {
  const client = await owner();
  const { token } = await client.machines.createEnrolToken.mutate({ ttlMinutes: 60, autoApprove: false });
  const keys = generateIdentity();
  const { body } = await enrolOverHttp(fleet, { token, publicKey: keys.publicKey });
  if (!body) throw new Error('not enrolled');
  await client.machines.reject.mutate({ id: body.machineId });
  expect((await handshake(fleet, { ...body, keys })).answer).toMatchObject({ code: 'AGENT_UNKNOWN' });
  expect(await codeOf(client.machines.reject.mutate({ id: body.machineId }))).toBe('NOT_FOUND');
});

test('a copy of a living agent is turned away and marked; the original keeps its connection', async () => {
  const client = await owner();
  const agent = await enrolAgent(fleet, 'original');
  const original = await connect(fleet, agent);
  const copy = await handshake(fleet, agent);
  expect(copy.answer).toMatchObject({ type: 'refusal', code: 'AGENT_QUARANTINED' });
  const marked = await until(async () => {
    const view = await client.machines.get.query({ id: agent.machineId });
    return view.state === 'quarantined' ? view : null;
  }, 'the mark');
  expect(marked.connection).toBe('online');
  expect(marked.limitation).toMatch(/Another PC/);
  expect(original.socket.readyState).toBe(WebSocket.OPEN);
  const overview = await client.overview.get.query();
  expect(overview.attention.some(({ machineId, text }) => machineId === agent.machineId && /identity/.test(text))).toBe(true);
  expect((await client.machines.approve.mutate({ id: agent.machineId })).state).toBe('approved');
  original.cut();
});

test('of ten connections of one key at the same moment one gets in', async () => {
  const agent = await enrolAgent(fleet, 'tenfold');
  const answers = await Promise.all(Array.from({ length: 10 }, () => handshake(fleet, agent)));
  const codes = answers.map(({ answer }) => (answer.type === 'refusal' ? answer.code : answer.type));
  expect(codes.filter((code) => code === 'welcome')).toHaveLength(1);
  expect(codes.filter((code) => code === 'AGENT_QUARANTINED')).toHaveLength(9);
  for (const { session } of answers) session.cut();
});

test('a predecessor that does not answer makes room', async () => {
  const agent = await enrolAgent(fleet, 'sleeper');
  const dead = await connect(fleet, agent);
  // As after a cable was pulled: the socket is open here, and nobody reads from it.
  dead.socket.pause();
  const { answer, session } = await handshake(fleet, agent);
  expect(answer.type).toBe('welcome');
  session.cut();
  dead.cut();
});

test('[P4] browsers, strangers, babblers and those out of order are cut off', async () => {
  const agent = await enrolAgent(fleet, 'rude');
  const browser = openSocket(fleet, { origin: 'http://localhost:7300' });
  await browser.closed;
  expect(browser.received).toEqual([]);
  const elsewhere = new WebSocket(`${fleet.url.replace('http', 'ws')}/other`);
  await new Promise((resolve) => elsewhere.once('error', resolve));
  const impatient = openSocket(fleet);
  await impatient.next('challenge');
  impatient.say({ type: 'hello', inventory: agent.inventory, running: [], done: [] });
  expect((await impatient.closed).code).toBe(1002);
  const binary = await connect(fleet, agent);
  binary.socket.send(Buffer.from([0xff, 0xfe, 0x00]));
  expect((await binary.closed).code).toBe(1002);
  const large = await connect(fleet, agent);
  large.socket.send('x'.repeat((1 << 20) + 1));
  expect((await large.closed).code).toBe(1009);
  const babbler = await connect(fleet, agent);
  const id = crypto.randomUUID();
  for (let n = 0; n < 1000; n += 1) babbler.socket.send(JSON.stringify({ type: 'accept', jobId: id, attempt: 1 }));
  expect((await babbler.closed).code).toBe(1008);
  expect((await fetch(`${fleet.url}/healthz`)).status).toBe(200);
});

test('[P5] hostile strings are stored harmless', async () => {
  const client = await owner();
  const evil = '=cmd|"/c calc"!A1\u202e<script>alert(1)</script>\u0000\u001b[2J\ud800';
  const disk = makeDisk('K', { name: evil, model: evil.repeat(50), serial: evil });
  const agent = await enrolAgent(fleet, evil, makeInventory(evil, [disk]));
  const session = await connect(fleet, agent);
  const view = await client.machines.get.query({ id: agent.machineId });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
  expect(JSON.stringify(view)).not.toMatch(/[\u0000-\u001f\u202e\ud800]/);
  expect(view.inventory.disks[0]?.model.length).toBeLessThanOrEqual(128);
  expect(await client.machines.list.query({ search: "%_\\'; drop table machines; --", state: 'all' })).toEqual([]);
  expect((await client.machines.list.query({ search: '<SCRIPT>', state: 'all' })).map(({ id }) => id)).toEqual([agent.machineId]);
  session.cut();
});

test('every act is in the audit log, and tampering with it shows', async () => {
  const client = await owner();
  const actions = new Set((await client.audit.list.query({ limit: 500 })).entries.map(({ action }) => action));
  for (const action of [
    'setup.createOwner',
    'auth.signIn',
    'machines.createEnrolToken',
    'machines.enrol',
    'machines.approve',
    'machines.revoke',
    'agent.copySeen',
  ]) {
    expect(actions).toContain(action);
  }
  const page = await client.audit.list.query({ limit: 3 });
  const next = await client.audit.list.query({ limit: 3, beforeSeq: page.nextBeforeSeq ?? 0 });
  expect(next.entries[0]?.seq).toBe((page.entries[2]?.seq ?? 0) - 1);
  const sound = await client.audit.verify.mutate();
  expect(sound).toEqual({ ok: true, entries: sound.entries, brokenAtSeq: null });
  const { db } = fleet.server.ctx;
  const tamper = async (work: (tx: Parameters<Parameters<typeof db.transaction>[0]>[0]) => Promise<unknown>) => {
    // What only someone who owns the database can do.
    await db.execute('alter table audit_log disable trigger all');
    await db.transaction(async (tx) => void (await work(tx)));
    await db.execute('alter table audit_log enable trigger all');
    return client.audit.verify.mutate();
  };
  const [third] = await db.select().from(auditLog).where(eq(auditLog.seq, 3));
  if (!third) throw new Error('too few entries');
  expect(await tamper((tx) => tx.update(auditLog).set({ actor: 'somebody else' }).where(eq(auditLog.seq, 3)))).toMatchObject({
    ok: false,
    brokenAtSeq: 3,
  });
  expect(await tamper((tx) => tx.delete(auditLog).where(eq(auditLog.seq, 3)))).toMatchObject({ ok: false, brokenAtSeq: 3 });
  expect(await tamper((tx) => tx.insert(auditLog).values(third))).toMatchObject({ ok: true });
});
