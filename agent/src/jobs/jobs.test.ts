import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planRestore } from '@diskfleet/engine';
import {
  generateIdentity,
  type JobSpecOf,
  jobResultShape,
  rawPrivateKey,
  rawPublicKey,
  signGrant,
  type TargetRef,
  type VaultGrant,
  type WriteGrant,
} from '@diskfleet/protocol';
import { createVault, generateVaultKeys, openVault, type VaultKeys } from '@diskfleet/vault';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Journal, openJournal } from '../agent/journal.ts';
import { identityOfFile } from '../inventory/diskFiles.ts';
import type { Settings } from '../inventory/settings.ts';
import { describeDisks, listDisks } from '../inventory/takeInventory.ts';
import { fakePlatform } from '../platform/fake.ts';
import { serverKeys, testIdentity } from '../testing/fakeServer.ts';
import type { JobContext } from './jobContext.ts';
import { vaultUrl } from './openJobVault.ts';
import { runJob } from './runJob.ts';
import { whyClosed } from './systemFolders.ts';

const MIB = 1 << 20;
const now = () => new Date('2026-11-22T12:00:00Z');
const jobId = '33333333-3333-4333-8333-333333333333';
const uuid = (n: number) => `44444444-4444-4444-8444-${String(n).padStart(12, '0')}`;
const vault: VaultGrant = {
  vaultId: 'v',
  baseUrl: 'http://x/',
  token: 't',
  keys: { idKey: '', publicKey: null, privateKey: null },
};

let folder: string;
let keys: VaultKeys;
let journal: Journal;
let pointId: string;
let nonces = 0;
const at = (name: string) => join(folder, name);
const sha = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** Disks of this machine: the source, a target of the same size, the system disk, a small one, a mounted one. */
async function writeMachine(change: Record<string, unknown> = {}): Promise<void> {
  const disk = (name: string, more: Record<string, unknown> = {}) => ({ path: at(`${name}.img`), serial: name, ...more });
  const disks = [
    disk('source'),
    disk('target', change),
    disk('system', { isSystemDisk: true }),
    disk('small'),
    disk('mounted', { busyReason: 'mounted at /mnt' }),
  ];
  await writeFile(at('machine.json'), JSON.stringify({ hostname: 'pc', disks }));
}

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-jobs-')));
  for (const [name, size] of [
    ['source', 8],
    ['target', 8],
    ['system', 8],
    ['small', 2],
    ['mounted', 8],
  ] as const) {
    await writeFile(at(`${name}.img`), '');
    await truncate(at(`${name}.img`), size * MIB);
  }
  await writeFile(at('source.img'), Buffer.alloc(8 * MIB, 'diskfleet '));
  await mkdir(at('disks'));
  await writeMachine();
  keys = generateVaultKeys();
  await (await createVault({ kind: 'directory', path: at('vault') }, { encryption: { kind: 'keys', keys } })).close();
  journal = openJournal(folder, { now });
  const result = await runJob(context(), backupSpec('serial:source'));
  if (result.kind !== 'backup') throw new Error('this is no backup');
  pointId = result.pointId;
});
afterAll(async () => {
  journal.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => writeMachine());

function context(more: Partial<JobContext> & { readonly settings?: Settings } = {}): JobContext {
  return {
    jobId,
    identity: testIdentity,
    machineName: 'PC 12',
    platform: fakePlatform(at('machine.json')),
    settings: {
      allowRemoteDiskWrites: true,
      allowRestoreToSystemFolders: false,
      vaultPatienceSeconds: 120,
      diskFilesFolder: at('disks'),
      diskFiles: [],
    },
    agentFolder: at('agent'),
    journal,
    serverNow: now,
    openVault: () => openVault({ kind: 'directory', path: at('vault') }, { kind: 'keys', keys }),
    op: { now, signal: new AbortController().signal, workers: 1 },
    ...more,
  };
}

function backupSpec(...diskKeys: string[]): JobSpecOf<'backup'> {
  return {
    kind: 'backup',
    vault,
    backupKind: 'disk',
    method: 'incremental',
    diskKeys,
    compression: 'fast',
    sectorBySector: false,
  };
}

/** Plan and grant as an honest server makes them for this target; `change` makes it dishonest. */
async function restoreSpec(target: TargetRef, change: Partial<WriteGrant> = {}, signedBy = serverKeys.privateKey) {
  const { disks } = await listDisks(context().platform, context().settings);
  const known = target.kind === 'disk' ? disks.find(({ key }) => key === target.diskKey) : undefined;
  const path = target.kind === 'newFile' ? at(`disks/${target.fileName}`) : (known?.path ?? '/absent');
  const serial = known?.serial ?? identityOfFile(path).serial;
  const name = target.kind === 'newFile' ? target.fileName : (known?.name ?? 'absent');
  const saved = await context().openVault(vault);
  const plan = await planRestore(saved, { pointId, diskIndex: 0, target: { path, name, serial } });
  await saved.close();
  nonces += 1;
  const grant: WriteGrant = {
    purpose: 'diskWrite',
    nonce: uuid(nonces),
    machineId: testIdentity.machineId,
    jobId,
    planHash: plan.planHash,
    targetKey: target.kind === 'disk' ? target.diskKey : `newFile:${target.fileName}`,
    targetFingerprint: plan.target.fingerprint,
    expiresAt: '2026-11-22T12:10:00.000Z',
    approvedBy: 'ada@example.org',
    ...change,
  };
  const writeGrant = signGrant(rawPrivateKey(signedBy), grant);
  const spec: JobSpecOf<'restore'> = {
    kind: 'restore',
    vault,
    pointId,
    diskIndex: 0,
    target,
    planHash: plan.planHash,
    writeGrant,
  };
  return { spec, grant };
}

const targetDisk: TargetRef = { kind: 'disk', diskKey: 'serial:target' };

describe('backup', () => {
  test('is incremental to the one before and says what it found', async () => {
    const result = await runJob(context(), backupSpec('serial:source'));
    expect(jobResultShape.parse(result)).toMatchObject({
      kind: 'backup',
      method: 'incremental',
      newBytes: 0,
      sourceBytes: 8 * MIB,
    });
  });

  test('of a disk that is not there', async () => {
    await expect(runJob(context(), backupSpec('serial:gone'))).rejects.toMatchObject({ code: 'DISK_NOT_FOUND' });
  });

  test('cancelled makes no point', async () => {
    const signal = AbortSignal.abort();
    await expect(runJob(context({ op: { now, signal, workers: 1 } }), backupSpec('serial:source'))).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

describe('restore', () => {
  test('a confirmed plan is carried out once, and the grant never works again', async () => {
    const { spec, grant } = await restoreSpec(targetDisk);
    const result = await runJob(context(), spec);
    expect(jobResultShape.parse(result).kind).toBe('restore');
    expect(await sha(at('target.img'))).toBe(await sha(at('source.img')));
    expect(journal.isSpent(grant.nonce)).toBe(true);
    await expect(runJob(context(), spec)).rejects.toMatchObject({ code: 'GRANT_USED' });
    const again = openJournal(folder, { now });
    expect(again.isSpent(grant.nonce)).toBe(true);
    again.close();
  });

  test('to a new file in the disk-files folder', async () => {
    const { spec } = await restoreSpec({ kind: 'newFile', fileName: 'back.img' });
    await runJob(context(), spec);
    expect(await sha(at('disks/back.img'))).toBe(await sha(at('source.img')));
    await expect(runJob(context(), (await restoreSpec({ kind: 'newFile', fileName: 'other.img' })).spec)).resolves.toBeTruthy();
  });

  const refused = async (spec: JobSpecOf<'restore'>, code: string, more: Parameters<typeof context>[0] = {}) => {
    const before = await Promise.all(['target', 'system', 'small', 'mounted'].map((name) => sha(at(`${name}.img`))));
    await expect(runJob(context(more), spec)).rejects.toMatchObject({ code });
    expect(await Promise.all(['target', 'system', 'small', 'mounted'].map((name) => sha(at(`${name}.img`))))).toEqual(before);
  };

  test.each([
    ['another machine', { machineId: uuid(900) }],
    ['another job', { jobId: uuid(901) }],
    ['another plan', { planHash: 'b'.repeat(64) }],
    ['another disk', { targetKey: 'serial:system' }],
    ['a day of time', { expiresAt: '2026-11-23T12:00:00.000Z' }],
  ])('a grant for %s is refused and nothing is written', async (_what, change) => {
    await refused((await restoreSpec(targetDisk, change)).spec, 'GRANT_INVALID');
  });

  test('a grant signed by anybody else, a vault token, and garbage are refused', async () => {
    await refused((await restoreSpec(targetDisk, {}, generateIdentity().privateKey)).spec, 'GRANT_INVALID');
    const { spec } = await restoreSpec(targetDisk);
    const token = {
      purpose: 'vault' as const,
      vaultId: 'v',
      machineId: null,
      verbs: ['admin' as const],
      expiresAt: '2026-11-22T12:10:00.000Z',
    };
    await refused({ ...spec, writeGrant: signGrant(rawPrivateKey(serverKeys.privateKey), token) }, 'GRANT_INVALID');
    await refused({ ...spec, writeGrant: 'garbage' }, 'GRANT_INVALID');
    await refused({ ...spec, writeGrant: spec.writeGrant.slice(0, -2) }, 'GRANT_INVALID');
    expect(rawPublicKey(serverKeys.publicKey).asymmetricKeyType).toBe('ed25519');
  });

  test('an old grant is refused', async () => {
    await refused((await restoreSpec(targetDisk, { expiresAt: '2026-11-22T11:59:59.000Z' })).spec, 'PLAN_EXPIRED');
  });

  test('the local switch wins over everything, and spends nothing', async () => {
    const { spec, grant } = await restoreSpec(targetDisk);
    const settings = {
      allowRemoteDiskWrites: false,
      allowRestoreToSystemFolders: false,
      vaultPatienceSeconds: 120,
      diskFilesFolder: at('disks'),
      diskFiles: [],
    };
    await refused(spec, 'REMOTE_WRITES_OFF', { settings });
    expect(journal.isSpent(grant.nonce)).toBe(false);
  });

  test('a target that changed since the plan is refused', async () => {
    const { spec } = await restoreSpec(targetDisk);
    const before = await readFile(at('target.img'));
    await writeFile(at('target.img'), Buffer.concat([Buffer.from('somebody wrote here'), before.subarray(19)]));
    await refused(spec, 'TARGET_CHANGED');
  });

  test('another disk under the same key is refused', async () => {
    const { spec } = await restoreSpec(targetDisk);
    await writeMachine({ path: at('small.img') });
    await refused(spec, 'TARGET_CHANGED');
  });

  test('a fingerprint that fits and a plan that does not is refused', async () => {
    const { spec } = await restoreSpec(targetDisk);
    await writeMachine({ model: 'Other', name: 'renamed' });
    await refused(spec, 'PLAN_CHANGED');
  });

  test.each([
    ['system', 'TARGET_IS_SYSTEM_DISK'],
    ['mounted', 'TARGET_IN_USE'],
    ['small', 'PLAN_DOES_NOT_FIT'],
    ['gone', 'DISK_NOT_FOUND'],
  ])('to the %s disk: %s', async (name, code) => {
    await refused((await restoreSpec({ kind: 'disk', diskKey: `serial:${name}` })).spec, code);
  });

  test('no folder for disk files: no new file', async () => {
    const { spec } = await restoreSpec({ kind: 'newFile', fileName: 'x.img' });
    await refused(spec, 'DISK_NOT_FOUND', {
      settings: {
        allowRemoteDiskWrites: true,
        allowRestoreToSystemFolders: false,
        vaultPatienceSeconds: 120,
        diskFilesFolder: null,
        diskFiles: [],
      },
    });
  });

  test('no more than fifty disk writes a day, whoever signs them', async () => {
    const own = await mkdtemp(join(folder, 'many-'));
    const many = openJournal(own, { now });
    for (let n = 0; n < 50; n += 1) many.spend(uuid(5_000 + n), '2026-11-22T12:10:00.000Z');
    await refused((await restoreSpec(targetDisk)).spec, 'GRANT_INVALID', { journal: many });
    many.close();
  });
});

test('verify counts and finds no damage', async () => {
  const result = await runJob(context(), { kind: 'verify', vault, level: 'content', pointId });
  expect(jobResultShape.parse(result)).toMatchObject({ kind: 'verify', damaged: [] });
});

test('explore and restoreFiles of a disk without a filesystem are refused by name', async () => {
  const where = { vault, pointId, diskIndex: 0 };
  await expect(runJob(context(), { kind: 'explore', ...where, path: '/' })).rejects.toMatchObject({ code: 'FILESYSTEM_UNKNOWN' });
  const files = { kind: 'restoreFiles' as const, ...where, paths: ['/a'], destination: at('back'), overwrite: 'never' as const };
  await expect(runJob(context(), files)).rejects.toMatchObject({ code: 'FILESYSTEM_UNKNOWN' });
});

describe('where files commanded from the console may go', () => {
  test.each([
    '/',
    '//',
    '/./',
    '/etc',
    '/etc/cron.d',
    '/usr/local/bin',
    '/var/spool/cron',
    '/root/x',
    '/home',
    '/home/ada/.ssh',
    '/srv/.config/autostart',
    '//etc//x',
    '/lib64/y',
  ])('%s is closed', async (destination) => {
    const spec = {
      kind: 'restoreFiles' as const,
      vault,
      pointId,
      diskIndex: 0,
      paths: ['/a'],
      destination,
      overwrite: 'never' as const,
    };
    await expect(runJob(context(), spec)).rejects.toMatchObject({ code: 'DESTINATION_UNSAFE' });
    const settings = { ...context().settings, allowRestoreToSystemFolders: true };
    await expect(runJob(context({ settings }), spec)).rejects.toMatchObject({ code: 'FILESYSTEM_UNKNOWN' });
  });
  test.each(['/home/ada', '/srv/back', '/tmp/x', '/var/tmp/x', '/mnt/usr', '/etcetera'])('%s is open', (destination) => {
    expect(whyClosed(destination)).toBeNull();
  });
});

test('the address of a vault, with or without its path', () => {
  expect(vaultUrl({ baseUrl: 'http://h:1/', vaultId: 'v1' })).toBe('http://h:1/v1/vaults/v1');
  expect(vaultUrl({ baseUrl: 'http://h:1/v1/vaults/abc', vaultId: 'abc' })).toBe('http://h:1/v1/vaults/abc');
});

test('a disk that cannot be read is listed with the reason', async () => {
  const use = { isSystemDisk: false, busyReason: null, mounts: [] };
  const facts = { key: 'k', model: '', serial: '', sizeBytes: 1, sectorBytes: 512, bus: 'x', removable: false, readOnly: false };
  const [described] = await describeDisks([{ ...facts, path: at('nowhere'), name: 'nowhere', use }]);
  expect(described).toMatchObject({ table: null, fingerprint: '', partitions: [] });
  expect(described?.warnings[0]).toContain('cannot be read');
});
