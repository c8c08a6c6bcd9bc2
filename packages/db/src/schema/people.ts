/** Who may use the console. Secrets are stored as hashes only. */
import { sql } from 'drizzle-orm';
import { check, index, pgTable, smallint, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

export const users = pgTable(
  'users',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    /** Lower-cased at entry. */
    email: text().notNull(),
    /** argon2id, PHC string. */
    passwordHash: text().notNull(),
    role: text({ enum: ['owner', 'admin', 'operator', 'restore-only', 'auditor'] }).notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull(),
  },
  (t) => [uniqueIndex('users_email').on(t.email)],
);

/**
 * One row for ever: its key makes a second first owner impossible, and a trigger refuses to remove or change it
 * (migration `append_only`), so that the setup page cannot be opened again by deleting users.
 */
export const setupDone = pgTable(
  'setup_done',
  { id: smallint().primaryKey(), ownerId: uuid().notNull(), at: timestamp({ withTimezone: true }).notNull() },
  (t) => [check('setup_done_once', sql`${t.id} = 1`)],
);

/** A signed-in browser. The session id itself is only in the browser's cookie: here is its SHA-256. */
export const authSessions = pgTable(
  'auth_sessions',
  {
    sidHash: text().primaryKey(),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: timestamp({ withTimezone: true }).notNull(),
    expiresAt: timestamp({ withTimezone: true }).notNull(),
    endedAt: timestamp({ withTimezone: true }),
  },
  (t) => [index('auth_sessions_user').on(t.userId)],
);
