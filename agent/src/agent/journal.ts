/**
 * What this agent did, the truth the server's table mirrors. An append-only file of lines `<checksum> <json>`, synced before the
 * fact is told to anybody. A torn last line is what a crash leaves: it is cut off, and was never told.
 *
 * Rules: a (job, attempt) is accepted once and never run twice; an outcome is sent until acknowledged; the nonce of a write grant
 * is spent before the first byte is written. Deliberately absent: specs, tokens and keys, which live in memory only.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type JobOutcome, jobOutcomeShape } from '@diskfleet/protocol';
import * as z from 'zod';

const jobRef = { jobId: z.string(), attempt: z.number().int() };
const recordShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('accepted'), ...jobRef, at: z.string() }),
  z.object({ kind: z.literal('started'), ...jobRef, at: z.string() }),
  z.object({ kind: z.literal('finished'), outcome: jobOutcomeShape }),
  z.object({ kind: z.literal('acked'), ...jobRef, at: z.string() }),
  z.object({ kind: z.literal('nonce'), nonce: z.string(), expiresAt: z.string() }),
]);
export type JournalRecord = z.infer<typeof recordShape>;

export type JobPhase = 'accepted' | 'started' | 'finished' | 'acked';

export interface JournalJob {
  readonly jobId: string;
  readonly attempt: number;
  readonly phase: JobPhase;
  /** Set from `finished` on. */
  readonly outcome: JobOutcome | null;
}

export interface Journal {
  job(jobId: string): JournalJob | null;
  /** Accepted or started, in the order they came. */
  unfinished(): readonly JournalJob[];
  /** Outcomes the server has not acknowledged. */
  unacked(): readonly JobOutcome[];
  isSpent(nonce: string): boolean;
  /** How many write grants that expire after `since` were spent. */
  spentSince(since: Date): number;
  accept(jobId: string, attempt: number): void;
  start(jobId: string, attempt: number): void;
  finish(outcome: JobOutcome): void;
  ack(jobId: string, attempt: number): void;
  /** Durable when it returns. */
  spend(nonce: string, expiresAt: string): void;
  close(): void;
}

interface State {
  readonly jobs: Map<string, JournalJob>;
  readonly nonces: Map<string, string>;
}

const KEPT_ACKED = 1_000;
const COMPACT_ABOVE_LINES = 4_000;
/** A grant lives for minutes; its nonce is remembered far longer than any clock is wrong. */
const NONCE_KEPT_MS = 30 * 24 * 3_600_000;

/**
 * Opens (or makes) the journal. Damaged lines are skipped and handed to `onDamage`: each is a fact lost, which the reconciling
 * `hello` shows to the server as a job this agent knows nothing of.
 */
export function openJournal(folder: string, options: { now: () => Date; onDamage?: (lines: number) => void }): Journal {
  const path = join(folder, 'journal.jsonl');
  const { records, soundBytes, damaged } = readRecords(path);
  if (damaged > 0) options.onDamage?.(damaged);
  const state: State = { jobs: new Map(), nonces: new Map() };
  for (const record of records) apply(state, record);
  let fd = openSync(path, 'a', 0o600);
  syncFolderOf(path);
  ftruncateSync(fd, soundBytes);
  let sizeBytes = soundBytes;
  let lines = records.length;
  const compact = () => {
    dropOld(state, options.now());
    const kept = toRecords(state);
    const text = kept.map(encodeRecord).join('');
    const old = fd;
    fd = replaceFile(path, text);
    closeSync(old);
    sizeBytes = Buffer.byteLength(text);
    lines = kept.length;
  };
  if (damaged > 0 || lines > COMPACT_ABOVE_LINES) compact();
  const append = (record: JournalRecord) => {
    const line = encodeRecord(record);
    try {
      writeAll(fd, line);
      fsyncSync(fd);
    } catch (error) {
      // Half a line (a full disk) would swallow the next one.
      ftruncateSync(fd, sizeBytes);
      throw error;
    }
    sizeBytes += Buffer.byteLength(line);
    apply(state, record);
    lines += 1;
    if (lines > COMPACT_ABOVE_LINES) compact();
  };
  const at = () => options.now().toISOString();
  return {
    job: (jobId) => state.jobs.get(jobId) ?? null,
    unfinished: () => [...state.jobs.values()].filter(({ phase }) => phase === 'accepted' || phase === 'started'),
    unacked: () =>
      [...state.jobs.values()].flatMap(({ phase, outcome }) => (phase === 'finished' && outcome !== null ? [outcome] : [])),
    isSpent: (nonce) => state.nonces.has(nonce),
    spentSince: (since) => [...state.nonces.values()].filter((expiresAt) => Date.parse(expiresAt) > since.getTime()).length,
    accept: (jobId, attempt) => append({ kind: 'accepted', jobId, attempt, at: at() }),
    start: (jobId, attempt) => append({ kind: 'started', jobId, attempt, at: at() }),
    finish: (outcome) => append({ kind: 'finished', outcome }),
    ack: (jobId, attempt) => {
      const known = state.jobs.get(jobId);
      if (known?.attempt === attempt && known.phase === 'finished') append({ kind: 'acked', jobId, attempt, at: at() });
    },
    spend: (nonce, expiresAt) => append({ kind: 'nonce', nonce, expiresAt }),
    close: () => closeSync(fd),
  };
}

/** Facts only go forward: a later attempt replaces an earlier one, a later phase an earlier one. */
function apply({ jobs, nonces }: State, record: JournalRecord): void {
  if (record.kind === 'nonce') {
    nonces.set(record.nonce, record.expiresAt);
    return;
  }
  const { jobId, attempt } = record.kind === 'finished' ? record.outcome : record;
  const known = jobs.get(jobId);
  if (known !== undefined && known.attempt > attempt) return;
  const earlier = known?.attempt === attempt ? known.outcome : null;
  const outcome = record.kind === 'finished' ? record.outcome : earlier;
  // Re-inserted, so that the map is in the order of the last news.
  jobs.delete(jobId);
  jobs.set(jobId, { jobId, attempt, phase: record.kind, outcome });
}

export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

function decodeLine(line: string): JournalRecord | null {
  const json = line.slice(17);
  if (line[16] !== ' ' || line.slice(0, 16) !== checksum(json)) return null;
  const parsed = recordShape.safeParse(JSON.parse(json));
  return parsed.success ? parsed.data : null;
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** `soundBytes`: up to the end of the last whole line; what follows is torn. `damaged` counts whole lines that do not prove. */
function readRecords(path: string): { records: JournalRecord[]; soundBytes: number; damaged: number } {
  if (!existsSync(path)) return { records: [], soundBytes: 0, damaged: 0 };
  const bytes = readFileSync(path);
  const soundBytes = bytes.lastIndexOf(0x0a) + 1;
  const records: JournalRecord[] = [];
  let damaged = 0;
  for (const line of bytes.subarray(0, soundBytes).toString('utf8').split('\n')) {
    if (line === '') continue;
    const record = decodeLine(line);
    if (record === null) damaged += 1;
    else records.push(record);
  }
  return { records, soundBytes, damaged };
}

function dropOld({ jobs, nonces }: State, now: Date): void {
  const acked = [...jobs.values()].filter(({ phase }) => phase === 'acked');
  for (const { jobId } of acked.slice(0, Math.max(0, acked.length - KEPT_ACKED))) jobs.delete(jobId);
  for (const [nonce, expiresAt] of nonces) {
    if (Date.parse(expiresAt) + NONCE_KEPT_MS < now.getTime()) nonces.delete(nonce);
  }
}

/** The shortest journal that says the same. An acked job needs no outcome any more, only its attempt. */
function toRecords({ jobs, nonces }: State): JournalRecord[] {
  const records: JournalRecord[] = [];
  for (const [nonce, expiresAt] of nonces) records.push({ kind: 'nonce', nonce, expiresAt });
  for (const { jobId, attempt, phase, outcome } of jobs.values()) {
    if (phase === 'finished' && outcome !== null) records.push({ kind: 'finished', outcome });
    else records.push({ kind: phase === 'finished' ? 'acked' : phase, jobId, attempt, at: '' });
  }
  return records;
}

/** Whole or not at all, as every replacement of a file that matters. Returns the new file opened for appending. */
function replaceFile(path: string, text: string): number {
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  writeAll(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(temporary, path);
  syncFolderOf(path);
  return openSync(path, 'a', 0o600);
}

function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
