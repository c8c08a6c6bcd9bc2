/** Vaults and the catalogue of what is in them. The vault is the truth: every row of `points` was read from its manifest. */
import type { PointDisk, PruneRule, TendReport } from '@diskfleet/protocol';
import { bigint, boolean, index, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { machines } from './machines.ts';

export const vaults = pgTable(
  'vaults',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    folder: text().notNull(),
    encryption: text({ enum: ['managed', 'none'] }).notNull(),
    /** Raw keys, base64. The id key and the private key are sealed by the master key, which the database does not hold. */
    sealedIdKey: text().notNull(),
    publicKey: text(),
    sealedPrivateKey: text(),
    storedBytes: bigint({ mode: 'number' }).notNull().default(0),
    freeBytes: bigint({ mode: 'number' }),
    totalBytes: bigint({ mode: 'number' }),
    state: text({ enum: ['ready', 'unreachable'] }).notNull(),
    /** By which points are deleted, once a day; null: none is. */
    pruneRule: jsonb().$type<PruneRule>(),
    lastTend: jsonb().$type<TendReport>(),
    /** When a run of prune and sweep was begun last: the next one is due a day later. */
    tendedAt: timestamp({ withTimezone: true }),
    recoveryKitDownloadedAt: timestamp({ withTimezone: true }),
    createdAt: timestamp({ withTimezone: true }).notNull(),
  },
  (t) => [uniqueIndex('vaults_name').on(t.name)],
);

export const points = pgTable(
  'points',
  {
    id: text().primaryKey(),
    vaultId: uuid()
      .notNull()
      .references(() => vaults.id),
    machineId: uuid()
      .notNull()
      .references(() => machines.id),
    jobId: uuid(),
    kind: text({ enum: ['system', 'disk', 'partition', 'file'] }).notNull(),
    method: text({ enum: ['full', 'incremental', 'differential'] }).notNull(),
    source: text().notNull(),
    /** When the server learnt of it: rules use this clock. */
    recordedAt: timestamp({ withTimezone: true }).notNull(),
    /** The writer's clock. */
    createdAt: timestamp({ withTimezone: true }).notNull(),
    sizeBytes: bigint({ mode: 'number' }).notNull(),
    usedBytes: bigint({ mode: 'number' }).notNull(),
    newBytes: bigint({ mode: 'number' }).notNull(),
    storedBytes: bigint({ mode: 'number' }).notNull(),
    disks: jsonb().$type<readonly PointDisk[]>().notNull(),
    warnings: jsonb().$type<readonly string[]>().notNull(),
    pinned: boolean().notNull().default(false),
    comment: text().notNull().default(''),
    verifiedAt: timestamp({ withTimezone: true }),
    verifiedOk: boolean(),
    /** Deleted, and gone from the vault then. */
    goesAt: timestamp({ withTimezone: true }),
  },
  (t) => [
    index('points_machine').on(t.machineId, t.createdAt.desc()),
    index('points_vault').on(t.vaultId, t.createdAt.desc()),
    index('points_disks').using('gin', t.disks.op('jsonb_path_ops')),
  ],
);
