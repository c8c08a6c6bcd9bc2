import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDevice, readBytes } from '@diskfleet/disk';
import { readUsedDisk } from '@diskfleet/engine';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeDisk, makeDisk, smallDisk, windowsOf } from '../images/disk.ts';
import { canLoop, run, withLoop, withMount } from '../images/tools.ts';
import { type Fleet, type Member, startFleet } from './fleet.ts';

const plan = smallDisk('fleet');

/** SHA-256 over the used bytes of a disk, as our used map sees them; free space does not count. */
async function usedHash(path: string, extentsOf = path): Promise<string> {
  const device = await openFileDevice(path);
  const layoutDevice = extentsOf === path ? device : await openFileDevice(extentsOf);
  const hash = createHash('sha256');
  for (const extent of (await readUsedDisk(layoutDevice)).usedExtents) {
    for (let done = 0; done < extent.lengthBytes; done += 8 << 20) {
      hash.update(await readBytes(device, extent.offsetBytes + done, Math.min(8 << 20, extent.lengthBytes - done)));
    }
  }
  await device.close();
  if (layoutDevice !== device) await layoutDevice.close();
  return hash.digest('hex');
}

describe.skipIf(!canLoop && !process.env.CI)('a fleet of three (needs root for loop devices)', () => {
  let folder: string;
  let fleet: Fleet;
  let vaultId: string;
  const members: Member[] = [];
  const points: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-disks-'));
    fleet = await startFleet();
    vaultId = await fleet.createVault();
    for (const [index, name] of ['anna', 'bert', 'cleo'].entries()) {
      const system = join(folder, `${name}-system.img`);
      await makeDisk(system, { ...plan, seed: `fleet-${index}` });
      const spare = join(folder, `${name}-spare.img`);
      const tiny = join(folder, `${name}-tiny.img`);
      await run('truncate', ['-s', `${plan.sizeMib + 64}M`, spare]);
      await run('truncate', ['-s', '64M', tiny]);
      members.push(
        await fleet.addMember(name, [
          { path: system, serial: `SYS-${name}`, model: 'Fake SSD', isSystemDisk: true },
          { path: spare, serial: `SPARE-${name}-7Q4Z`, model: 'Fake HDD' },
          { path: tiny, serial: `TINY-${name}`, model: 'Fake stick' },
        ]),
      );
    }
  });
  afterAll(async () => {
    await fleet?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('each machine shows its own disks, partitions and filesystems', async () => {
    for (const member of members) {
      const machine = await fleet.api.machines.get.query({ id: member.id });
      expect(machine.inventory.disks.map((disk) => disk.serial)).toEqual([
        `SYS-${member.name}`,
        `SPARE-${member.name}-7Q4Z`,
        `TINY-${member.name}`,
      ]);
      expect(machine.inventory.disks[0]?.partitions.map((partition) => partition.filesystem?.kind)).toEqual([
        'fat32',
        'ext4',
        'ntfs',
      ]);
      expect(machine.protection).toBe('never');
    }
  });

  test('all three back up at once into one vault', async () => {
    const jobs = await Promise.all(
      members.map((member) =>
        fleet.api.jobs.backupNow.mutate({
          machineId: member.id,
          diskKeys: [`serial:SYS-${member.name}`],
          vaultId,
          method: 'full',
        }),
      ),
    );
    for (const [index, job] of jobs.entries()) {
      const done = await fleet.waitJob(job.id);
      expect(done.failure).toBeNull();
      expect(done.state).toBe('succeeded');
      expect(done.machineId).toBe(members[index]?.id);
      points.push(done.pointId ?? '');
    }
    const overview = await fleet.api.overview.get.query();
    expect(overview.counts).toMatchObject({ protected: 3, never: 0, total: 3 });
    expect((await fleet.api.points.list.query({ vaultId })).length).toBe(3);
  });

  test('an unchanged disk adds next to nothing; a changed one adds what changed', async () => {
    const [anna] = members;
    if (!anna) throw new Error('no anna');
    const backup = async () => {
      const job = await fleet.api.jobs.backupNow.mutate({
        machineId: anna.id,
        diskKeys: ['serial:SYS-anna'],
        vaultId,
        method: 'incremental',
      });
      const done = await fleet.waitJob(job.id);
      expect(done.failure).toBeNull();
      if (done.result?.kind !== 'backup') throw new Error('no backup result');
      return done.result;
    };
    const unchanged = await backup();
    expect(unchanged.method).toBe('incremental');
    expect(unchanged.storedBytes).toBeLessThan(1 << 20);
    await changeDisk(anna.disks[0]?.path ?? '', { ...plan, seed: 'fleet-0' }, 1);
    const changed = await backup();
    expect(changed.newBytes).toBeGreaterThan(100_000);
    expect(changed.newBytes).toBeLessThan(unchanged.usedBytes / 3);
    points.push(changed.pointId);
  });

  test('explore lists what the mounted disk lists, and a download is the file', async () => {
    const [anna] = members;
    const pointId = points[3] ?? '';
    const [, ext] = windowsOf(plan);
    await withLoop(anna?.disks[0]?.path ?? '', ext, (device) =>
      withMount(device, 'ext4', 'ro,noload', async (mount) => {
        const page = await fleet.api.explorer.list.query({ pointId, diskIndex: 0, path: '/2/var' });
        expect(page.entries.map((entry) => entry.name).sort()).toEqual(['access.log', 'db.bin']);
        const file = join(mount, 'var/db.bin');
        expect(page.entries.find((entry) => entry.name === 'db.bin')?.sizeBytes).toBe(statSync(file).size);
        const address = `${fleet.serverUrl}/download/file?point=${pointId}&disk=0&path=${encodeURIComponent('/2/var/db.bin')}`;
        const answer = await fetch(address, { headers: { authorization: `Bearer ${await fleet.bearer()}` } });
        expect(answer.status).toBe(200);
        expect(Buffer.from(await answer.arrayBuffer()).equals(readFileSync(file))).toBe(true);
        const part = await fetch(address, {
          headers: { authorization: `Bearer ${await fleet.bearer()}`, range: 'bytes=1000-1999' },
        });
        expect(part.status).toBe(206);
        expect(Buffer.from(await part.arrayBuffer()).equals(readFileSync(file).subarray(1000, 2000))).toBe(true);
        expect((await fetch(address)).status).toBe(403);
      }),
    );
  });

  test('one machine’s point is restored to another machine’s disk: used bytes equal, filesystems clean', async () => {
    const [anna, bert] = members;
    if (!anna || !bert) throw new Error('no members');
    const target = bert.disks[1]?.path ?? '';
    const planned = await fleet.api.restores.plan.mutate({
      pointId: points[3] ?? '',
      diskIndex: 0,
      machineId: bert.id,
      target: { kind: 'disk', diskKey: 'serial:SPARE-bert-7Q4Z' },
    });
    expect(planned.fits).toBe(true);
    expect(planned.confirmText).toBe('bert 7Q4Z');
    await expect(fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: 'bert 7Q4' })).rejects.toThrow();
    const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
    const done = await fleet.waitJob(job.id);
    expect(done.failure).toBeNull();
    expect(done.state).toBe('succeeded');
    const source = anna.disks[0]?.path ?? '';
    // The backup table moved to the end of the bigger disk: compare the partitions' bytes.
    const copy = join(folder, 'copy.img');
    copyFileSync(target, copy);
    await run('sgdisk', ['-v', copy]);
    const [esp, ext, ntfs] = windowsOf(plan);
    for (const window of [esp, ext, ntfs]) {
      await withLoop(copy, window, async (device) => {
        if (window.kind === 'ext4') await run('e2fsck', ['-fn', device]);
        if (window.kind === 'ntfs') await run('ntfsfix', ['-n', device]);
        if (window.kind === 'fat32') await run('fsck.fat', ['-n', device]);
      });
    }
    const inner = async (path: string) => {
      const device = await openFileDevice(path);
      const used = (await readUsedDisk(device)).usedExtents.filter(
        (extent) => extent.offsetBytes >= esp.offsetBytes && extent.offsetBytes < ntfs.offsetBytes + ntfs.sizeBytes,
      );
      const hash = createHash('sha256');
      for (const extent of used)
        hash
          .update(`${extent.offsetBytes}+${extent.lengthBytes}`)
          .update(await readBytes(device, extent.offsetBytes, extent.lengthBytes));
      await device.close();
      return hash.digest('hex');
    };
    expect(await inner(target)).toBe(await inner(source));
  });

  test('a plan is refused when the target changed since, and nothing is written', async () => {
    const [, , cleo] = members;
    if (!cleo) throw new Error('no cleo');
    const target = cleo.disks[1]?.path ?? '';
    const planned = await fleet.api.restores.plan.mutate({
      pointId: points[0] ?? '',
      diskIndex: 0,
      machineId: cleo.id,
      target: { kind: 'disk', diskKey: 'serial:SPARE-cleo-7Q4Z' },
    });
    await run('sgdisk', ['-o', '-n', '1:2048:+10M', '-c', '1:precious', target]);
    const before = createHash('sha256').update(readFileSync(target)).digest('hex');
    const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
    const done = await fleet.waitJob(job.id);
    expect(done.state).toBe('failed');
    expect(['TARGET_CHANGED', 'PLAN_CHANGED']).toContain(done.failure?.code);
    expect(createHash('sha256').update(readFileSync(target)).digest('hex')).toBe(before);
  });

  test('the system disk is refused as a target', async () => {
    const [anna] = members;
    if (!anna) throw new Error('no anna');
    const planned = await fleet.api.restores.plan
      .mutate({
        pointId: points[0] ?? '',
        diskIndex: 0,
        machineId: anna.id,
        target: { kind: 'disk', diskKey: 'serial:SYS-anna' },
      })
      .catch((error: Error) => error);
    if (planned instanceof Error) return expect(planned.message).not.toBe('');
    expect(planned.fits).toBe(false);
    await expect(fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText })).rejects.toThrow();
  });

  test('a target that is too small is refused with the size needed', async () => {
    const [, bert] = members;
    if (!bert) throw new Error('no bert');
    const planned = await fleet.api.restores.plan.mutate({
      pointId: points[0] ?? '',
      diskIndex: 0,
      machineId: bert.id,
      target: { kind: 'disk', diskKey: 'serial:TINY-bert' },
    });
    expect(planned.fits).toBe(false);
    expect(planned.reasons.map((reason) => reason.code)).toContain('TARGET_TOO_SMALL');
  });

  test('a point is restored to a new disk file: used bytes identical', async () => {
    const [, bert] = members;
    if (!bert) throw new Error('no bert');
    const source = bert.disks[0]?.path ?? '';
    const planned = await fleet.api.restores.plan.mutate({
      pointId: points[1] ?? '',
      diskIndex: 0,
      machineId: bert.id,
      target: { kind: 'newFile', fileName: 'bert-copy.img' },
    });
    expect(planned.fits).toBe(true);
    const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
    expect((await fleet.waitJob(job.id)).failure).toBeNull();
    const copy = join(bert.folder, 'disks', 'bert-copy.img');
    expect(existsSync(copy)).toBe(true);
    expect(await usedHash(copy)).toBe(await usedHash(source));
  });

  test('files are put back on another machine', async () => {
    const [anna, , cleo] = members;
    if (!anna || !cleo) throw new Error('no members');
    const destination = join(folder, 'put-back');
    const job = await fleet.api.jobs.restoreFiles.mutate({
      machineId: cleo.id,
      pointId: points[0] ?? '',
      diskIndex: 0,
      paths: ['/2/home/small'],
      destination,
      overwrite: 'never',
    });
    const done = await fleet.waitJob(job.id);
    expect(done.failure).toBeNull();
    if (done.result?.kind !== 'restoreFiles') throw new Error('no result');
    expect(done.result.files).toBe(plan.smallFiles);
  });

  test('a PC with real block devices: a loop device is backed up and restored to another', async () => {
    const [source, target] = [join(folder, 'loop-source.img'), join(folder, 'loop-target.img')];
    await makeDisk(source, { ...plan, seed: 'fleet-loop' });
    await run('truncate', ['-s', `${plan.sizeMib}M`, target]);
    await withLoop(source, null, (sourceDevice) =>
      withLoop(target, null, async (targetDevice) => {
        const dora = await fleet.addMember('dora', [], { DISKFLEET_PLATFORM: 'real' });
        const { disks } = (await fleet.api.machines.get.query({ id: dora.id })).inventory;
        const keyOf = (path: string) => disks.find((disk) => disk.path === path)?.key ?? `${path} is not in the inventory`;
        expect(disks.find((disk) => disk.path === sourceDevice)?.partitions).toHaveLength(3);
        const diskKeys = [keyOf(sourceDevice)];
        const backup = await fleet.api.jobs.backupNow.mutate({ machineId: dora.id, diskKeys, vaultId, method: 'full' });
        const point = await fleet.waitJob(backup.id);
        expect(point.failure).toBeNull();
        const planned = await fleet.api.restores.plan.mutate({
          pointId: point.pointId ?? '',
          diskIndex: 0,
          machineId: dora.id,
          target: { kind: 'disk', diskKey: keyOf(targetDevice) },
        });
        const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
        expect((await fleet.waitJob(job.id)).failure).toBeNull();
        await dora.agent.stop();
      }),
    );
    expect(await usedHash(target)).toBe(await usedHash(source));
  });

  test('verify finds the vault sound, and the audit chain holds', async () => {
    const [anna] = members;
    if (!anna) throw new Error('no anna');
    const job = await fleet.api.jobs.verify.mutate({ machineId: anna.id, vaultId, level: 'content', pointId: null });
    const done = await fleet.waitJob(job.id);
    expect(done.failure).toBeNull();
    if (done.result?.kind !== 'verify') throw new Error('no result');
    expect(done.result.damaged).toEqual([]);
    expect(done.result.checkedBytes).toBeGreaterThan(10_000_000);
    expect(await fleet.api.audit.verify.mutate()).toMatchObject({ ok: true, brokenAtSeq: null });
  });
});
