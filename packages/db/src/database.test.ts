import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditLog, migrateDatabase, openDatabase, setupDone, users } from './index.ts';
import { startTestDatabases, type TestDatabases } from './testing/index.ts';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await startTestDatabases();
});
afterAll(() => databases.stop());

const at = new Date('2026-01-02T03:04:05.678Z');
const user = { name: 'Ann', email: 'ann@example.org', passwordHash: 'x', role: 'owner', createdAt: at } as const;

test('rows come back as they went in', async () => {
  const { db, close } = openDatabase(await databases.fresh());
  await db.insert(users).values(user);
  expect(await db.select().from(users)).toEqual([expect.objectContaining(user)]);
  await close();
});

test('several servers may migrate at once, and again later', async () => {
  const address = await databases.fresh();
  const { sql, close } = openDatabase(address);
  await sql`drop schema public cascade`;
  await sql`drop schema drizzle cascade`;
  await sql`create schema public`;
  await Promise.all([migrateDatabase(address), migrateDatabase(address), migrateDatabase(address)]);
  await migrateDatabase(address);
  expect(await sql`select count(*)::int as n from drizzle.__drizzle_migrations`).toEqual([{ n: 5 }]);
  await close();
});

test('the audit log refuses change, removal and truncation, and there is one first owner for ever', async () => {
  const { db, sql, close } = openDatabase(await databases.fresh());
  await db.insert(auditLog).values({ seq: 1, at, actor: 'a', action: 'b', subject: '', detail: '', prevHash: '', hash: 'h' });
  await db.insert(setupDone).values({ id: 1, ownerId: '00000000-0000-4000-8000-000000000000', at });
  const refused = /append-only/;
  await expect(sql`update audit_log set actor = 'x'`).rejects.toThrow(refused);
  await expect(sql`delete from audit_log`).rejects.toThrow(refused);
  await expect(sql`truncate audit_log`).rejects.toThrow(refused);
  await expect(sql`delete from setup_done`).rejects.toThrow(refused);
  await expect(sql`truncate setup_done`).rejects.toThrow(refused);
  await expect(sql`insert into setup_done values (2, gen_random_uuid(), now())`).rejects.toThrow(/setup_done_once/);
  await expect(sql`insert into setup_done values (1, gen_random_uuid(), now())`).rejects.toThrow(/duplicate key/);
  expect(await db.$count(auditLog, eq(auditLog.actor, 'a'))).toBe(1);
  await close();
});

test('a machine stored before lists had a brief gets one', async () => {
  const address = await databases.fresh();
  const { sql, close } = openDatabase(address);
  await sql`alter table machines drop column brief`;
  await sql`alter table restore_plans drop column view`;
  await sql`alter table points drop column goes_at`;
  await sql`alter table vaults drop column prune_rule, drop column last_tend, drop column tended_at`;
  await sql`delete from drizzle.__drizzle_migrations where id > 2`;
  const inventory = {
    hostname: 'pc',
    os: { name: 'Debian', version: '13' },
    disks: [{ sizeBytes: 5e12 }, { sizeBytes: 7 }],
    limitation: null,
  };
  await sql`insert into machines (name, state, inventory, enrolled_at) values ('pc', 'approved', ${JSON.stringify(inventory)}::jsonb, now())`;
  await migrateDatabase(address);
  const brief = { hostname: 'pc', os: 'Debian 13', disks: 2, totalBytes: 5_000_000_000_007, limitation: null };
  expect(await sql`select brief from machines`).toEqual([{ brief }]);
  await close();
});
