/** What every platform owes the rest of the agent, whatever it runs on. */
import { access } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Platform } from '../platform/types.ts';

export function platformContract(makePlatform: () => Promise<Platform> | Platform): void {
  test('names the machine', async () => {
    const { hostname, os, hardware, timeZone } = await (await makePlatform()).machine();
    expect(hostname).not.toBe('');
    expect(os.platform).not.toBe('');
    expect(hardware.memoryBytes).toBeGreaterThan(0);
    expect(hardware.cores).toBeGreaterThan(0);
    expect(timeZone).not.toBe('');
  });

  test('gives every disk a key of its own, a path, a size and a sector size', async () => {
    const { disks } = await (await makePlatform()).look();
    expect(new Set(disks.map(({ key }) => key)).size).toBe(disks.length);
    for (const disk of disks) {
      expect(disk.key.length).toBeGreaterThan(0);
      expect(disk.key.length).toBeLessThanOrEqual(160);
      expect(disk.path.startsWith('/')).toBe(true);
      expect(disk.sizeBytes).toBeGreaterThan(0);
      expect([512, 4096]).toContain(disk.sectorBytes);
    }
  });

  test('says why disks were left out, exactly when they were', async () => {
    const { canReadDisks, limitation } = await (await makePlatform()).look();
    expect(limitation === null).toBe(canReadDisks);
  });

  test('a system disk or a mounted one is never free to be overwritten', async () => {
    for (const { use } of (await (await makePlatform()).look()).disks) {
      if (use.isSystemDisk || use.mounts.length > 0) expect(use.busyReason).not.toBeNull();
    }
  });

  test('says the same of a disk in the list and by its path', async () => {
    const view = await (await makePlatform()).look();
    for (const { path, use } of view.disks) {
      // A made-up PC has no such device to look up.
      if (await exists(path)) expect(await view.useOf(path)).toEqual(use);
    }
  });

  test('nobody uses what does not exist', async () => {
    const view = await (await makePlatform()).look();
    expect(await view.useOf('/no/such/disk')).toEqual({ isSystemDisk: false, busyReason: null, mounts: [] });
  });

  test('looking twice finds the same', async () => {
    const platform = await makePlatform();
    const keys = async () => (await platform.look()).disks.map(({ key }) => key);
    expect(await keys()).toEqual(await keys());
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
