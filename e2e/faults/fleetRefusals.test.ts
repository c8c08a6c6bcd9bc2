/** What a server and its agents refuse, with real processes: each refusal by name, and nothing lost or written. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, type Inventory, serverMessageShape } from '@diskfleet/protocol';
import type { JobDetail } from '@diskfleet/protocol/api';
import { TRPCClientError } from '@trpc/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { openDatabase } from '../../packages/db/src/index.ts';
import { type Fleet, type Member, online, startFleet } from '../fleet/fleet.ts';
import { until } from '../fleet/process.ts';
import { canLoop, run } from '../images/tools.ts';
import { failing, fileHash, type LabDisk, MIB, makeLabDisk, objectsOf, usedHash } from './lab.ts';

let folder: string;
let fleet: Fleet;
let vaultId: string;
let disk: LabDisk;
let big: LabDisk;
let target: string;
let anna: Member;
let point: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-refusals-'));
  disk = await makeLabDisk(join(folder, 'disk.img'), { sizeMib: 16, mediaMib: 2, seed: 'disk' });
  big = await makeLabDisk(join(folder, 'big.img'), { sizeMib: 48, mediaMib: 34, seed: 'big' });
  target = join(folder, 'target.img');
  await makeLabDisk(target, { sizeMib: 16, mediaMib: 1, seed: 'target' });
  fleet = await startFleet();
  vaultId = await fleet.createVault();
  anna = await fleet.addMember('anna', [
    { path: disk.path, serial: 'DISK-1' },
    { path: big.path, serial: 'BIG-1' },
    { path: target, serial: 'TARGET-9Z' },
  ]);
  const done = await backUp('DISK-1');
  expect(done.failure).toBeNull();
  point = done.pointId ?? '';
});
afterAll(async () => {
  await fleet?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function backUp(serial: string, into = vaultId): Promise<JobDetail> {
  const request = { machineId: anna.id, diskKeys: [`serial:${serial}`], vaultId: into, method: 'full' as const };
  return fleet.waitJob((await fleet.api.jobs.backupNow.mutate(request)).id);
}

const plan = (machineId = anna.id) =>
  fleet.api.restores.plan.mutate({
    pointId: point,
    diskIndex: 0,
    machineId,
    target: { kind: 'disk', diskKey: 'serial:TARGET-9Z' },
  });

const failureShape = z.object({ failure: z.object({ code: z.string(), what: z.string(), todo: z.string().min(5) }) });

/** The code a call of the console is refused with; guidance comes along. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (!(error instanceof TRPCClientError)) throw new Error(`not refused: ${String(error)}`);
  return failureShape.parse(error.data).failure.code;
}

async function targetUntouched(act: () => Promise<void>): Promise<void> {
  const before = fileHash(target);
  await act();
  expect(fileHash(target)).toBe(before);
}

async function letTimePass(table: 'restore_plans' | 'enrol_tokens'): Promise<void> {
  const { sql, close } = openDatabase(fleet.database, { maxConnections: 1 });
  await sql.unsafe(`update ${table} set expires_at = now() - interval '1 minute'`);
  await close();
}

async function pointsAreIntact(): Promise<void> {
  expect((await fleet.api.points.list.query({ vaultId })).map((one) => one.id)).toContain(point);
  const job = await fleet.api.jobs.verify.mutate({ machineId: anna.id, vaultId, level: 'content', pointId: null });
  const done = await fleet.waitJob(job.id);
  expect(done.failure).toBeNull();
  expect(done.result).toMatchObject({ kind: 'verify', damaged: [] });
}

describe('joining', () => {
  const newToken = async () => (await fleet.api.machines.createEnrolToken.mutate({ ttlMinutes: 10, autoApprove: false })).token;
  let inventory: Inventory;
  beforeAll(async () => {
    inventory = (await fleet.api.machines.get.query({ id: anna.id })).inventory;
  });

  async function enrol(token: string, protocolVersion: number): Promise<{ status: number; code: string | null }> {
    const body = { token, publicKey: generateIdentity().publicKey, agentVersion: '0.0.1', protocolVersion, inventory };
    const answer = await fetch(`${fleet.serverUrl}/agents/enrol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const parsed = z.object({ error: z.object({ code: z.string() }).optional() }).parse(await answer.json());
    return { status: answer.status, code: parsed.error?.code ?? null };
  }

  /** The command on a PC of its own. */
  const joinByCommand = (token: string) =>
    failing(['enrol', fleet.serverUrl, token], {
      exitCode: 1,
      env: {
        DISKFLEET_AGENT_DATA: join(folder, `pc-${randomBytes(4).toString('hex')}`),
        DISKFLEET_PLATFORM: 'fake',
        DISKFLEET_FAKE_MACHINE: join(anna.folder, 'machine.json'),
      },
    });

  test('an agent too old or too new is told so, and its token is not used up', async () => {
    const token = await newToken();
    expect(await enrol(token, 0)).toEqual({ status: 403, code: 'AGENT_TOO_OLD' });
    expect(await enrol(token, 999)).toEqual({ status: 403, code: 'AGENT_TOO_NEW' });
    expect(await enrol(token, 1)).toEqual({ status: 200, code: null });
  });

  test('a wrong, a used and an expired token', async () => {
    expect((await joinByCommand(`dfe_${randomBytes(18).toString('base64url')}`)).code).toBe('ENROL_TOKEN_INVALID');
    const used = await newToken();
    expect(await enrol(used, 1)).toEqual({ status: 200, code: null });
    expect((await joinByCommand(used)).code).toBe('ENROL_TOKEN_INVALID');
    const old = await newToken();
    await letTimePass('enrol_tokens');
    expect((await joinByCommand(old)).code).toBe('ENROL_TOKEN_INVALID');
  });

  test('a server that is not there, and an address that is none', async () => {
    const env = { DISKFLEET_AGENT_DATA: join(folder, 'pc-lost') };
    const token = 'x'.repeat(24);
    expect((await failing(['enrol', 'http://127.0.0.1:9', token], { exitCode: 1, env })).code).toBe('SERVER_UNREACHABLE');
    expect((await failing(['enrol', 'not an address', token], { exitCode: 1, env })).code).toBe('INVALID_INPUT');
    expect(existsSync(join(folder, 'pc-lost', 'identity.json'))).toBe(false);
  });

  /** Says who it is on the agents' socket and gives the code of the refusal. */
  function refusedOnSocket(proof: { machineId: string; protocolVersion: number }): Promise<string> {
    return new Promise((done, fail) => {
      const socket = new WebSocket(`${fleet.serverUrl.replace('http', 'ws')}/agents/socket`);
      socket.onerror = () => fail(new Error('the socket failed'));
      socket.onmessage = ({ data }) => {
        const message = serverMessageShape.parse(JSON.parse(String(data)));
        const nonce = randomBytes(32).toString('base64');
        const signature = randomBytes(64).toString('base64');
        if (message.type === 'challenge')
          return socket.send(JSON.stringify({ type: 'prove', agentVersion: '0.0.1', agentNonce: nonce, signature, ...proof }));
        socket.close();
        if (message.type === 'refusal') done(message.code);
        else fail(new Error(`let in with ${message.type}`));
      };
    });
  }

  test('on the socket: too old, too new, unknown, and somebody else’s name', async () => {
    const stranger = '00000000-0000-4000-8000-000000000000';
    expect(await refusedOnSocket({ machineId: anna.id, protocolVersion: 0 })).toBe('AGENT_TOO_OLD');
    expect(await refusedOnSocket({ machineId: anna.id, protocolVersion: 999 })).toBe('AGENT_TOO_NEW');
    expect(await refusedOnSocket({ machineId: stranger, protocolVersion: 1 })).toBe('AGENT_UNKNOWN');
    expect(await refusedOnSocket({ machineId: anna.id, protocolVersion: 1 })).toBe('AGENT_BAD_SIGNATURE');
    // The real one is not disturbed by any of them.
    expect((await fleet.api.machines.get.query({ id: anna.id })).connection).toBe('online');
  });

  test('a revoked agent is shut out at once and gets no job', async () => {
    const spare = join(folder, 'spare.img');
    copyFileSync(disk.path, spare);
    const bert = await fleet.addMember('bert', [{ path: spare, serial: 'SPARE-1' }]);
    await fleet.api.machines.revoke.mutate({ id: bert.id });
    await until('the agent to hear of it', 20_000, async () => bert.agent.log().includes('AGENT_REVOKED'));
    expect((await fleet.api.machines.get.query({ id: bert.id })).connection).toBe('offline');
    const request = { machineId: bert.id, diskKeys: ['serial:SPARE-1'], vaultId, method: 'full' as const };
    expect(await refusal(fleet.api.jobs.backupNow.mutate(request))).toBe('AGENT_REVOKED');
    await bert.agent.kill();
  });
});

describe('overwriting a disk', () => {
  test('not without the typed confirmation, and not with an expired plan', async () => {
    await targetUntouched(async () => {
      const planned = await plan();
      for (const confirmText of ['', 'yes', planned.confirmText.toLowerCase()])
        expect(await refusal(fleet.api.restores.start.mutate({ planId: planned.planId, confirmText }))).toBe(
          'CONFIRMATION_WRONG',
        );
      await letTimePass('restore_plans');
      const { planId, confirmText } = planned;
      expect(await refusal(fleet.api.restores.start.mutate({ planId, confirmText }))).toBe('PLAN_EXPIRED');
    });
  });

  test('not when the PC’s owner switched it off after the plan was made', async () => {
    const planned = await plan();
    const settings = join(anna.folder, 'settings.json');
    writeFileSync(settings, JSON.stringify({ allowRemoteDiskWrites: false }));
    try {
      await targetUntouched(async () => {
        const { planId, confirmText } = planned;
        const done = await fleet.waitJob((await fleet.api.restores.start.mutate({ planId, confirmText })).id);
        expect([done.state, done.failure?.code]).toEqual(['failed', 'REMOTE_WRITES_OFF']);
        // From now on the console does not even offer it.
        expect(await refusal(plan())).toBe('REMOTE_WRITES_OFF');
      });
    } finally {
      await rm(settings);
    }
  });

  test('not when the target was swapped or is in use', async () => {
    const planned = await plan();
    await run('sgdisk', ['-c', '1:payroll', target]);
    await targetUntouched(async () => {
      const { planId, confirmText } = planned;
      const done = await fleet.waitJob((await fleet.api.restores.start.mutate({ planId, confirmText })).id);
      expect(done.state).toBe('failed');
      expect(done.failure?.code).toMatch(/^(TARGET_CHANGED|PLAN_CHANGED)$/);
      const unknown = { kind: 'disk' as const, diskKey: 'serial:NONE' };
      const request = { pointId: point, diskIndex: 0, machineId: anna.id, target: unknown };
      expect(await refusal(fleet.api.restores.plan.mutate(request))).toBe('DISK_NOT_FOUND');
      expect(await refusal(fleet.api.restores.plan.mutate({ ...request, pointId: 'f'.repeat(32) }))).toBe('POINT_NOT_FOUND');
    });
  });

  test('a confirmed plan writes once: starting it again gives the same job', async () => {
    const { planId, confirmText } = await plan();
    const job = await fleet.api.restores.start.mutate({ planId, confirmText });
    const done = await fleet.waitJob(job.id);
    expect(done.failure).toBeNull();
    expect(await usedHash(target)).toBe(await usedHash(disk.path));
    await run('sgdisk', ['-c', '1:since then', target]);
    await targetUntouched(async () => {
      expect((await fleet.api.restores.start.mutate({ planId, confirmText })).id).toBe(job.id);
      expect(await refusal(fleet.api.jobs.retry.mutate({ id: job.id }))).toBe('INVALID_INPUT');
    });
  });
});

describe('vaults', () => {
  test('a folder that holds something, or that cannot be made, is no place for a vault', async () => {
    expect(await refusal(fleet.api.vaults.create.mutate({ name: 'twice', folder: fleet.vaultFolder }))).toBe('VAULT_EXISTS');
    expect(await refusal(fleet.api.vaults.create.mutate({ name: 'inside', folder: join(fleet.vaultFolder, 'x') }))).toBe(
      'VAULT_EXISTS',
    );
    expect(await refusal(fleet.api.vaults.create.mutate({ name: 'proc', folder: '/proc/diskfleet' }))).toBe('VAULT_STORE_FAILED');
  });

  test('a vault service that stays away: VAULT_UNREACHABLE, and everything is there when it is back', async () => {
    const settings = join(anna.folder, 'settings.json');
    writeFileSync(settings, JSON.stringify({ vaultPatienceSeconds: 2 }));
    await fleet.vaultService.stop();
    try {
      const done = await backUp('DISK-1');
      expect([done.state, done.failure?.code]).toEqual(['failed', 'VAULT_UNREACHABLE']);
    } finally {
      await rm(settings);
      fleet.vaultService.start();
      await fleet.healthy();
    }
    await pointsAreIntact();
    expect((await backUp('DISK-1')).failure).toBeNull();
  });

  test.skipIf(!canLoop && !process.env.CI)(
    'a vault that is full (needs root for mounts): VAULT_FULL, then it goes on',
    async () => {
      const mount = join(fleet.folder, 'tiny');
      mkdirSync(mount);
      await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount]);
      try {
        const { id } = await fleet.api.vaults.create.mutate({ name: 'tiny', folder: join(mount, 'vault') });
        const first = await backUp('DISK-1', id);
        expect(first.failure).toBeNull();
        const packed = () => objectsOf(join(mount, 'vault'), 'packs/').reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const before = packed();
        const full = await backUp('BIG-1', id);
        const leftBehind = packed() - before;
        expect([full.state, full.failure?.code]).toEqual(['failed', 'VAULT_FULL']);
        expect((await fleet.api.points.list.query({ vaultId: id })).map((one) => one.id)).toEqual([first.pointId]);
        await run('mount', ['-o', 'remount,size=96m', mount]);
        const again = await backUp('BIG-1', id);
        expect(again.failure).toBeNull();
        if (again.result?.kind !== 'backup') throw new Error('no backup result');
        expect(again.result.storedBytes, 'what was stored is reused').toBeLessThan(again.result.usedBytes - leftBehind + MIB);
        const job = await fleet.api.jobs.verify.mutate({ machineId: anna.id, vaultId: id, level: 'content', pointId: null });
        expect((await fleet.waitJob(job.id)).result).toMatchObject({ damaged: [] });
      } finally {
        await run('umount', ['-l', mount]);
      }
    },
  );

  test('after all of this the agent is connected and the audit chain holds', async () => {
    await online(fleet.api, anna.id);
    expect(await fleet.api.audit.verify.mutate()).toMatchObject({ ok: true, brokenAtSeq: null });
  });
});
