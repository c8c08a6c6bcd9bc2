import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { points, restorePlans, vaults } from '@diskfleet/db';
import { planRestore } from '@diskfleet/engine';
import { type InventoryDisk, openWriteGrant, rawPublicKey } from '@diskfleet/protocol';
import { openVault } from '@diskfleet/vault';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, enrolAgent, type FakeAgent, type FakeSession, makeInventory, succeeded } from '../testing/fakeAgent.ts';
import { type Client, codeOf, OWNER, startTestDatabases, startTestFleet, type TestFleet, until } from '../testing/fleet.ts';
import { describeFile, lacksFatTools, makeFatDisk, runBackup } from '../testing/realBackup.ts';
import { refreshAllUsage } from './usage.ts';

const content = randomBytes(3_000_000);

describe.skipIf(lacksFatTools())('a vault with a real backup in it (needs mkfs.fat and mcopy)', () => {
  let databases: Awaited<ReturnType<typeof startTestDatabases>>;
  let fleet: TestFleet;
  let client: Client;
  let vaultId: string;
  let agent: FakeAgent;
  let session: FakeSession;
  let disk: InventoryDisk;
  let target: InventoryDisk;
  let pointId: string;

  beforeAll(async () => {
    databases = await startTestDatabases();
    fleet = await startTestFleet(databases);
    client = fleet.client(await fleet.owner());
    makeFatDisk(`${fleet.folder}/disks/source.img`, {
      'BIG.BIN': content,
      'EMPTY.TXT': Buffer.alloc(0),
      "ä;'ö.txt": Buffer.from('hello'),
    });
    makeFatDisk(`${fleet.folder}/disks/target.img`, { 'OLD.TXT': Buffer.from('old') });
    writeFileSync(`${fleet.folder}/disks/blank.img`, Buffer.alloc(20 << 20));
    disk = await describeFile(`${fleet.folder}/disks/source.img`, 'SRC-0001');
    target = await describeFile(`${fleet.folder}/disks/target.img`, 'TGT-0002');
    const blank = await describeFile(`${fleet.folder}/disks/blank.img`, 'BLK-0003');
    const inventory = { ...makeInventory('desk', [disk, target, blank]), diskFilesFolder: `${fleet.folder}/disks` };
    agent = await enrolAgent(fleet, 'desk', inventory);
    session = await connect(fleet, agent);
    // Whoever asks gets the same inventory at once.
    session.socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8'));
      if (message.type === 'refreshInventory')
        session.say({ type: 'inventory', requestId: message.requestId, inventory: agent.inventory });
    });
  });
  afterAll(async () => {
    session?.cut();
    await fleet.stop();
    await databases.stop();
  });

  test('a folder is tried and a vault made in it, whose keys the database does not show', async () => {
    const folder = `${fleet.folder}/vault`;
    expect(await client.vaults.testFolder.mutate({ folder })).toMatchObject({ ok: true, writable: true, isEmpty: true });
    expect(await codeOf(client.vaults.testFolder.mutate({ folder: 'relative' }))).toBe('INVALID_INPUT');
    const made = await client.vaults.create.mutate({ name: 'Main vault', folder });
    vaultId = made.id;
    expect(made).toMatchObject({ state: 'ready', encryption: 'managed', points: 0, recoveryKitDownloadedAt: null });
    expect(made.totalBytes).toBeGreaterThan(0);
    expect(await codeOf(client.vaults.create.mutate({ name: 'Other', folder }))).toBe('VAULT_EXISTS');
    expect(await codeOf(client.vaults.create.mutate({ name: 'Main vault', folder: `${folder}2` }))).toBe('VAULT_EXISTS');
    expect((await client.overview.get.query()).checklist).toMatchObject({
      vault: true,
      recoveryKit: false,
      machine: true,
      firstPoint: false,
    });
  });

  test('the recovery kit needs the password, opens the vault without us, and its keys are nowhere in the database', async () => {
    expect(await codeOf(client.vaults.recoveryKit.mutate({ id: vaultId, password: 'wrong' }))).toBe('SIGN_IN_FAILED');
    const { text, fileName } = await client.vaults.recoveryKit.mutate({ id: vaultId, password: OWNER.password });
    expect(fileName).toBe('diskfleet-recovery-kit-Main-vault.txt');
    const key = (name: string) => Buffer.from(new RegExp(`^${name}: (\\S+)$`, 'm').exec(text)?.[1] ?? '', 'base64');
    const keys = { idKey: key('id-key'), publicKey: key('public-key'), privateKey: key('private-key') };
    const vault = await openVault({ kind: 'directory', path: `${fleet.folder}/vault` }, { kind: 'keys', keys });
    expect(vault.canRead && vault.canWrite).toBe(true);
    expect(vault.id).toBe(vaultId);
    await vault.close();
    const row = JSON.stringify(await fleet.server.ctx.db.select().from(vaults));
    expect(row).not.toContain(keys.privateKey.toString('base64'));
    expect(row).not.toContain(keys.idKey.toString('base64'));
    expect((await client.vaults.get.query({ id: vaultId })).recoveryKitDownloadedAt).not.toBeNull();
  });

  test('a backup becomes a restore point with the numbers of its manifest', async () => {
    const job = await client.jobs.backupNow.mutate({ machineId: agent.machineId, diskKeys: [disk.key], vaultId, method: 'full' });
    const offer = await session.next('offer');
    session.say({ type: 'accept', jobId: job.id, attempt: 1 });
    const result = await runBackup(offer.job, { id: agent.machineId, name: 'desk' }, disk);
    session.say({ type: 'done', outcome: succeeded({ jobId: job.id, attempt: 1 }, result) });
    await session.next('ack', 20_000);
    const done = await client.jobs.get.query({ id: job.id });
    expect(done).toMatchObject({ state: 'succeeded', pointId: expect.any(String) });
    pointId = done.pointId ?? '';
    const point = await client.points.get.query({ id: pointId });
    expect(point).toMatchObject({
      machineName: 'desk',
      vaultName: 'Main vault',
      method: 'full',
      source: 'source.img',
      pinned: false,
      verified: null,
    });
    expect(point.sizeBytes).toBe(disk.sizeBytes);
    expect(point.usedBytes).toBeGreaterThan(content.length);
    expect(point.disks[0]).toMatchObject({
      index: 0,
      name: 'source.img',
      table: null,
      filesystem: { label: 'DATA', uuid: disk.filesystem?.uuid },
    });
    expect(done.result).toMatchObject({ usedBytes: point.usedBytes, sourceBytes: disk.sizeBytes });
    const machine = await client.machines.get.query({ id: agent.machineId });
    expect(machine).toMatchObject({ protection: 'protected', newestPointAt: expect.any(String) });
    expect((await client.points.setPinned.mutate({ id: pointId, pinned: true })).pinned).toBe(true);
    expect((await client.points.setComment.mutate({ id: pointId, comment: ' before the update ' })).comment).toBe(
      'before the update',
    );
    const used = await until(async () => {
      const view = await client.vaults.get.query({ id: vaultId });
      return view.storedBytes > 0 ? view : null;
    }, 'usage');
    expect(used.points).toBe(1);
    fleet.skipMs(25 * 3_600_000);
    expect((await client.machines.get.query({ id: agent.machineId })).protection, 'silence turns it').toBe('overdue');
    expect((await client.overview.get.query()).counts).toMatchObject({ overdue: 1, protected: 0, total: 1 });
    fleet.skipMs(-25 * 3_600_000);
  });

  test('while the vault is away an outcome is neither recorded nor acknowledged, and nothing is lost', async () => {
    const job = await client.jobs.backupNow.mutate({
      machineId: agent.machineId,
      diskKeys: [disk.key],
      vaultId,
      method: 'incremental',
    });
    const offer = await session.next('offer');
    const result = await runBackup(offer.job, { id: agent.machineId, name: 'desk' }, disk);
    const outcome = succeeded({ jobId: job.id, attempt: 1 }, result);
    await fleet.stopVault();
    session.say({ type: 'done', outcome });
    await expect(session.next('ack', 5_000)).rejects.toThrow(/no ack/);
    expect((await client.jobs.get.query({ id: job.id })).state).toBe('offered');
    await refreshAllUsage(fleet.server.ctx);
    expect((await client.machines.get.query({ id: agent.machineId })).protection).toBe('at-risk');
    expect(await codeOf(client.explorer.list.query({ pointId, diskIndex: 1, path: '/' }))).toBe('VAULT_UNREACHABLE');
    await fleet.startVault();
    await refreshAllUsage(fleet.server.ctx);
    // The agent says it again, as it does until it is acknowledged.
    session.say({ type: 'done', outcome });
    await session.next('ack', 20_000);
    expect(await client.jobs.get.query({ id: job.id })).toMatchObject({ state: 'succeeded', result: { method: 'incremental' } });
    expect((await client.points.list.query({ machineId: agent.machineId })).map(({ method }) => method)).toEqual([
      'incremental',
      'full',
    ]);
    pointId = (await client.jobs.get.query({ id: job.id })).pointId ?? '';
  });

  test('its files are listed and downloaded, whole and in part, by those who may, and every read is written down', async () => {
    const page = await client.explorer.list.query({ pointId, diskIndex: 0, path: '/' });
    expect(page.entries.map(({ name }) => name).sort()).toEqual(['BIG.BIN', 'EMPTY.TXT', "ä;'ö.txt"].sort());
    expect(page.total).toBe(3);
    const part = await client.explorer.list.query({ pointId, diskIndex: 0, path: '/', limit: 2 });
    const rest = await client.explorer.list.query({ pointId, diskIndex: 0, path: '/', limit: 2, cursor: part.nextCursor ?? 0 });
    expect([...part.entries, ...rest.entries]).toEqual(page.entries);
    expect(await codeOf(client.explorer.list.query({ pointId, diskIndex: 0, path: '/nothing' }))).toMatch(/NOT_FOUND/);
    expect(await codeOf(client.explorer.list.query({ pointId, diskIndex: 9, path: '/' }))).toBe('NOT_FOUND');

    const { sid, user } = await fleet.owner();
    const authorization = `Bearer ${await fleet.bridgeToken({ sub: user.id, sid })}`;
    const get = (file: string, headers: Record<string, string> = {}) =>
      fetch(`${fleet.url}/download/file?point=${pointId}&disk=0&path=${encodeURIComponent(file)}`, {
        headers: { authorization, ...headers },
      });
    const whole = await get('/BIG.BIN');
    expect(whole.headers.get('content-disposition')).toMatch(/^attachment; filename="BIG.BIN"/);
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    expect(hash(new Uint8Array(await whole.arrayBuffer()))).toBe(hash(content));
    const slice = await get('/BIG.BIN', { range: 'bytes=1000000-1999999' });
    expect(slice.status).toBe(206);
    expect(slice.headers.get('content-range')).toBe('bytes 1000000-1999999/3000000');
    expect(Buffer.from(await slice.arrayBuffer()).equals(content.subarray(1_000_000, 2_000_000))).toBe(true);
    expect((await get('/EMPTY.TXT')).headers.get('content-length')).toBe('0');
    const odd = await get("/ä;'ö.txt");
    expect(odd.headers.get('content-disposition')).toBe(
      `attachment; filename="__'_.txt"; filename*=UTF-8''%C3%A4%3B%27%C3%B6.txt`,
    );
    expect(await odd.text()).toBe('hello');
    expect((await get('/BIG.BIN', { range: 'bytes=3000000-' })).status).toBe(416);
    expect((await get('/NOPE')).status).toBe(404);
    expect((await get('/')).status).toBe(400);
    expect((await get('/BIG.BIN', { authorization: `Bearer ${await fleet.bridgeToken({})}` })).status).toBe(403);
    const { entries } = await client.audit.list.query({ limit: 100 });
    expect(entries.filter(({ action, detail }) => action === 'explorer.download' && detail === '/BIG.BIN').length).toBe(2);
    expect((await client.overview.get.query()).checklist.openedPoint).toBe(true);
  });

  test('a restore plan names the losses with their backups, hashes as on the PC, and starts one job after the right words', async () => {
    const input = { pointId, diskIndex: 0, machineId: agent.machineId };
    const plan = await client.restores.plan.mutate({ ...input, target: { kind: 'disk', diskKey: target.key } });
    expect(plan).toMatchObject({ fits: true, confirmText: 'desk 0002', targetBefore: { serial: 'TGT-0002' } });
    expect(plan.losses).toMatchObject([{ label: 'DATA', newestPoint: null }]);
    expect(await client.restores.get.query({ planId: plan.planId }), 'shown again after a reload').toEqual(plan);
    const self = await client.restores.plan.mutate({ ...input, target: { kind: 'disk', diskKey: disk.key } });
    expect(self.losses[0]?.newestPoint?.id, 'this one has a backup').toBe(pointId);

    const vault = await openVault({ kind: 'directory', path: `${fleet.folder}/vault` }, { kind: 'keys', keys: await kitKeys() });
    const onThePc = async ({ path, name, serial }: { path: string; name: string; serial: string }) =>
      (await planRestore(vault, { pointId, diskIndex: 0, target: { path, name, serial } })).planHash;
    expect(await onThePc(target)).toBe(plan.planHash);
    const blank = agent.inventory.disks[2];
    if (!blank) throw new Error('no blank disk');
    const toBlank = await client.restores.plan.mutate({ ...input, target: { kind: 'disk', diskKey: blank.key } });
    expect(await onThePc(blank)).toBe(toBlank.planHash);
    expect(toBlank.losses).toEqual([]);
    const toNew = await client.restores.plan.mutate({
      ...input,
      target: { kind: 'newFile', fileName: 'new.img' },
    });
    expect(toNew).toMatchObject({ confirmText: 'desk new.img', target: { create: true } });
    expect(await onThePc(toNew.target)).toBe(toNew.planHash);
    await vault.close();

    const start = (confirmText: string, planId = plan.planId) => client.restores.start.mutate({ planId, confirmText });
    expect(await codeOf(start('desk 0001'))).toBe('CONFIRMATION_WRONG');
    const [one, two] = await Promise.all([start('desk 0002'), start('desk 0002')]);
    expect(one.id).toBe(two.id);
    const { job } = await session.next('offer');
    if (job.spec.kind !== 'restore') throw new Error('not a restore');
    const grant = openWriteGrant(rawPublicKey(agent.serverPublicKey), job.spec.writeGrant, new Date());
    expect(grant).toMatchObject({
      jobId: one.id,
      machineId: agent.machineId,
      planHash: plan.planHash,
      targetKey: target.key,
      targetFingerprint: target.fingerprint,
      approvedBy: OWNER.email,
      nonce: one.id,
    });
    expect(job.spec.vault.keys.privateKey).not.toBeNull();
    session.say({
      type: 'done',
      outcome: {
        jobId: job.jobId,
        attempt: 1,
        endedAt: new Date().toISOString(),
        outcome: { kind: 'failed', failure: { code: 'TARGET_CHANGED', detail: '', retry: 'never' } },
      },
    });
    await session.next('ack');
    expect(await codeOf(client.jobs.retry.mutate({ id: one.id })), 'a confirmation is for one time').toBe('PLAN_EXPIRED');
    fleet.skipMs(16 * 60_000);
    expect(await codeOf(start('desk new.img', toNew.planId))).toBe('PLAN_EXPIRED');
    fleet.skipMs(-16 * 60_000);
    expect(await fleet.server.ctx.db.$count(restorePlans)).toBe(4);
  });

  test('targets that must not be written are refused before a plan is made', async () => {
    const { inventory } = agent;
    const plan = () =>
      codeOf(
        client.restores.plan.mutate({
          pointId,
          diskIndex: 0,
          machineId: agent.machineId,
          target: { kind: 'disk', diskKey: target.key },
        }),
      );
    const withTarget = (change: Partial<InventoryDisk>) => ({
      ...inventory,
      disks: inventory.disks.map((one) => (one.key === target.key ? { ...one, ...change } : one)),
    });
    agent.inventory = withTarget({ busyReason: 'mounted on /mnt' });
    expect(await plan()).toBe('TARGET_IN_USE');
    agent.inventory = withTarget({ isSystemDisk: true });
    expect(await plan()).toBe('TARGET_IS_SYSTEM_DISK');
    agent.inventory = withTarget({ readOnly: true });
    expect(await plan()).toBe('DISK_READ_ONLY');
    agent.inventory = withTarget({ key: 'gone' });
    expect(await plan()).toBe('DISK_NOT_FOUND');
    agent.inventory = { ...inventory, allowRemoteDiskWrites: false };
    expect(await plan()).toBe('REMOTE_WRITES_OFF');
    agent.inventory = withTarget({ sizeBytes: 1 << 20 });
    const small = await client.restores.plan.mutate({
      pointId,
      diskIndex: 0,
      machineId: agent.machineId,
      target: { kind: 'disk', diskKey: target.key },
    });
    expect(small).toMatchObject({ fits: false, reasons: [{ code: 'TARGET_TOO_SMALL' }] });
    expect(await codeOf(client.restores.start.mutate({ planId: small.planId, confirmText: small.confirmText }))).toBe(
      'PLAN_DOES_NOT_FIT',
    );
    agent.inventory = inventory;
  });

  test('a check marks points, and structure alone proves nothing', async () => {
    const check = async (level: 'structure' | 'data', damagedPoints: string[]) => {
      const job = await client.jobs.verify.mutate({ machineId: agent.machineId, vaultId, level, pointId: null });
      const { attempt } = (await session.next('offer')).job;
      const damaged = damagedPoints.length > 0 ? [{ object: 'packs/x', problem: 'gone', points: damagedPoints, paths: [] }] : [];
      session.say({
        type: 'done',
        outcome: succeeded({ jobId: job.id, attempt }, { kind: 'verify', checkedBytes: 1, checkedObjects: 1, damaged }),
      });
      await session.next('ack');
      return (await client.points.get.query({ id: pointId })).verified?.ok ?? null;
    };
    expect(await check('structure', [])).toBeNull();
    expect(await check('data', [])).toBe(true);
    expect(await check('structure', [pointId])).toBe(false);
    expect((await client.machines.get.query({ id: agent.machineId })).protection).toBe('at-risk');
    await fleet.server.ctx.db.update(points).set({ verifiedAt: null, verifiedOk: null }).where(eq(points.id, pointId));
  });

  async function kitKeys() {
    const { text } = await client.vaults.recoveryKit.mutate({ id: vaultId, password: OWNER.password });
    const key = (name: string) => Buffer.from(new RegExp(`^${name}: (\\S+)$`, 'm').exec(text)?.[1] ?? '', 'base64');
    return { idKey: key('id-key'), publicKey: key('public-key'), privateKey: key('private-key') };
  }

  test('nothing of a backup is in the clear on the vault’s disk', () => {
    const found = execFileSync('sh', [
      '-c',
      'cat "$0"/packs/* "$0"/packs/*/* 2>/dev/null | head -c 50000000 | wc -c',
      `${fleet.folder}/vault`,
    ]);
    expect(Number(found)).toBeGreaterThan(content.length);
    const needle = content.subarray(1_000_000, 1_000_032);
    const all = execFileSync('sh', ['-c', 'find "$0" -type f -exec cat {} +', `${fleet.folder}/vault`], { maxBuffer: 1 << 28 });
    expect(all.includes(needle)).toBe(false);
    expect(readFileSync(disk.path).includes(needle)).toBe(true);
  });
});
