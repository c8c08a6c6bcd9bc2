/**
 * The one way to the database: postgres.js under drizzle, columns in snake case. Migrations are SQL files of this package, run in
 * process inside an advisory lock, so that several servers may start at once.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import * as schema from './schema/index.ts';

/** Where the database is. `host` may be a socket folder; a `url` wins over the other fields. */
export interface DatabaseAddress {
  readonly url?: string;
  readonly host?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

export function openDatabase(address: DatabaseAddress, options: { maxConnections?: number } = {}) {
  const sql = connect(address, options.maxConnections ?? 10);
  return { db: drizzle(sql, { schema, casing: 'snake_case' }), sql, close: () => sql.end({ timeout: 2 }) };
}

export type Database = ReturnType<typeof openDatabase>['db'];
/** A transaction of `Database`, or the database itself: what a query needs. */
export type Queries = Pick<
  Database,
  'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | 'execute' | 'transaction' | '$count'
>;

const MIGRATION_LOCK = 7_301_001;

/** Brings the schema up to date; a second process waits for the first. */
export async function migrateDatabase(address: DatabaseAddress): Promise<void> {
  const sql = connect(address, 1);
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(sql, { casing: 'snake_case' }), { migrationsFolder: migrationsFolder() });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function connect(address: DatabaseAddress, max: number) {
  const options = { max, onnotice: () => {}, connect_timeout: 10 };
  if (address.url) return postgres(address.url, options);
  return postgres({
    ...options,
    host: address.host,
    user: address.user,
    password: address.password,
    database: address.database,
  });
}

/** Beside the bundle when bundled, else in this package. */
function migrationsFolder(): string {
  const beside = fileURLToPath(new URL('./migrations', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../migrations', import.meta.url));
}
