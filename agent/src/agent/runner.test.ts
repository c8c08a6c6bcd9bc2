import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentMessage, JobResult, JobSpec, OfferedJob } from '@diskfleet/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fakeTimers } from '../testing/fakeTimers.ts';
import { type Journal, openJournal } from './journal.ts';
import { makeRunner, type Runner, type RunningSpec, settleInterrupted } from './runner.ts';

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'diskfleet-runner-'));
  journal = openJournal(folder, { now: () => new Date('2026-11-22T12:00:00Z') });
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const vault = { vaultId: 'v', baseUrl: 'http://127.0.0.1:1', token: 't', keys: { idKey: '', publicKey: null, privateKey: null } };
const result: JobResult = { kind: 'explore', entries: [], truncated: false };

const exploreSpec: JobSpec = { kind: 'explore', vault, pointId: 'p', diskIndex: 0, path: '/' };
const backupSpec = (...diskKeys: string[]): JobSpec => ({
  kind: 'backup',
  vault,
  backupKind: 'disk',
  method: 'full',
  diskKeys,
  compression: 'fast',
  sectorBySector: false,
});
const restoreSpec = (diskKey: string): JobSpec => ({
  kind: 'restore',
  vault,
  pointId: 'p',
  diskIndex: 0,
  target: { kind: 'disk', diskKey },
  planHash: 'a'.repeat(64),
  writeGrant: 'g',
});
const offerOf = (n: number, spec: JobSpec = exploreSpec, more: Partial<OfferedJob> = {}): OfferedJob => ({
  jobId: id(n),
  attempt: 1,
  spec,
  expiresAt: '2026-11-22T13:00:00.000Z',
  ...more,
});

interface Bench {
  readonly runner: Runner;
  readonly sent: AgentMessage[];
  readonly started: { job: RunningSpec; signal: AbortSignal; end: (error?: Error) => void }[];
  readonly timers: ReturnType<typeof fakeTimers>;
  connected: boolean;
}

function bench(): Bench {
  const timers = fakeTimers();
  const sent: AgentMessage[] = [];
  const started: Bench['started'] = [];
  const state = { connected: true };
  const runner = makeRunner({
    journal,
    timers,
    serverNow: () => timers.now(),
    send: (message) => {
      if (state.connected) sent.push(message);
      return state.connected;
    },
    onFinished: () => {},
    run: (job, op) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve(result) : reject(error));
        op.signal.addEventListener('abort', () => reject(op.signal.reason));
        started.push({ job, signal: op.signal, end });
      }),
  });
  return {
    runner,
    sent,
    started,
    timers,
    get connected() {
      return state.connected;
    },
    set connected(value) {
      state.connected = value;
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const types = (messages: readonly AgentMessage[]) => messages.map(({ type }) => type);

test('an offer is accepted, run once, and its outcome sent and kept until acknowledged', async () => {
  const { runner, sent, started } = bench();
  runner.offer(offerOf(1));
  expect(types(sent)).toEqual(['accept']);
  expect(journal.job(id(1))?.phase).toBe('started');
  started[0]?.end();
  await settle();
  expect(types(sent)).toEqual(['accept', 'done']);
  expect(journal.unacked()).toHaveLength(1);
  runner.ack(id(1), 1);
  expect(journal.unacked()).toEqual([]);
});

test('an offer seen again is answered from the journal and never run again', async () => {
  const { runner, sent, started } = bench();
  runner.offer(offerOf(1));
  runner.offer(offerOf(1));
  expect(started).toHaveLength(1);
  started[0]?.end();
  await settle();
  runner.offer(offerOf(1));
  expect(types(sent)).toEqual(['accept', 'accept', 'done', 'done']);
  expect(started).toHaveLength(1);
});

test('an older attempt is ignored; a newer one of a running job must wait', async () => {
  const { runner, sent, started } = bench();
  runner.offer(offerOf(1, exploreSpec, { attempt: 3 }));
  runner.offer(offerOf(1, exploreSpec, { attempt: 2 }));
  expect(types(sent)).toEqual(['accept']);
  runner.offer(offerOf(1, exploreSpec, { attempt: 4 }));
  expect(sent.at(-1)).toMatchObject({ type: 'decline', failure: { code: 'AGENT_BUSY', retry: 'later' } });
  started[0]?.end();
  await settle();
  runner.offer(offerOf(1, exploreSpec, { attempt: 4 }));
  expect(started).toHaveLength(2);
});

test('one job per disk, one disk write on the machine, four jobs at most', () => {
  const { runner, sent } = bench();
  const declined = () => sent.filter(({ type }) => type === 'decline').length;
  runner.offer(offerOf(1, backupSpec('a', 'b')));
  runner.offer(offerOf(2, backupSpec('b', 'c')));
  expect(declined()).toBe(1);
  runner.offer(offerOf(3, restoreSpec('a')));
  expect(declined()).toBe(2);
  runner.offer(offerOf(4, restoreSpec('d')));
  runner.offer(offerOf(5, restoreSpec('e')));
  expect(declined()).toBe(3);
  runner.offer(offerOf(6));
  runner.offer(offerOf(7));
  expect(declined()).toBe(3);
  runner.offer(offerOf(8));
  expect(declined()).toBe(4);
});

test('an offer that came too late is declined by name', () => {
  const { runner, sent } = bench();
  runner.offer(offerOf(1, exploreSpec, { expiresAt: '2026-11-22T12:00:00.000Z' }));
  expect(sent[0]).toMatchObject({ type: 'decline', failure: { code: 'JOB_EXPIRED', retry: 'never' } });
  expect(journal.job(id(1))).toBeNull();
});

test('cancelling ends as cancelled, stopping the agent as restarted', async () => {
  const { runner, sent, started } = bench();
  runner.offer(offerOf(1));
  runner.offer(offerOf(2));
  runner.cancel(id(1));
  runner.cancel(id(99));
  await settle();
  expect(sent.at(-1)).toMatchObject({ type: 'done', outcome: { outcome: { kind: 'cancelled' } } });
  await runner.stop();
  expect(started[1]?.signal.aborted).toBe(true);
  expect(journal.job(id(2))?.outcome?.outcome).toMatchObject({
    kind: 'failed',
    failure: { code: 'AGENT_RESTARTED', retry: 'later' },
  });
  runner.offer(offerOf(3));
  expect(sent.at(-1)).toMatchObject({ type: 'decline' });
});

test('a failure keeps its code and is in the log', async () => {
  const { runner, sent, started, timers } = bench();
  runner.offer(offerOf(1));
  started[0]?.end(Object.assign(new Error('no room'), { code: 'VAULT_FULL', retry: 'later' }));
  await settle();
  timers.advance(1_000);
  expect(sent.find(({ type }) => type === 'done')).toMatchObject({
    outcome: { outcome: { kind: 'failed', failure: { code: 'VAULT_FULL', detail: 'no room', retry: 'later' } } },
  });
  expect(sent.find(({ type }) => type === 'log')).toMatchObject({ lines: [{ level: 'error', text: 'VAULT_FULL: no room' }] });
});

test('a renewed token reaches the job it is for, and no other attempt', () => {
  const { runner, started } = bench();
  runner.offer(offerOf(1, exploreSpec, { attempt: 2 }));
  const used: string[] = [];
  started[0]?.job.onToken((token) => used.push(token));
  runner.renewToken(id(1), 2, 'new');
  runner.renewToken(id(1), 1, 'old attempt');
  runner.renewToken(id(2), 2, 'other job');
  expect(used).toEqual(['new']);
});

test('after a crash what was running is told as failed, once, and never as done', () => {
  journal.accept(id(1), 1);
  journal.accept(id(2), 1);
  journal.start(id(2), 1);
  settleInterrupted(journal, new Date('2026-11-22T12:00:00Z'));
  expect(journal.unacked().map(({ outcome }) => outcome)).toEqual([
    { kind: 'failed', failure: { code: 'AGENT_RESTARTED', detail: 'It was accepted and not yet started.', retry: 'later' } },
    { kind: 'failed', failure: { code: 'AGENT_RESTARTED', detail: 'It was running.', retry: 'later' } },
  ]);
  settleInterrupted(journal, new Date('2026-11-22T12:00:00Z'));
  expect(journal.unacked()).toHaveLength(2);
});

test('whatever is lost, repeated or restarted: no attempt runs twice and no disk has two jobs', async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('offer' as const),
      job: fc.integer({ min: 1, max: 4 }),
      attempt: fc.integer({ min: 1, max: 3 }),
      disk: fc.constantFrom('a', 'b'),
    }),
    fc.record({ kind: fc.constant('end' as const), nth: fc.nat(5) }),
    fc.record({ kind: fc.constant('cancel' as const), job: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constantFrom('cut' as const, 'join' as const, 'crash' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const own = mkdtempSync(join(tmpdir(), 'diskfleet-runner-'));
      journal.close();
      journal = openJournal(own, { now: () => new Date('2026-11-22T12:00:00Z') });
      let now = bench();
      const everStarted: string[] = [];
      let seen = 0;
      const note = () => {
        for (const { job } of now.started.slice(seen)) everStarted.push(`${job.jobId}#${job.attempt}`);
        seen = now.started.length;
      };
      for (const one of steps) {
        if (one.kind === 'offer') now.runner.offer(offerOf(one.job, backupSpec(one.disk), { attempt: one.attempt }));
        else if (one.kind === 'end') now.started[one.nth]?.end();
        else if (one.kind === 'cancel') now.runner.cancel(id(one.job));
        else if (one.kind === 'cut') now.connected = false;
        else if (one.kind === 'join') now.connected = true;
        note();
        if (one.kind === 'crash') {
          journal.close();
          journal = openJournal(own, { now: () => new Date('2026-11-22T12:00:00Z') });
          settleInterrupted(journal, new Date('2026-11-22T12:00:00Z'));
          now = bench();
          seen = 0;
        }
        await settle();
        const disks = now.runner.running().length;
        expect(disks).toBeLessThanOrEqual(2);
      }
      expect(new Set(everStarted).size).toBe(everStarted.length);
      expect(
        journal
          .unfinished()
          .map(({ jobId }) => jobId)
          .sort(),
      ).toEqual(
        now.runner
          .running()
          .map(({ jobId }) => jobId)
          .sort(),
      );
      rmSync(own, { recursive: true, force: true });
    }),
    { numRuns: 60, seed: 5 },
  );
}, 60_000);

test('progress goes out at most twice a second, never backwards, and log lines wait for the connection', async () => {
  const { jobReport } = await import('./jobReport.ts');
  const timers = fakeTimers();
  const sent: { at: number; message: AgentMessage }[] = [];
  let connected = true;
  const send = (message: AgentMessage) => {
    if (connected) sent.push({ at: timers.now().getTime(), message });
    return connected;
  };
  const report = jobReport({ jobId: id(1), attempt: 1, timers, send });
  const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
  for (let n = 0; n < 100; n += 1) {
    report.onProgress({ phase: 'read', doneBytes: n % 10 === 9 ? 0 : n * 10, totalBytes: 1_000, ...none });
    timers.advance(50);
  }
  const progress = sent.flatMap(({ at, message }) =>
    message.type === 'progress' ? [{ at, done: message.progress.doneBytes }] : [],
  );
  expect(progress.length).toBeGreaterThan(8);
  expect(progress.length).toBeLessThanOrEqual(11);
  for (let n = 1; n < progress.length; n += 1) {
    expect((progress[n]?.at ?? 0) - (progress[n - 1]?.at ?? 0)).toBeGreaterThanOrEqual(500);
    expect(progress[n]?.done).toBeGreaterThanOrEqual(progress[n - 1]?.done ?? 0);
  }
  connected = false;
  for (let n = 0; n < 250; n += 1) report.onLog({ level: 'info', text: `line ${n}` });
  timers.advance(2_000);
  connected = true;
  report.onLog({ level: 'info', text: 'last' });
  report.end();
  const lines = sent.flatMap(({ message }) => (message.type === 'log' ? message.lines.map(({ text }) => text) : []));
  expect(lines).toHaveLength(251);
  expect(lines.at(-1)).toBe('last');
});
