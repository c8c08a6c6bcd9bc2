import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, utimesSync } from 'node:fs';
import { points, vaults } from '@diskfleet/db';
import { openVault } from '@diskfleet/vault';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, enrolAgent, type FakeAgent, type FakeSession, makeInventory, succeeded } from '../testing/fakeAgent.ts';
import { type Client, codeOf, OWNER, startTestDatabases, startTestFleet, type TestFleet, until } from '../testing/fleet.ts';
import { describeFile, lacksFatTools, makeFatDisk, runBackup } from '../testing/realBackup.ts';
import { tendVaults } from './tend.ts';

const dayMs = 24 * 3_600_000;
describe.skipIf(lacksFatTools())('keeping a vault (needs mkfs.fat and mcopy)', () => {
  let databases: Awaited<ReturnType<typeof startTestDatabases>>;
  let fleet: TestFleet;
  let client: Client;
  let vaultId: string;
  let agent: FakeAgent;
  let session: FakeSession;
  const made: string[] = [];

  /** A backup of a disk whose content is all new. */
  async function backUp(): Promise<string> {
    const file = `${fleet.folder}/disks/source.img`;
    rmSync(file, { force: true });
    makeFatDisk(file, { 'BIG.BIN': randomBytes(1_500_000) });
    const disk = await describeFile(file, 'SRC-0001');
    const job = await client.jobs.backupNow.mutate({ machineId: agent.machineId, diskKeys: [disk.key], vaultId, method: 'full' });
    const offer = await session.next('offer');
    session.say({ type: 'accept', jobId: job.id, attempt: 1 });
    const result = await runBackup(offer.job, { id: agent.machineId, name: 'desk' }, disk);
    session.say({ type: 'done', outcome: succeeded({ jobId: job.id, attempt: 1 }, result) });
    await session.next('ack', 20_000);
    const { pointId } = await client.jobs.get.query({ id: job.id });
    if (!pointId) throw new Error('no point was made');
    return pointId;
  }

  /** As if the vault had received these objects `days` ago. */
  function age(folder: string, days: number): void {
    const at = new Date(Date.now() - days * dayMs);
    const root = `${fleet.folder}/vault/${folder}`;
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) utimesSync(`${root}/${name}`, at, at);
  }

  async function tend() {
    await client.vaults.tend.mutate({ id: vaultId });
    return until(
      async () => {
        const { running, lastRun } = await client.vaults.keeping.query({ id: vaultId });
        return running ? null : lastRun;
      },
      'the clean-up',
      30_000,
    );
  }
  /** Sessions do not outlast it. */
  async function skipDays(days: number): Promise<void> {
    fleet.skipMs(days * dayMs);
    client = fleet.client(await fleet.owner());
  }
  const packs = () =>
    readdirSync(`${fleet.folder}/vault/packs`, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 60);
  const list = async () => (await client.points.list.query({ vaultId })).map(({ id, goesAt }) => ({ id, goesAt }));
  const acts = async () => (await client.audit.list.query({})).entries.map(({ action }) => action);

  beforeAll(async () => {
    databases = await startTestDatabases();
    fleet = await startTestFleet(databases);
    client = fleet.client(await fleet.owner());
    makeFatDisk(`${fleet.folder}/disks/source.img`, {});
    const disk = await describeFile(`${fleet.folder}/disks/source.img`, 'SRC-0001');
    agent = await enrolAgent(fleet, 'desk', { ...makeInventory('desk', [disk]), diskFilesFolder: `${fleet.folder}/disks` });
    session = await connect(fleet, agent);
    vaultId = (await client.vaults.create.mutate({ name: 'Main vault', folder: `${fleet.folder}/vault` })).id;
    for (let run = 0; run < 3; run += 1) made.push(await backUp());
  }, 120_000);
  afterAll(async () => {
    session?.cut();
    await fleet.stop();
    await databases.stop();
  });

  test('[P16] a shorter delay is asked for, written down, and not yet in force', async () => {
    const policy = { deletionDelayMs: 0, minRetentionMs: 0, quotaBytes: 10 ** 12, machineBytesPerDay: null };
    const answer = await client.vaults.setPolicy.mutate({ id: vaultId, policy });
    expect(answer).toMatchObject({ wanted: policy, inForce: { deletionDelayMs: 14 * dayMs, quotaBytes: 10 ** 12 } });
    await client.vaults.setPolicy.mutate({ id: vaultId, policy: { ...policy, deletionDelayMs: 14 * dayMs } });
    expect((await acts()).filter((action) => action === 'vaults.setPolicy')).toHaveLength(2);
    expect(await codeOf(client.vaults.setPolicy.mutate({ id: vaultId, policy: { ...policy, deletionDelayMs: -1 } }))).toBe(
      'INVALID_INPUT',
    );
  });

  test('without a rule nothing is deleted', async () => {
    expect(await tend()).toMatchObject({ removedPoints: 0, failure: null, by: OWNER.email });
    expect((await list()).every(({ goesAt }) => goesAt === undefined)).toBe(true);
  });

  test('a rule is looked at first, spares pins, and what it deletes says when it goes and can be taken back', async () => {
    const rule = { scheme: { kind: 'full', keep: 1 }, floor: 1, keepFirstFull: false } as const;
    const verdicts = await client.vaults.previewPrune.query({ id: vaultId, rule });
    expect(verdicts.map(({ id, action }) => [id, action])).toEqual([
      [made[0], 'delete'],
      [made[1], 'delete'],
      [made[2], 'keep'],
    ]);
    await client.points.setPinned.mutate({ id: made[0] ?? '', pinned: true });
    await client.vaults.setRule.mutate({ id: vaultId, rule });
    expect(await tend()).toMatchObject({ removedPoints: 1, keptPoints: 0, failure: null });
    const going = (await list()).filter(({ goesAt }) => goesAt !== undefined);
    expect(going.map(({ id }) => id)).toEqual([made[1]]);
    expect(Math.round((Date.parse(going[0]?.goesAt ?? '') - Date.now()) / dayMs)).toBe(14);
    const page = await client.explorer.list.query({ pointId: made[1] ?? '', diskIndex: 0, path: '/' });
    expect(page.entries.map(({ name }) => name)).toEqual(['BIG.BIN']);
    expect(await tend(), 'it does not count as there').toMatchObject({ removedPoints: 0 });
    await client.points.undelete.mutate({ id: made[1] ?? '' });
    expect((await list()).every(({ goesAt }) => goesAt === undefined)).toBe(true);
    expect(await codeOf(client.points.undelete.mutate({ id: made[1] ?? '' }))).toBe('POINT_NOT_FOUND');
    await client.points.remove.mutate({ id: made[1] ?? '' });
    expect((await list()).filter(({ goesAt }) => goesAt !== undefined)).toHaveLength(1);
    expect(await acts()).toEqual(
      expect.arrayContaining(['vaults.setRule', 'vaults.tend', 'vaults.tended', 'points.remove', 'points.undelete']),
    );
  });

  test('after the delay the point is gone, then a sweep removes its packs, and after another delay their room is back', async () => {
    const before = packs().length;
    await skipDays(15);
    expect(await tend()).toMatchObject({ failure: null });
    expect((await list()).map(({ id }) => id).sort()).toEqual([made[0], made[2]].sort());
    age('packs', 2);
    expect((await tend()).markedPacks).toBeGreaterThan(0);
    age('gc', 2);
    const swept = await tend();
    expect(swept.sweptPacks).toBeGreaterThan(0);
    expect(packs()).toHaveLength(before);
    await skipDays(15);
    await tend();
    expect(packs()).toHaveLength(before - swept.sweptPacks);
    for (const id of [made[0], made[2]]) {
      const page = await client.explorer.list.query({ pointId: id ?? '', diskIndex: 0, path: '/' });
      expect(page.entries).toHaveLength(1);
    }
    await skipDays(-30);
  });

  test('the duty tends each vault once a day', async () => {
    const { ctx } = fleet.server;
    const lastRun = async () => (await ctx.db.select().from(vaults).where(eq(vaults.id, vaultId)))[0]?.lastTend;
    await skipDays(40);
    await tendVaults(ctx);
    const first = await lastRun();
    expect(first).toMatchObject({ by: 'system', failure: null });
    await tendVaults(ctx);
    expect(await lastRun()).toEqual(first);
    await skipDays(-40);
  });

  test('while the vault service is away a run fails with its code and loses nothing', async () => {
    await fleet.stopVault();
    expect(await tend()).toMatchObject({ removedPoints: 0, failure: { code: 'VAULT_UNREACHABLE' } });
    await fleet.startVault();
    expect(await fleet.server.ctx.db.$count(points, eq(points.vaultId, vaultId))).toBe(2);
    expect(await tend()).toMatchObject({ failure: null });
  });

  test('[P9] an admin token needs the password, opens the vault as admin, and no job carries one', async () => {
    expect(await codeOf(client.vaults.adminToken.mutate({ id: vaultId, password: 'wrong' }))).toBe('SIGN_IN_FAILED');
    const { token, address } = await client.vaults.adminToken.mutate({ id: vaultId, password: OWNER.password });
    const vault = await openVault({ kind: 'service', baseUrl: address, token }, { kind: 'none' });
    expect((await vault.listPoints()).points).toHaveLength(2);
    await vault.close();
    const said = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'));
    expect(said).toMatchObject({ machineId: null, verbs: ['admin'], vaultId });
    expect(await acts()).toContain('vaults.adminToken');
  });
});
