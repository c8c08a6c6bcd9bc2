/** The same round trip over real block devices (loop): O_DIRECT, exclusive opening, and media that fail. */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { alignedBuffer, openFileDevice } from '@diskfleet/disk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { backup } from './backup/backup.ts';
import { SourceReader } from './backup/sourceReader.ts';
import { readUsedDisk } from './layout/readUsedDisk.ts';
import { planRestore } from './restore/planRestore.ts';
import { restore } from './restore/restore.ts';
import { MIB, makeDisk, makeTree, missingTools, noise, runTool } from './testing/diskImages.ts';
import { firstDifference, Harness } from './testing/harness.ts';

function whyNot(): string | null {
  const missing = missingTools();
  if (missing.length > 0) return `this machine lacks ${missing.join(', ')}`;
  if (process.getuid?.() !== 0) return 'loop devices need root';
  try {
    runTool('losetup', ['-f']);
    return null;
  } catch {
    return 'this machine has no loop devices';
  }
}
const reason = whyNot();
const title = reason === null ? 'block devices' : `block devices (skipped: ${reason})`;
if (process.env.CI !== undefined && process.getuid?.() === 0 && reason !== null) throw new Error(title);

describe.skipIf(reason !== null)(title, () => {
  const harness = new Harness();
  const attached: string[] = [];
  const attach = (name: string): string => {
    const device = runTool('losetup', ['-f', '--show', harness.path(name)]).trim();
    attached.push(device);
    return device;
  };
  const blank = (name: string, sizeMib: number): string => {
    writeFileSync(harness.path(name), '');
    truncateSync(harness.path(name), sizeMib * MIB);
    return attach(name);
  };
  const request = (path: string, source: string) => ({
    ...harness.request([], { source }),
    disks: [{ path, name: 'the loop disk', model: '', serial: 'L1' }],
  });
  const guards = { whyForbidden: async () => null };

  beforeAll(() => {
    mkdirSync(harness.path('tree'));
    makeTree(harness.path('tree'));
    makeDisk(harness.path('disk'), 64, { kind: 'gpt', parts: [{ sizeMib: 48, kind: 'ext4', tree: harness.path('tree') }] });
  });
  afterEach(() => {
    for (const device of attached.splice(0)) runTool('losetup', ['-d', device]);
  });
  afterAll(() => harness.close());

  test('from one disk to a larger one, past the page cache on both', async () => {
    const source = attach('disk');
    const target = blank('target', 80);
    const vault = await harness.openVault();
    const { point } = await backup(vault, request(source, 'loop'), harness.operation());
    const plan = await planRestore(vault, {
      pointId: point.id,
      diskIndex: 0,
      target: { path: target, name: 'target', serial: '' },
    });
    expect(plan).toMatchObject({ fits: true, losses: [], target: { create: false, sizeBytes: 80 * MIB } });
    await restore(vault, { plan, confirmedHash: plan.planHash, compare: 'all', guards }, harness.operation());
    const device = await openFileDevice(source);
    const { usedExtents } = await readUsedDisk(device);
    await device.close();
    const inside = usedExtents.filter(({ offsetBytes }) => offsetBytes >= MIB && offsetBytes < 49 * MIB);
    expect(firstDifference(source, target, inside)).toBe(null);
    expect(runTool('sgdisk', ['-v', target])).toContain('No problems found');
  });

  test('sectors of 4096 bytes: to a file and back to such a disk, never to one with sectors of 512', async () => {
    writeFileSync(harness.path('native'), '');
    truncateSync(harness.path('native'), 64 * MIB);
    const source = runTool('losetup', ['-f', '--show', '-b', '4096', harness.path('native')]).trim();
    attached.push(source);
    runTool('sgdisk', ['-n', '1:256:12287', '-c', '1:native', source]);
    const vault = await harness.openVault();
    const { point } = await backup(vault, request(source, 'native'), harness.operation());
    const planTo = (path: string) =>
      planRestore(vault, { pointId: point.id, diskIndex: 0, target: { path, name: 'x', serial: '' } });
    const refused = await planTo(blank('small sectors', 64));
    expect(refused.reasons.map(({ code }) => code)).toEqual(['TARGET_SECTOR_MISMATCH']);
    const plan = await planTo(harness.path('native-restored'));
    expect(plan.target.sectorBytes).toBe(4096);
    await restore(vault, { plan, confirmedHash: plan.planHash, compare: 'all', guards }, harness.operation());
    const restored = runTool('losetup', ['-f', '--show', '-b', '4096', harness.path('native-restored')]).trim();
    attached.push(restored);
    expect(runTool('sgdisk', ['-v', restored])).toContain('No problems found');
    expect(firstDifference(source, restored, [{ offsetBytes: 0, lengthBytes: 64 * MIB }])).toBe(null);
  });

  test('a target that is mounted or held is refused and left as it is', async () => {
    const target = blank('held', 80);
    runTool('mke2fs', ['-q', '-t', 'ext4', target]);
    mkdirSync(harness.path('mnt'));
    runTool('mount', [target, harness.path('mnt')]);
    try {
      const vault = await harness.openVault();
      const { point } = await backup(vault, request(harness.path('disk'), 'loop'), harness.operation());
      const plan = await planRestore(vault, {
        pointId: point.id,
        diskIndex: 0,
        target: { path: target, name: 'held', serial: '' },
      });
      expect(plan.losses[0]?.filesystem).toBe('ext4');
      const run = restore(vault, { plan, confirmedHash: plan.planHash, guards }, harness.operation());
      await expect(run).rejects.toMatchObject({ code: 'DISK_BUSY' });
    } finally {
      runTool('umount', [harness.path('mnt')]);
    }
    runTool('e2fsck', ['-fn', target]);
  });

  test('a medium that fails is an error that names partition and byte; no point is made', async () => {
    makeDisk(harness.path('failing'), 64, { kind: 'mbr', parts: [{ sizeMib: 60, kind: 'raw', bytes: noise(8 * MIB, 6) }] });
    const source = attach('failing');
    // The drive loses everything behind 20 MiB: a loop device answers such reads with EIO.
    truncateSync(harness.path('failing'), 20 * MIB);
    const vault = await harness.openVault();
    const run = backup(vault, request(source, 'failing'), harness.operation());
    const place = `the loop disk cannot be read at byte ${20 * MIB}`;
    await expect(run).rejects.toMatchObject({ code: 'DISK_READ_FAILED', message: expect.stringContaining(place) });
    await expect(run).rejects.toThrow(`partition 1 (Linux filesystem), byte ${19 * MIB} of it`);
    const { points } = await vault.listPoints();
    expect(points.map(({ source: name }) => name)).not.toContain('failing');
  });
});

test('a place that cannot be read is tried sector by sector and then named', () => {
  // Reading the memory of a process where nothing is mapped fails like a bad sector does: EIO.
  const source = { path: '/proc/self/mem', name: 'the disk', sizeBytes: MIB, sectorBytes: 512 };
  const reader = new SourceReader(source, 3, { nextData: (_file, offsetBytes) => offsetBytes });
  const read = () => reader.read(alignedBuffer(MIB), 0, { from: 5000, to: 9000 });
  expect(read).toThrow(expect.objectContaining({ code: 'DISK_READ_FAILED', disk: 3, offsetBytes: 4096 }));
  reader.close();
});
