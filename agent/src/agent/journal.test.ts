import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobOutcome } from '@diskfleet/protocol';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { type Journal, openJournal } from './journal.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-journal-'));
  folders.push(folder);
  return folder;
}

const now = () => new Date('2026-11-22T12:00:00Z');
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function cancelled(jobId: string, attempt: number): JobOutcome {
  return { jobId, attempt, endedAt: now().toISOString(), outcome: { kind: 'cancelled' } };
}

/** Everything a reader of the journal can see. */
function view(journal: Journal, jobs: readonly string[], nonces: readonly string[]) {
  return {
    jobs: jobs.map((job) => journal.job(job)),
    unacked: journal.unacked(),
    unfinished: journal.unfinished(),
    spent: nonces.filter((nonce) => journal.isSpent(nonce)),
  };
}

test('remembers across a restart what was accepted, finished, acknowledged and spent', () => {
  const folder = makeFolder();
  const first = openJournal(folder, { now });
  first.accept(id(1), 1);
  first.start(id(1), 1);
  first.accept(id(2), 1);
  first.start(id(2), 1);
  first.finish(cancelled(id(2), 1));
  first.accept(id(3), 2);
  first.finish(cancelled(id(3), 2));
  first.ack(id(3), 2);
  first.spend(id(9), '2026-11-22T12:10:00Z');
  first.close();
  const second = openJournal(folder, { now });
  expect(second.unfinished().map(({ jobId }) => jobId)).toEqual([id(1)]);
  expect(second.unacked()).toEqual([cancelled(id(2), 1)]);
  expect(second.job(id(3))).toMatchObject({ attempt: 2, phase: 'acked' });
  expect(second.isSpent(id(9))).toBe(true);
  expect(second.isSpent(id(8))).toBe(false);
  second.close();
});

test('an ack for another attempt changes nothing', () => {
  const journal = openJournal(makeFolder(), { now });
  journal.accept(id(1), 2);
  journal.finish(cancelled(id(1), 2));
  journal.ack(id(1), 1);
  expect(journal.unacked()).toHaveLength(1);
  journal.close();
});

type Step = { kind: 'accept' | 'start' | 'finish' | 'ack' | 'spend'; job: number; attempt: number };
const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('accept', 'start', 'finish', 'ack', 'spend'),
  job: fc.integer({ min: 0, max: 3 }),
  attempt: fc.integer({ min: 1, max: 3 }),
});

function apply(journal: Journal, { kind, job, attempt }: Step): void {
  if (kind === 'accept') journal.accept(id(job), attempt);
  else if (kind === 'start') journal.start(id(job), attempt);
  else if (kind === 'finish') journal.finish(cancelled(id(job), attempt));
  else if (kind === 'ack') journal.ack(id(job), attempt);
  else journal.spend(id(100 + job), '2026-11-22T12:10:00Z');
}

const allJobs = [0, 1, 2, 3].map(id);
const allNonces = [100, 101, 102, 103].map(id);

test('cut at every byte, it says exactly what had been synced before the cut', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { minLength: 1, maxLength: 4 }), (steps) => {
      const folder = makeFolder();
      const path = join(folder, 'journal.jsonl');
      const journal = openJournal(folder, { now });
      // What is visible after each sync, by the size of the file then.
      const truths = [{ size: 0, view: view(journal, allJobs, allNonces) }];
      for (const step of steps) {
        apply(journal, step);
        truths.push({ size: readFileSync(path).length, view: view(journal, allJobs, allNonces) });
      }
      journal.close();
      const whole = readFileSync(path);
      for (let size = whole.length; size >= 0; size -= 1) {
        truncateSync(path, size);
        const cut = openJournal(folder, { now });
        const truth = truths.findLast((one) => one.size <= size);
        expect(view(cut, allJobs, allNonces)).toEqual(truth?.view);
        // And it goes on: what is written behind the cut is read again.
        cut.accept(id(7), 1);
        cut.close();
        const again = openJournal(folder, { now });
        expect(again.job(id(7))?.phase).toBe('accepted');
        again.close();
        writeFileSync(path, whole);
      }
    }),
    { numRuns: 3, seed: 20261122 },
  );
});

test('any flipped byte loses at most its own line and is told', () => {
  const folder = makeFolder();
  const path = join(folder, 'journal.jsonl');
  const journal = openJournal(folder, { now });
  for (let job = 0; job < 4; job += 1) journal.accept(id(job), 1);
  journal.close();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at += 7) {
    const broken = Buffer.from(whole);
    broken[at] = (broken[at] ?? 0) ^ 0x41;
    writeFileSync(path, broken);
    let damaged = 0;
    const opened = openJournal(folder, {
      now,
      onDamage: (lines) => {
        damaged = lines;
      },
    });
    const kept = allJobs.filter((job) => opened.job(job) !== null).length;
    opened.close();
    // A newline flipped away joins two lines, one flipped in splits one: two lines are the most one byte can hurt.
    expect(kept).toBeGreaterThanOrEqual(2);
    expect(kept + damaged, `byte ${at}`).toBeGreaterThanOrEqual(3);
  }
});

test('stays small: thousands of acknowledged jobs are forgotten, open ones and fresh nonces never', () => {
  const folder = makeFolder();
  const journal = openJournal(folder, { now });
  journal.accept(id(1), 1);
  journal.start(id(1), 1);
  journal.spend(id(500), '2026-11-22T12:10:00Z');
  journal.spend(id(501), '2020-01-01T00:00:00Z');
  for (let job = 1_000; job < 2_600; job += 1) {
    journal.accept(id(job), 1);
    journal.finish(cancelled(id(job), 1));
    journal.ack(id(job), 1);
  }
  const lines = readFileSync(join(folder, 'journal.jsonl'), 'utf8').split('\n').length;
  expect(lines).toBeLessThan(3_000);
  expect(journal.job(id(1))?.phase).toBe('started');
  expect(journal.isSpent(id(500))).toBe(true);
  expect(journal.isSpent(id(501))).toBe(false);
  journal.close();
  const again = openJournal(folder, { now });
  expect(again.job(id(1))?.phase).toBe('started');
  expect(again.job(id(2_599))?.phase).toBe('acked');
  again.close();
}, 60_000);
