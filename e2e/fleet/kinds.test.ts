import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noise, writeNoise } from '../images/content.ts';
import { makeDisk, type PartitionWindow, smallDisk, windowsOf } from '../images/disk.ts';
import { canLoop, run, withLoop, withMount } from '../images/tools.ts';
import { type Fleet, type Member, startFleet } from './fleet.ts';

const plan = smallDisk('kinds');
const [esp, root, data] = windowsOf(plan);
const diskKey = 'serial:SYS-eve-1A2B';

/** Of every byte of a partition, used or not. */
function hashOf(path: string, { offsetBytes, sizeBytes }: PartitionWindow): string {
  const file = openSync(path, 'r');
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(4 << 20);
  for (let done = 0; done < sizeBytes; ) {
    const count = readSync(file, buffer, 0, Math.min(buffer.length, sizeBytes - done), offsetBytes + done);
    hash.update(buffer.subarray(0, count));
    done += count;
  }
  closeSync(file);
  return hash.digest('hex');
}

function overwrite(path: string, { offsetBytes }: PartitionWindow, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offsetBytes);
  closeSync(file);
}

describe.skipIf(!canLoop && !process.env.CI)('backups of a system and of partitions (needs root for loop devices)', () => {
  let folder: string;
  let fleet: Fleet;
  let vaultId: string;
  let eve: Member;
  let disk: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-kinds-'));
    disk = join(folder, 'system.img');
    await makeDisk(disk, plan);
    await withLoop(disk, root, (device) =>
      withMount(device, 'ext4', 'nodiscard', async (mount) => {
        await run('mkdir', ['-p', join(mount, 'etc')]);
        writeFileSync(join(mount, 'etc/os-release'), 'NAME="Test Linux"\n');
        writeFileSync(
          join(mount, 'etc/fstab'),
          'PARTLABEL=root / ext4 defaults 0 1\nPARTLABEL=data /srv/data ntfs defaults 0 0\n',
        );
      }),
    );
    const other = join(folder, 'other.img');
    await run('truncate', ['-s', '32M', other]);
    await run('mkfs.ext4', ['-q', '-F', '-L', 'films', other]);
    fleet = await startFleet();
    vaultId = await fleet.createVault();
    eve = await fleet.addMember('eve', [
      { path: disk, serial: 'SYS-eve-1A2B' },
      { path: other, serial: 'FILMS-eve' },
    ]);
  });
  afterAll(async () => {
    await fleet?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function backUp(input: Partial<Parameters<Fleet['api']['jobs']['backupNow']['mutate']>[0]>): Promise<string> {
    const job = await fleet.api.jobs.backupNow.mutate({ machineId: eve.id, vaultId, method: 'full', ...input });
    const done = await fleet.waitJob(job.id);
    expect(done.failure).toBeNull();
    return done.pointId ?? '';
  }

  async function restoreOver(pointId: string): Promise<string[]> {
    const target = { kind: 'disk', diskKey } as const;
    const planned = await fleet.api.restores.plan.mutate({ pointId, diskIndex: 0, machineId: eve.id, target });
    expect(planned.reasons).toEqual([]);
    const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
    expect((await fleet.waitJob(job.id)).failure).toBeNull();
    expect(await run('sgdisk', ['-v', disk])).toContain('No problems found');
    return planned.partitions.map(({ action }) => action);
  }

  test('a system: shown before it starts, restored over a disk whose data has changed, the data untouched', async () => {
    const shown = await fleet.api.jobs.planBackup.query({ machineId: eve.id, backupKind: 'system' });
    expect(shown.problem).toBeNull();
    expect(shown.disks.map(({ key }) => key)).toEqual([diskKey]);
    expect(shown.disks[0]?.partitions.map(({ included, why }) => `${included} ${why}`)).toEqual([
      'true EFI system partition: the firmware starts the PC from it',
      'true its system mounts it at /',
      'false data: its system mounts it at /srv/data',
    ]);
    expect(shown.leftOutDisks.map(({ key }) => key)).toEqual(['serial:FILMS-eve']);
    const pointId = await backUp({ backupKind: 'system' });
    const point = await fleet.api.points.get.query({ id: pointId });
    expect(point.kind).toBe('system');
    expect(point.disks[0]?.partitions.map(({ content }) => content ?? 'here')).toEqual(['here', 'here', 'leftOut']);
    const systemThen = hashOf(disk, esp);

    overwrite(disk, esp, noise(2 << 20, 'broken'));
    overwrite(disk, root, noise(8 << 20, 'broken too'));
    await withLoop(disk, data, (device) =>
      withMount(device, 'ntfs', 'big_writes', async (mount) => writeNoise(join(mount, 'Users/since.bin'), 3 << 20, 'since')),
    );
    const dataNow = hashOf(disk, data);
    expect(await restoreOver(pointId)).toEqual(['overwrite', 'overwrite', 'keep']);
    expect(hashOf(disk, data)).toBe(dataNow);
    await withLoop(disk, data, (device) => run('ntfsfix', ['-n', device]));
    expect(hashOf(disk, esp)).toBe(systemThen);
    await withLoop(disk, root, (device) => run('e2fsck', ['-fn', device]));
  });

  test('one partition: goes back alone, and what the point does not hold is not shown as empty', async () => {
    const pointId = await backUp({ backupKind: 'partition', disks: [{ key: diskKey, partitions: [data.number] }] });
    await withLoop(disk, root, (device) =>
      withMount(device, 'ext4', 'nodiscard', async (mount) => writeNoise(join(mount, 'home/since.bin'), 2 << 20, 'since')),
    );
    const others = [hashOf(disk, esp), hashOf(disk, root)];
    overwrite(disk, data, noise(1 << 20, 'lost'));
    expect(await restoreOver(pointId)).toEqual(['keep', 'keep', 'overwrite']);
    expect([hashOf(disk, esp), hashOf(disk, root)]).toEqual(others);
    await withLoop(disk, data, (device) => run('ntfsfix', ['-n', device]));
    const top = await fleet.api.explorer.list.query({ pointId, diskIndex: 0, path: '/' });
    expect(top.entries.map(({ browsable, leftOut }) => `${browsable} ${leftOut ?? false}`)).toEqual([
      'false true',
      'false true',
      'true false',
    ]);
    const refused = await fleet.api.explorer.list.query({ pointId, diskIndex: 0, path: '/2/home' }).then(
      () => '',
      (error: unknown) => JSON.stringify(error),
    );
    expect(refused).toContain('PARTITION_LEFT_OUT');
  });
});
