/** PCs, their agents, and the one-time tokens that let new ones in. */
import type { Inventory } from '@diskfleet/protocol';
import { boolean, index, integer, jsonb, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

export interface MachineBrief {
  readonly hostname: string;
  readonly os: string;
  readonly disks: number;
  readonly totalBytes: number;
  readonly limitation: string | null;
  /** Built-in disks with something on them: what a backup of this PC is expected to cover. Absent before the next inventory. */
  readonly content?: readonly { readonly key: string; readonly name: string }[];
}

/** `pending` waits in the waiting room; a rejected machine is removed, a revoked one is kept with its points. */
export const machines = pgTable(
  'machines',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    state: text({ enum: ['pending', 'approved', 'revoked'] }).notNull(),
    /** As last reported; parsed at ingest, still text of a machine we do not trust. */
    inventory: jsonb().$type<Inventory>().notNull(),
    /** What lists show of it, so that ten thousand machines are listed without reading ten thousand inventories. */
    brief: jsonb().$type<MachineBrief>().notNull(),
    enrolledAt: timestamp({ withTimezone: true }).notNull(),
    approvedAt: timestamp({ withTimezone: true }),
  },
  (t) => [index('machines_state').on(t.state)],
);

/** The program on a machine: its key is its identity. */
export const agents = pgTable(
  'agents',
  {
    machineId: uuid()
      .primaryKey()
      .references(() => machines.id, { onDelete: 'cascade' }),
    /** Raw Ed25519 public key, base64. */
    publicKey: text().notNull(),
    agentVersion: text().notNull(),
    protocolVersion: integer().notNull(),
    lastSeenAt: timestamp({ withTimezone: true }),
    /** A second live session used the same key. Cleared when a person approves the machine again. */
    copySeenAt: timestamp({ withTimezone: true }),
  },
  (t) => [uniqueIndex('agents_public_key').on(t.publicKey)],
);

export const enrolTokens = pgTable(
  'enrol_tokens',
  {
    id: uuid().primaryKey().defaultRandom(),
    /** SHA-256 of the token, hex: the token itself is shown once. */
    tokenHash: text().notNull(),
    autoApprove: boolean().notNull(),
    expiresAt: timestamp({ withTimezone: true }).notNull(),
    spentAt: timestamp({ withTimezone: true }),
    spentBy: uuid(),
    createdBy: text().notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull(),
  },
  (t) => [uniqueIndex('enrol_tokens_hash').on(t.tokenHash)],
);
