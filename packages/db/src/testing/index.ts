/** Tests run on the real PostgreSQL: one for a test file, and a fresh migrated database in it for whoever asks. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startPostgres } from '../../../../infra/start/postgres.ts';
import { type DatabaseAddress, migrateDatabase, openDatabase } from '../database.ts';

export interface TestDatabases {
  /** Address of a new, migrated, empty database. */
  fresh(): Promise<DatabaseAddress>;
  stop(): Promise<void>;
}

export async function startTestDatabases(): Promise<TestDatabases> {
  const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'diskfleet-test-'));
  chmodSync(dataFolder, 0o711);
  const lines: string[] = [];
  const postgres = await startPostgres({ dataFolder, log: (line) => lines.push(line), unsafeNoSync: true });
  const { host, user, password, database } = postgres;
  const template = { host, user, password, database };
  await migrateDatabase(template);
  const admin = openDatabase({ ...template, database: 'postgres' }, { maxConnections: 1 });
  let made = 0;
  return {
    async fresh() {
      made += 1;
      const name = `test_${made}`;
      await admin.sql.unsafe(`create database ${name} template ${database}`);
      return { ...template, database: name };
    },
    async stop() {
      await admin.close();
      await postgres.stop();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}
