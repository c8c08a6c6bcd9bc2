import { readFileSync } from 'node:fs';
import { memoryDevice } from '@diskfleet/disk';
import { groupText, handMadeVolumes, linear, MEMBER_IDS, physicalVolume } from '@diskfleet/filesystem/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { MIB, makeVolume, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import { readUsedDisk } from './readUsedDisk.ts';

const missing = missingTools();
const title =
  missing.length === 0 ? 'volumes used before' : `volumes used before (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  afterAll(() => harness.close());
  const make = (kind: 'ext4' | 'ntfs' | 'esp', sizeMib: number) => {
    makeVolume(harness.path('volume'), { sizeMib, kind });
    return readFileSync(harness.path('volume'));
  };

  test('FAT32 over ext4: the superblock stays where FAT has nothing, so whatever reads it, all is taken', async () => {
    const old = make('ext4', 40);
    const young = make('esp', 40);
    // mkfs.fat leaves the sectors between its boot sectors and its first table as they are.
    old.copy(young, 1024, 1024, 2048);
    const { layout, usedBytes } = await readUsedDisk(memoryDevice(young));
    expect(usedBytes).toBe(40 * MIB);
    expect(layout.warnings).toEqual([expect.stringMatching(/marks of ext4 and of fat32/)]);
  });

  test('ext4 behind the boot sector of NTFS or FAT', async () => {
    for (const [kind, named] of [
      ['ntfs', 'ntfs'],
      ['esp', 'fat32'],
    ] as const) {
      const before = make(kind, 40);
      const now = make('ext4', 40);
      before.copy(now, 0, 0, 512);
      const { layout, usedBytes } = await readUsedDisk(memoryDevice(now));
      expect(usedBytes).toBe(40 * MIB);
      expect(layout.warnings).toEqual([expect.stringContaining(`ext4 and of ${named}`)]);
    }
  });

  test('a damaged filesystem and a physical volume on one place: all of it is taken, the volumes are shown', async () => {
    const group = physicalVolume(MEMBER_IDS[0] ?? '', 31, groupText([31], [linear('data', 'pv0', 4, 8)]));
    make('ext4', 32).copy(group, 1024, 1024, 2048);
    group.writeUInt32LE(0, 1024 + 32);
    const { layout, usedBytes } = await readUsedDisk(memoryDevice(group));
    expect(usedBytes).toBe(32 * MIB);
    expect(layout.filesystem?.volumes).toMatchObject([{ name: 'office/data' }]);
    expect(layout.warnings.join()).toMatch(/cannot be read/);
  });

  test('a physical volume on RAID 1 shows its volumes, and is taken whole', async () => {
    const group = physicalVolume(MEMBER_IDS[0] ?? '', 31, groupText([31], [linear('data', 'pv0', 4, 8)]));
    const raid = handMadeVolumes.raid1x(2 * MIB - 8192);
    // Its superblock is 8 KiB before the end of the partition.
    const partition = Buffer.concat([group, raid.subarray(MIB)]);
    partition.writeBigUInt64LE(BigInt((partition.length - 8192) / 512), partition.length - 8192 + 144);
    const { layout, usedBytes } = await readUsedDisk(memoryDevice(partition));
    expect(usedBytes).toBe(33 * MIB);
    expect(layout.filesystem?.volumes).toMatchObject([{ name: 'office/data' }]);
    expect(layout.warnings).toEqual([expect.stringContaining('lvm2 and of linux-raid')]);
  });

  test('one filesystem alone is in no doubt', async () => {
    for (const kind of ['ext4', 'ntfs', 'esp'] as const) {
      const { layout, usedBytes } = await readUsedDisk(memoryDevice(make(kind, 40)));
      expect(layout.warnings).toEqual([]);
      expect(usedBytes).toBeLessThan(20 * MIB);
    }
  });

  test('what is encrypted or a physical volume now is that, and not what a copy of an old header says', async () => {
    const group = physicalVolume(MEMBER_IDS[0] ?? '', 31, groupText([31], [linear('data', 'pv0', 4, 8)]));
    const luks = Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'), Buffer.alloc(1016)]);
    for (const { kind, bytes, usedMib } of [
      { kind: 'luks1', bytes: luks, usedMib: 32 },
      // Three checksums agree that this is a volume group: its map is believed.
      { kind: 'lvm2', bytes: group.subarray(0, 6144), usedMib: 1 + 8 },
    ]) {
      // exFAT keeps a second set of boot sectors from sector 12 on; its first one is gone.
      runTool('truncate', ['-s', '32M', harness.path('exfat')]);
      runTool('mkfs.exfat', [harness.path('exfat')]);
      const volume = readFileSync(harness.path('exfat'));
      bytes.copy(volume);
      const { layout, usedBytes } = await readUsedDisk(memoryDevice(volume));
      expect(layout.filesystem?.kind).toBe(kind);
      expect(usedBytes).toBe(usedMib * MIB);
    }
    // Encrypted bytes are noise, and stay it.
    expect((await readUsedDisk(memoryDevice(noise(MIB, 1)))).layout.filesystem).toBeNull();
  });
});
