import { bigint, index, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** Append-only (a trigger refuses anything else, migration `append_only`) and hash-chained: seq has no gap, hash covers prevHash. */
export const auditLog = pgTable(
  'audit_log',
  {
    seq: bigint({ mode: 'number' }).primaryKey(),
    at: timestamp({ withTimezone: true }).notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    detail: text().notNull(),
    prevHash: text().notNull(),
    hash: text().notNull(),
  },
  (t) => [index('audit_log_action').on(t.action)],
);
