import { jobDisks, jobLog, jobs, points, runs } from '@diskfleet/db';
import { type JobResult, openVaultToken, rawPublicKey } from '@diskfleet/protocol';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, enrolAgent, type FakeAgent, makeDisk, makeInventory, succeeded } from '../testing/fakeAgent.ts';
import { type Client, codeOf, startTestDatabases, startTestFleet, type TestFleet, until } from '../testing/fleet.ts';
import { expireJobs, nudge, renewTokens } from './housekeeping.ts';
import { MOST_LOG_LINES } from './log.ts';

let databases: Awaited<ReturnType<typeof startTestDatabases>>;
let fleet: TestFleet;
let client: Client;
let vaultId: string;
let agent: FakeAgent;
let names = 0;

beforeAll(async () => {
  databases = await startTestDatabases();
  fleet = await startTestFleet(databases);
  client = fleet.client(await fleet.owner());
  vaultId = (await client.vaults.create.mutate({ name: 'Main', folder: `${fleet.folder}/vault` })).id;
});
beforeEach(async () => {
  names += 1;
  agent = await enrolAgent(fleet, `pc-${names}`, makeInventory(`pc-${names}`, [makeDisk('ONE'), makeDisk('TWO')]));
});
afterAll(async () => {
  await fleet.stop();
  await databases.stop();
});

const checked: JobResult = { kind: 'verify', checkedBytes: 1, checkedObjects: 1, damaged: [] };
const verify = () => client.jobs.verify.mutate({ machineId: agent.machineId, vaultId, level: 'data', pointId: null });
const backup = (diskKeys: string[], method: 'full' | 'incremental' = 'full') =>
  client.jobs.backupNow.mutate({ machineId: agent.machineId, diskKeys, vaultId, method });
const state = async (id: string) => (await client.jobs.get.query({ id })).state;
const becomes = (id: string, wanted: string) => until(async () => (await state(id)) === wanted, `${id} to be ${wanted}`);

describe('a job for a machine that is online', () => {
  test('is offered with what it needs and no more, runs, and ends once however often that is said', async () => {
    const session = await connect(fleet, agent);
    const made = await backup(['ONE']);
    expect(made).toMatchObject({ kind: 'backup', subject: 'disk ONE', createdBy: 'Ann Owner', lostContact: false });
    const { job } = await session.next('offer');
    expect(job).toMatchObject({ jobId: made.id, attempt: 1, spec: { kind: 'backup', diskKeys: ['ONE'], method: 'full' } });
    const { vault } = job.spec;
    expect(vault.keys.privateKey, 'a backup cannot read').toBeNull();
    const key = rawPublicKey(agent.serverPublicKey);
    expect(openVaultToken(key, vault.token, new Date())).toMatchObject({ vaultId, machineId: agent.machineId, verbs: ['write'] });
    session.say({ type: 'accept', jobId: job.jobId, attempt: 1 });
    await becomes(made.id, 'running');
    const progress = {
      phase: 'store',
      doneBytes: 50,
      totalBytes: 100,
      newBytes: 1,
      storedBytes: 1,
      skippedBytes: 0,
      bytesPerSecond: 1,
      etaSeconds: null,
    };
    session.say({ type: 'progress', jobId: job.jobId, attempt: 1, progress });
    session.say({ type: 'progress', jobId: job.jobId, attempt: 1, progress: { ...progress, doneBytes: 20 } });
    session.say({ type: 'progress', jobId: job.jobId, attempt: 7, progress: { ...progress, doneBytes: 90 } });
    session.say({
      type: 'log',
      jobId: job.jobId,
      attempt: 1,
      lines: [{ at: new Date().toISOString(), level: 'info', text: 'started' }],
    });
    const shown = await until(async () => {
      const detail = await client.jobs.get.query({ id: made.id });
      return detail.log.length > 0 && detail.progress ? detail : null;
    }, 'log and progress');
    expect(shown.progress?.doneBytes).toBe(50);
    const failed = { kind: 'failed', failure: { code: 'DISK_READ_FAILED', detail: 'sector 7', retry: 'later' } } as const;
    const outcome = { jobId: job.jobId, attempt: 1, endedAt: new Date().toISOString(), outcome: failed };
    for (let n = 0; n < 3; n += 1) {
      session.say({ type: 'done', outcome });
      expect(await session.next('ack')).toMatchObject({ jobId: job.jobId, attempt: 1 });
    }
    expect(await client.jobs.get.query({ id: made.id })).toMatchObject({
      state: 'failed',
      failure: failed.failure,
      progress: null,
    });
    expect(await fleet.server.ctx.db.select().from(runs).where(eq(runs.jobId, made.id))).toMatchObject([
      { attempt: 1, outcome: 'failed' },
    ]);
    session.cut();
  });

  test('on one disk runs alone; on another disk beside it', async () => {
    const session = await connect(fleet, agent);
    const first = await backup(['ONE']);
    const second = await backup(['ONE', 'TWO']);
    const third = await backup(['TWO']);
    expect((await session.next('offer')).job.jobId).toBe(first.id);
    expect((await session.next('offer')).job.jobId, 'the free disk is not kept waiting').toBe(third.id);
    await expect(session.next('offer', 300)).rejects.toThrow(/no offer/);
    const { db } = fleet.server.ctx;
    await expect(db.update(jobDisks).set({ active: true }).where(eq(jobDisks.jobId, second.id))).rejects.toThrow();
    for (const { id } of [first, third]) {
      session.say({
        type: 'done',
        outcome: { jobId: id, attempt: 1, endedAt: new Date().toISOString(), outcome: { kind: 'cancelled' } },
      });
    }
    expect((await session.next('offer')).job.jobId).toBe(second.id);
    session.cut();
  });

  test('goes back to the queue when the agent is busy, and fails when it says no', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    session.say({ type: 'decline', jobId: made.id, attempt: 1, failure: { code: 'AGENT_BUSY', detail: '', retry: 'later' } });
    await becomes(made.id, 'queued');
    await expect(session.next('offer', 200)).rejects.toThrow(/no offer/);
    fleet.skipMs(60_000);
    await nudge(fleet.server.ctx);
    expect((await session.next('offer')).job).toMatchObject({ jobId: made.id, attempt: 2 });
    session.say({ type: 'decline', jobId: made.id, attempt: 1, failure: { code: 'INTERNAL', detail: 'late', retry: 'never' } });
    session.say({ type: 'decline', jobId: made.id, attempt: 2, failure: { code: 'VAULT_TOO_NEW', detail: 'x', retry: 'never' } });
    await becomes(made.id, 'failed');
    expect((await client.jobs.get.query({ id: made.id })).failure?.code).toBe('VAULT_TOO_NEW');
    session.cut();
  });

  test('is cancelled by its agent, and at once while it waits', async () => {
    const waiting = await verify();
    expect((await client.jobs.cancel.mutate({ id: waiting.id })).state).toBe('cancelled');
    const session = await connect(fleet, agent);
    const made = await verify();
    const { job } = await session.next('offer');
    session.say({ type: 'accept', jobId: job.jobId, attempt: 1 });
    await becomes(made.id, 'running');
    expect((await client.jobs.cancel.mutate({ id: made.id })).state).toBe('running');
    expect(await session.next('cancel')).toMatchObject({ jobId: made.id });
    session.say({
      type: 'done',
      outcome: { jobId: made.id, attempt: 1, endedAt: new Date().toISOString(), outcome: { kind: 'cancelled' } },
    });
    await becomes(made.id, 'cancelled');
    const [one, two] = await Promise.all([client.jobs.retry.mutate({ id: made.id }), client.jobs.retry.mutate({ id: made.id })]);
    expect(one.id).toBe(two.id);
    expect((await session.next('offer')).job.jobId).toBe(one.id);
    session.cut();
  });

  test('cannot be touched by another machine', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    const stranger = await connect(fleet, await enrolAgent(fleet, 'stranger'));
    stranger.say({ type: 'accept', jobId: made.id, attempt: 1 });
    stranger.say({
      type: 'log',
      jobId: made.id,
      attempt: 1,
      lines: [{ at: new Date().toISOString(), level: 'info', text: 'forged' }],
    });
    stranger.say({ type: 'done', outcome: succeeded({ jobId: made.id, attempt: 1 }, checked) });
    await stranger.next('ack');
    expect(await client.jobs.get.query({ id: made.id })).toMatchObject({ state: 'offered', log: [] });
    stranger.cut();
    session.cut();
  });

  test('that claims a restore point which is not there has failed', async () => {
    const session = await connect(fleet, agent);
    const made = await backup(['ONE']);
    await session.next('offer');
    const result: JobResult = {
      kind: 'backup',
      pointId: crypto.randomUUID(),
      method: 'full',
      sourceBytes: 1,
      usedBytes: 1,
      readBytes: 1,
      newBytes: 1,
      storedBytes: 1,
      seconds: 1,
      warnings: [],
    };
    session.say({ type: 'done', outcome: succeeded({ jobId: made.id, attempt: 1 }, result) });
    await session.next('ack');
    expect(await client.jobs.get.query({ id: made.id })).toMatchObject({ state: 'failed', failure: { code: 'POINT_NOT_FOUND' } });
    expect(await fleet.server.ctx.db.$count(points)).toBe(0);
    session.cut();
  });

  test('keeps a log that cannot grow without end', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    const at = new Date();
    const rows = Array.from({ length: MOST_LOG_LINES - 50 }, (_, n) => ({
      jobId: made.id,
      attempt: 1,
      at,
      level: 'info' as const,
      text: `${n}`,
    }));
    for (let from = 0; from < rows.length; from += 1000)
      await fleet.server.ctx.db.insert(jobLog).values(rows.slice(from, from + 1000));
    const lines = Array.from({ length: 100 }, () => ({ at: at.toISOString(), level: 'info' as const, text: 'more' }));
    for (let n = 0; n < 3; n += 1) session.say({ type: 'log', jobId: made.id, attempt: 1, lines });
    session.say({ type: 'done', outcome: succeeded({ jobId: made.id, attempt: 1 }, checked) });
    await session.next('ack');
    const { log } = await client.jobs.get.query({ id: made.id });
    expect(log).toHaveLength(MOST_LOG_LINES);
    expect(log.at(-1)?.text).toMatch(/full/);
    session.cut();
  });

  test('[P9] gets a newer vault token before its own ends', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    const { job } = await session.next('offer');
    session.say({ type: 'accept', jobId: made.id, attempt: 1 });
    await becomes(made.id, 'running');
    await renewTokens(fleet.server.ctx);
    await expect(session.next('renewToken', 200)).rejects.toThrow(/no renewToken/);
    const later = 5.5 * 3_600_000;
    fleet.skipMs(later);
    await renewTokens(fleet.server.ctx);
    const { token } = await session.next('renewToken');
    fleet.skipMs(-later);
    const expiry = (text: string) => {
      const opened = openVaultToken(rawPublicKey(agent.serverPublicKey), text, new Date());
      return typeof opened === 'string' ? 0 : Date.parse(opened.expiresAt);
    };
    expect(expiry(token) - expiry(job.spec.vault.token)).toBeGreaterThan(later - 120_000);
    session.cut();
  });
});

describe('a job for a machine that is offline', () => {
  test('waits once, is offered at the next hello, and is missed when its time is over', async () => {
    const first = await backup(['ONE']);
    expect((await backup(['ONE'])).id, 'the same wish twice is one job').toBe(first.id);
    expect((await backup(['ONE'], 'incremental')).id).not.toBe(first.id);
    expect(first.state).toBe('queued');
    const session = await connect(fleet, agent);
    expect((await session.next('offer')).job.jobId).toBe(first.id);
    session.cut();
    await until(async () => (await client.jobs.get.query({ id: first.id })).lostContact, 'lost contact to show');
    const other = await enrolAgent(fleet, 'never-on', makeInventory('never-on', [makeDisk('X')]));
    const late = await client.jobs.backupNow.mutate({ machineId: other.machineId, diskKeys: ['X'], vaultId, method: 'full' });
    fleet.skipMs(8 * 86_400_000);
    await expireJobs(fleet.server.ctx);
    fleet.skipMs(-8 * 86_400_000);
    expect(await client.jobs.get.query({ id: late.id })).toMatchObject({ state: 'missed', failure: { code: 'JOB_EXPIRED' } });
    expect(await state(first.id), 'what an agent may hold is not taken back by the clock').toBe('offered');
  });

  test('is refused for disks and machines that make no sense', async () => {
    expect(await codeOf(backup(['NO-SUCH-DISK']))).toBe('DISK_NOT_FOUND');
    await client.machines.revoke.mutate({ id: agent.machineId });
    expect(await codeOf(verify())).toBe('AGENT_REVOKED');
  });
});

describe('[P6] hello', () => {
  test('an offer that never arrived is made again, as a new attempt', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    session.cut();
    await session.closed;
    const next = await connect(fleet, agent);
    expect((await next.next('offer')).job).toMatchObject({ jobId: made.id, attempt: 2 });
    next.cut();
  });

  test('an acceptance that was lost counts: the job is not offered again', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    session.cut();
    await session.closed;
    const next = await connect(fleet, agent, { running: [{ jobId: made.id, attempt: 1 }] });
    expect(await next.next('renewToken')).toMatchObject({ jobId: made.id, attempt: 1 });
    await becomes(made.id, 'running');
    await expect(next.next('offer', 200)).rejects.toThrow(/no offer/);
    next.say({ type: 'done', outcome: succeeded({ jobId: made.id, attempt: 1 }, checked) });
    await becomes(made.id, 'succeeded');
    next.cut();
  });

  test('a running job whose agent lost its journal has failed, and says why', async () => {
    const session = await connect(fleet, agent);
    const made = await verify();
    await session.next('offer');
    session.say({ type: 'accept', jobId: made.id, attempt: 1 });
    await becomes(made.id, 'running');
    session.cut();
    await session.closed;
    const next = await connect(fleet, agent);
    await becomes(made.id, 'failed');
    expect((await client.jobs.get.query({ id: made.id })).failure?.code).toBe('AGENT_RESTARTED');
    next.cut();
  });

  test('an agent running what it should not is told to stop', async () => {
    const made = await verify();
    await client.jobs.cancel.mutate({ id: made.id });
    const unknown = crypto.randomUUID();
    const session = await connect(fleet, agent, {
      running: [
        { jobId: made.id, attempt: 1 },
        { jobId: unknown, attempt: 3 },
      ],
    });
    expect([(await session.next('cancel')).jobId, (await session.next('cancel')).jobId]).toEqual([made.id, unknown]);
    session.cut();
  });

  test('the server stops and starts in the middle: nothing is lost, nothing runs twice', async () => {
    const session = await connect(fleet, agent);
    const [running, ended, offered] = [await backup(['ONE']), await backup(['TWO']), await verify()];
    for (const job of [running, ended, offered]) expect((await session.next('offer')).job.jobId).toBe(job.id);
    for (const job of [running, ended]) session.say({ type: 'accept', jobId: job.id, attempt: 1 });
    await becomes(ended.id, 'running');
    const queued = await backup(['ONE', 'TWO']);
    await fleet.restart();
    client = fleet.client(await fleet.owner());
    expect((await session.closed).code).toBe(1001);
    expect(await client.jobs.get.query({ id: running.id })).toMatchObject({ state: 'running', lostContact: true });
    // While the server was away one job ended; its offer of another never arrived.
    const failure = { code: 'DISK_READ_FAILED', detail: '', retry: 'later' } as const;
    const outcome = {
      jobId: ended.id,
      attempt: 1,
      endedAt: new Date().toISOString(),
      outcome: { kind: 'failed', failure },
    } as const;
    const next = await connect(fleet, agent, { running: [{ jobId: running.id, attempt: 1 }], done: [outcome] });
    expect(await next.next('ack')).toMatchObject({ jobId: ended.id });
    expect((await next.next('offer')).job).toMatchObject({ jobId: offered.id, attempt: 2 });
    expect(await client.jobs.get.query({ id: running.id })).toMatchObject({ state: 'running', lostContact: false, attempt: 1 });
    expect(await state(ended.id)).toBe('failed');
    expect(await state(queued.id)).toBe('queued');
    next.say({ type: 'done', outcome: { ...outcome, jobId: running.id } });
    expect((await next.next('offer')).job.jobId, 'the disks are free now').toBe(queued.id);
    const attempts = await fleet.server.ctx.db.select().from(runs).where(eq(runs.jobId, offered.id)).orderBy(runs.attempt);
    expect(attempts.map(({ outcome: end }) => end)).toEqual(['returned', null]);
    next.cut();
  });

  test('seeded chaos: cut lines, lost messages and server restarts never lose or double a job', async () => {
    let seed = 4242;
    const pick = (below: number) => {
      seed = (Math.imul(seed, 22_695_477) + 1) >>> 0;
      return (seed >>> 16) % below;
    };
    const journal = new Map<string, { attempt: number; done: boolean }>();
    const starts = new Map<string, number>();
    const made = new Set<string>();
    for (let round = 0; round < 12; round += 1) {
      for (let n = pick(3); n >= 0; n -= 1) made.add((await verify()).id);
      const alive = [...journal].map(([jobId, { attempt, done }]) => ({ jobId, attempt, done }));
      const session = await connect(fleet, agent, {
        running: alive.filter(({ done }) => !done).map(({ jobId, attempt }) => ({ jobId, attempt })),
        done: alive.filter(({ done }) => done).map((job) => succeeded({ jobId: job.jobId, attempt: job.attempt }, checked)),
      });
      for (let step = 0; step < 4; step += 1) {
        const offer = await session.next('offer', 60).catch(() => null);
        if (offer) {
          // One offer in three is lost on its way.
          if (pick(3) === 0) continue;
          starts.set(offer.job.jobId, (starts.get(offer.job.jobId) ?? 0) + 1);
          journal.set(offer.job.jobId, { attempt: offer.job.attempt, done: false });
          if (pick(2)) session.say({ type: 'accept', jobId: offer.job.jobId, attempt: offer.job.attempt });
        }
        for (const [jobId, entry] of journal) {
          if (entry.done || pick(2)) continue;
          entry.done = true;
          if (pick(2)) session.say({ type: 'done', outcome: succeeded({ jobId, attempt: entry.attempt }, checked) });
        }
        for (const message of session.received) if (message.type === 'ack') journal.delete(message.jobId);
      }
      if (pick(4) === 0) {
        await fleet.restart();
        client = fleet.client(await fleet.owner());
      }
      session.cut();
      await session.closed;
    }
    const rest = [...journal].map(([jobId, { attempt }]) => succeeded({ jobId, attempt }, checked));
    const last = await connect(fleet, agent, { done: rest });
    for (;;) {
      const offer = await last.next('offer', 300).catch(() => null);
      if (!offer) break;
      starts.set(offer.job.jobId, (starts.get(offer.job.jobId) ?? 0) + 1);
      last.say({ type: 'done', outcome: succeeded({ jobId: offer.job.jobId, attempt: offer.job.attempt }, checked) });
    }
    const rows = await fleet.server.ctx.db.select().from(jobs).where(eq(jobs.machineId, agent.machineId));
    expect(rows.map(({ id }) => id).sort()).toEqual([...made].sort());
    await until(async () => {
      const open = await client.jobs.list.query({ machineId: agent.machineId, states: ['queued', 'offered', 'running'] });
      return open.jobs.length === 0;
    }, 'all jobs to end');
    expect(
      [...starts.values()].every((times) => times === 1),
      'no job is started twice',
    ).toBe(true);
    const ended = await client.jobs.list.query({ machineId: agent.machineId, states: ['succeeded'], limit: 500 });
    expect(ended.jobs).toHaveLength(made.size);
    last.cut();
  }, 60_000);
});

test('a list of jobs goes on where the page before ended', async () => {
  const ids: string[] = [];
  for (const level of ['structure', 'data', 'content'] as const) {
    ids.push((await client.jobs.verify.mutate({ machineId: agent.machineId, vaultId, level, pointId: null })).id);
  }
  const first = await client.jobs.list.query({ machineId: agent.machineId, limit: 2 });
  const second = await client.jobs.list.query({ machineId: agent.machineId, limit: 2, cursor: first.nextCursor });
  expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual(ids.reverse());
  expect(second.nextCursor).toBeNull();
});
