/**
 * Jobs mirror what agents do. The agent's journal is the truth of an attempt; `attempt` fences every update here, so a late
 * message of an older attempt changes nothing.
 */
import type { Failure, JobResult, RestorePlanView } from '@diskfleet/protocol';
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { JobRequest } from '../jobRequest.ts';
import { machines } from './machines.ts';
import { vaults } from './vaults.ts';

const jobState = ['queued', 'offered', 'running', 'succeeded', 'failed', 'cancelled', 'missed'] as const;
const jobKind = ['backup', 'restore', 'restoreFiles', 'explore', 'verify'] as const;

export const jobs = pgTable(
  'jobs',
  {
    id: uuid().primaryKey().defaultRandom(),
    kind: text({ enum: jobKind }).notNull(),
    state: text({ enum: jobState }).notNull(),
    machineId: uuid()
      .notNull()
      .references(() => machines.id),
    vaultId: uuid()
      .notNull()
      .references(() => vaults.id),
    pointId: text(),
    subject: text().notNull(),
    /** What was asked for, without any secret: tokens and keys are added when it is offered. */
    request: jsonb().$type<JobRequest>().notNull(),
    /** 0 until first offered; then the number of the newest attempt. */
    attempt: integer().notNull().default(0),
    idempotencyKey: text().notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull(),
    createdBy: text().notNull(),
    /** Still queued then: missed. */
    expiresAt: timestamp({ withTimezone: true }).notNull(),
    /** Not offered again before this moment, after an agent said it was busy. */
    notBefore: timestamp({ withTimezone: true }),
    startedAt: timestamp({ withTimezone: true }),
    endedAt: timestamp({ withTimezone: true }),
    cancelAskedAt: timestamp({ withTimezone: true }),
    result: jsonb().$type<JobResult>(),
    failure: jsonb().$type<Failure>(),
    retryOf: uuid(),
  },
  (t) => [
    uniqueIndex('jobs_idempotency').on(t.idempotencyKey),
    index('jobs_machine_state').on(t.machineId, t.state),
    index('jobs_created').on(t.createdAt.desc(), t.id),
    index('jobs_open').on(t.state, t.expiresAt).where(sql`${t.state} in ('queued', 'offered', 'running')`),
  ],
);

/** Disks a job works on. `active` from offer to end; the partial index is what keeps two jobs off one disk. */
export const jobDisks = pgTable(
  'job_disks',
  {
    jobId: uuid()
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    machineId: uuid().notNull(),
    diskKey: text().notNull(),
    active: boolean().notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.jobId, t.diskKey] }),
    uniqueIndex('job_disks_one_active').on(t.machineId, t.diskKey).where(sql`${t.active}`),
  ],
);

/** One attempt of a job. */
export const runs = pgTable(
  'runs',
  {
    jobId: uuid()
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    offeredAt: timestamp({ withTimezone: true }).notNull(),
    startedAt: timestamp({ withTimezone: true }),
    endedAt: timestamp({ withTimezone: true }),
    outcome: text({ enum: ['succeeded', 'failed', 'cancelled', 'returned'] }),
    failure: jsonb().$type<Failure>(),
  },
  (t) => [primaryKey({ columns: [t.jobId, t.attempt] })],
);

/** The run log: written for the admin, capped per job. */
export const jobLog = pgTable(
  'job_log',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    jobId: uuid()
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    level: text({ enum: ['info', 'warning', 'error'] }).notNull(),
    text: text().notNull(),
  },
  (t) => [index('job_log_job').on(t.jobId, t.id)],
);

/** A plan a person may confirm within 15 minutes; used at most once. */
export const restorePlans = pgTable('restore_plans', {
  id: uuid().primaryKey().defaultRandom(),
  planHash: text().notNull(),
  pointId: text().notNull(),
  diskIndex: integer().notNull(),
  machineId: uuid()
    .notNull()
    .references(() => machines.id),
  target: jsonb().notNull(),
  targetFingerprint: text().notNull(),
  confirmText: text().notNull(),
  fits: boolean().notNull(),
  estimatedBytes: bigint({ mode: 'number' }).notNull(),
  createdBy: text().notNull(),
  expiresAt: timestamp({ withTimezone: true }).notNull(),
  usedAt: timestamp({ withTimezone: true }),
  /** What the person was shown, to be shown again; null for plans of before it was kept. */
  view: jsonb().$type<Omit<RestorePlanView, 'planId'>>(),
});
