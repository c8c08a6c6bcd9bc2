import type { InventoryDisk } from '@diskfleet/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, enrolAgent, type FakeAgent, makeDisk, makeInventory } from '../testing/fakeAgent.ts';
import { type Client, codeOf, startTestDatabases, startTestFleet, type TestFleet } from '../testing/fleet.ts';

let databases: Awaited<ReturnType<typeof startTestDatabases>>;
let fleet: TestFleet;
let client: Client;
let vaultId: string;
let agent: FakeAgent;

function partition(number: number, more: Partial<InventoryDisk['partitions'][number]>): InventoryDisk['partitions'][number] {
  const sizeBytes = 1 << 28;
  const filesystem = { kind: 'ext4', label: `p${number}`, uuid: '', totalBytes: sizeBytes, usedBytes: 1 << 20, clean: true };
  const place = { number, startBytes: number << 28, sizeBytes, type: '0fc63daf-8483-4772-8e79-3d69d8477de4', typeName: 'Linux' };
  return { ...place, id: null, name: '', filesystem, mountPoint: null, ...more };
}

const system = makeDisk('SYS', {
  table: 'gpt',
  partitions: [
    partition(1, { holds: ['linux', 'a word of next year'], mountPoints: ['/'], inUse: true }),
    partition(2, { mountPoints: ['/home'], inUse: true }),
  ],
});

beforeAll(async () => {
  databases = await startTestDatabases();
  fleet = await startTestFleet(databases);
  client = fleet.client(await fleet.owner());
  vaultId = (await client.vaults.create.mutate({ name: 'Main', folder: `${fleet.folder}/vault` })).id;
  agent = await enrolAgent(fleet, 'pc', makeInventory('pc', [system, makeDisk('DATA')]));
});
afterAll(async () => {
  await fleet.stop();
  await databases.stop();
});

const plan = (input: Omit<Parameters<Client['jobs']['planBackup']['query']>[0], 'machineId'>) =>
  client.jobs.planBackup.query({ machineId: agent.machineId, ...input });

describe('what a backup would take', () => {
  test('a system: root in, /home and the other disk out, both named', async () => {
    const { disks, leftOutDisks, warnings, problem } = await plan({ backupKind: 'system' });
    expect(problem).toBeNull();
    expect(disks.map(({ key }) => key)).toEqual(['SYS']);
    expect(disks[0]?.partitions).toMatchObject([
      { number: 1, included: true, why: 'the running system mounts it at /', usedBytes: 1 << 20 },
      { number: 2, included: false, why: 'data: the running system mounts it at /home', label: 'p2' },
    ]);
    expect(leftOutDisks.map(({ key }) => key)).toEqual(['DATA']);
    expect(warnings.join(' ')).toMatch(/\/home.*disk DATA/);
  });

  test('the same words for disks and partitions, and a reason where it cannot be done', async () => {
    expect((await plan({ diskKeys: ['DATA'] })).disks.map(({ key }) => key)).toEqual(['DATA']);
    const some = await plan({ backupKind: 'partition', disks: [{ key: 'SYS', partitions: [2] }] });
    expect(some.disks[0]?.partitions.map(({ included }) => included)).toEqual([false, true]);
    expect((await plan({ backupKind: 'partition', disks: [{ key: 'SYS', partitions: [7] }] })).problem?.code).toBe(
      'PARTITION_NOT_FOUND',
    );
  });
});

describe('a backup job', () => {
  test('tells the agent its kind, its disks, its partitions and what to leave out', async () => {
    const session = await connect(fleet, agent);
    const ask = { machineId: agent.machineId, vaultId, method: 'full' } as const;
    const done = async (jobId: string, attempt: number) => {
      session.say({ type: 'accept', jobId, attempt });
      const outcome = { kind: 'cancelled' } as const;
      session.say({ type: 'done', outcome: { jobId, attempt, endedAt: new Date().toISOString(), outcome } });
      await session.next('ack');
    };
    const made = await client.jobs.backupNow.mutate({ ...ask, backupKind: 'system' });
    expect(made.subject).toBe('system (disk SYS)');
    const offer = await session.next('offer');
    expect(offer.job.spec).toMatchObject({
      backupKind: 'system',
      diskKeys: ['SYS'],
      leaveOut: ['hibernation', 'pagefile', 'swap'],
      sectorBySector: false,
      compression: 'balanced',
    });
    await done(offer.job.jobId, offer.job.attempt);
    const disks = [
      { key: 'SYS', partitions: [2, 1] },
      { key: 'SYS', partitions: [2] },
    ];
    const options = { sectorBySector: true, leaveOut: ['pagefile' as const], cutter: 'files' as const, trustMetadata: true };
    const part = await client.jobs.backupNow.mutate({ ...ask, backupKind: 'partition', disks, ...options });
    expect(part.subject).toBe('partitions 1, 2 of disk SYS');
    const second = await session.next('offer');
    // Every byte was asked for: nothing is left out of it.
    expect(second.job.spec).toMatchObject({
      backupKind: 'partition',
      disks: [{ key: 'SYS', partitions: [1, 2] }],
      diskKeys: ['SYS'],
      leaveOut: [],
      cutter: 'files',
      trustMetadata: true,
    });
    await done(second.job.jobId, second.job.attempt);
    session.cut();
  });

  test('is refused with the reason its plan shows', async () => {
    const ask = { machineId: agent.machineId, vaultId, method: 'full' } as const;
    const refused = (input: Partial<Parameters<Client['jobs']['backupNow']['mutate']>[0]>) =>
      codeOf(client.jobs.backupNow.mutate({ ...ask, ...input }));
    expect(await refused({ backupKind: 'partition', disks: [{ key: 'SYS', partitions: [9] }] })).toBe('PARTITION_NOT_FOUND');
    expect(await refused({ backupKind: 'partition', diskKeys: ['SYS'] })).toBe('INVALID_INPUT');
    expect(await refused({ diskKeys: ['GONE'] })).toBe('DISK_NOT_FOUND');
    const lone = await enrolAgent(fleet, 'lone', makeInventory('lone', [makeDisk('EMPTY', { table: 'gpt' })]));
    expect(await refused({ machineId: lone.machineId, backupKind: 'system' })).toBe('SYSTEM_NOT_FOUND');
  });
});
