import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type BlockDevice, DiskError, type Extent, intersectExtents, memoryDevice, sumBytes } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import { copyInto, MIB, makeDisk, makeTree, makeVolume, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import { placeOf } from './placeOf.ts';
import { readLayout } from './readLayout.ts';
import { readUsedDisk } from './readUsedDisk.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'used bytes' : `used bytes (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

const usedIn = (used: readonly Extent[], fromMib: number, toMib: number) =>
  sumBytes(intersectExtents(used, [{ offsetBytes: fromMib * MIB, lengthBytes: (toMib - fromMib) * MIB }]));

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  afterAll(() => harness.close());
  mkdirSync(harness.path('tree'));
  makeTree(harness.path('tree'));
  const tree = harness.path('tree');
  const load = (name: string): BlockDevice => memoryDevice(readFileSync(harness.path(name)));

  test('a volume with the marks of two kinds is taken whole, and still explored', async () => {
    makeVolume(harness.path('twice'), { sizeMib: 30, kind: 'ext4', tree });
    const bytes = readFileSync(harness.path('twice'));
    const plain = await readUsedDisk(memoryDevice(bytes));
    expect(plain.usedBytes).toBeLessThan(bytes.length);
    // A RAID 1.0 superblock left at the end by an earlier life of the disk (or is ext4 what is left?).
    const at = Math.floor((bytes.length / 512 - 16) / 8) * 4096;
    bytes.writeUInt32LE(0xa92b4efc, at);
    bytes.writeUInt32LE(1, at + 4);
    bytes.writeBigUInt64LE(BigInt(at / 512), at + 144);
    const doubted = await readUsedDisk(memoryDevice(bytes));
    expect(doubted.usedBytes).toBe(bytes.length);
    expect(doubted.layout.warnings).toEqual([expect.stringMatching(/marks of ext4 and of linux-raid/)]);
    expect(doubted.layout.filesystem?.kind).toBe('ext4');
  });

  test('bad sectors where a filesystem begins or where marks would stand: all of it is taken, and still explored', async () => {
    makeDisk(harness.path('bad'), 60, { kind: 'gpt', parts: [{ sizeMib: 40, kind: 'ext4', tree }] });
    const disk = load('bad');
    // The superblock, which has a copy; where btrfs would have its mark; both the superblock and its copies.
    const copies = [1, 3].map((group) => MIB + (1 + group * 8192) * 1024);
    const superblock = MIB + 1024;
    for (const [bad, kind, warning] of [
      [[superblock], 'ext4', /marks of ext4 and of something that cannot be read/],
      [[MIB + 65_536], 'ext4', /marks of ext4 and of something that cannot be read/],
      [[superblock, ...copies], null, /cannot be read, so all of it counts as used/],
    ] as const) {
      const device: BlockDevice = {
        ...disk,
        async read(offsetBytes, target) {
          const hit = bad.some((at) => offsetBytes < at + 512 && at < offsetBytes + target.length);
          if (hit) throw new DiskError('DISK_READ_FAILED', 'a bad sector', { retry: 'later' });
          await disk.read(offsetBytes, target);
        },
      };
      const found = await readUsedDisk(device);
      expect(usedIn(found.usedExtents, 1, 41)).toBe(40 * MIB);
      expect(found.layout.warnings.join()).toMatch(warning);
      expect(found.layout.partitions[0]?.filesystem?.kind ?? null).toBe(kind);
    }
  });

  test('tables, gaps, the tail behind a filesystem and unknown partitions are taken whole; of a filesystem only what it uses', async () => {
    makeDisk(harness.path('disk'), 120, {
      kind: 'gpt',
      parts: [
        { sizeMib: 40, kind: 'ext4', tree },
        { sizeMib: 3, kind: 'raw' },
        { sizeMib: 16, kind: 'ntfs' },
      ],
    });
    // A filesystem that fills 30 of 40 MiB.
    makeVolume(harness.path('volume'), { sizeMib: 30, kind: 'ext4', tree });
    copyInto(harness.path('volume'), harness.path('disk'), MIB);
    const { usedExtents: used, layout, usedBytes } = await readUsedDisk(load('disk'));
    expect(layout.warnings).toEqual([]);
    expect(layout.partitions.map(({ filesystem }) => filesystem?.kind ?? null)).toEqual(['ext4', null, 'ntfs']);
    expect(usedIn(used, 0, 1)).toBe(MIB);
    const ext = usedIn(used, 1, 31);
    expect(ext).toBeGreaterThan(9 * MIB);
    expect(ext).toBeLessThan(20 * MIB);
    expect(ext).toBe(layout.partitions[0]?.filesystem?.usedBytes);
    expect(usedIn(used, 31, 41)).toBe(10 * MIB);
    expect(usedIn(used, 41, 44)).toBe(3 * MIB);
    expect(usedIn(used, 44, 60)).toBeLessThan(6 * MIB);
    // NTFS keeps a copy of its boot sector in the last sector of the partition, behind the volume it describes.
    expect(sumBytes(intersectExtents(used, [{ offsetBytes: 60 * MIB - 512, lengthBytes: 512 }]))).toBe(512);
    // The unpartitioned rest is large: its ends only.
    expect(usedIn(used, 60, 120)).toBe(2 * MIB);
    expect(usedBytes).toBe(sumBytes(used));
    const all = await readUsedDisk(load('disk'), { sectorBySector: true });
    expect(all.usedExtents).toEqual([{ offsetBytes: 0, lengthBytes: 120 * MIB }]);
    expect(all.layout.fingerprint).toBe(layout.fingerprint);
  });

  test('a filesystem that claims more than its partition holds is taken whole and named', async () => {
    makeDisk(harness.path('cut'), 30, { kind: 'gpt', parts: [{ sizeMib: 12, kind: 'raw' }] });
    makeVolume(harness.path('volume'), { sizeMib: 20, kind: 'ext4' });
    writeFileSync(harness.path('volume'), readFileSync(harness.path('volume')).subarray(0, 12 * MIB));
    copyInto(harness.path('volume'), harness.path('cut'), MIB);
    const { usedExtents: used, layout } = await readUsedDisk(load('cut'));
    expect(usedIn(used, 1, 13)).toBe(12 * MIB);
    expect(layout.warnings.join()).toContain('partition 1');
  });

  test('a damaged group descriptor: the run goes on, takes more rather than less, and says so', async () => {
    makeDisk(harness.path('damaged'), 60, { kind: 'gpt', parts: [{ sizeMib: 48, kind: 'ext4', tree }] });
    const sound = await readUsedDisk(load('damaged'));
    const bytes = readFileSync(harness.path('damaged'));
    noise(1024, 3).copy(bytes, MIB + 2048);
    const { usedExtents: used, layout } = await readUsedDisk(memoryDevice(bytes));
    expect(layout.warnings.length).toBeGreaterThan(0);
    expect(usedIn(used, 1, 49)).toBeGreaterThanOrEqual(usedIn(sound.usedExtents, 1, 49));
  });

  test('a damaged GPT whose copies both fail: the whole disk counts as used', async () => {
    makeDisk(harness.path('no-table'), 20, { kind: 'gpt', parts: [{ sizeMib: 8, kind: 'raw' }] });
    const bytes = readFileSync(harness.path('no-table'));
    bytes.fill(7, 560, 580);
    bytes.fill(7, bytes.length - 460, bytes.length - 440);
    const { usedBytes, layout } = await readUsedDisk(memoryDevice(bytes));
    expect(layout.table).toBe(null);
    expect(layout.warnings.join()).toContain('partition table');
    expect(usedBytes).toBe(20 * MIB);
  });

  test('what has no reader is named; of swap space its header is kept, of anything else all of it', async () => {
    const swap = harness.path('swap');
    writeFileSync(swap, Buffer.alloc(8 * MIB));
    runTool('mkswap', ['-L', 'paging', swap]);
    const secret = noise(4 * MIB, 5);
    secret.write('LUKS\xba\xbe\0\x02', 0, 'latin1');
    secret.fill(0, 8, 512);
    secret.write('vault', 24);
    const asleep = readFileSync(swap);
    asleep.write('S1SUSPEND\0', 4086, 'latin1');
    makeDisk(harness.path('kinds'), 40, {
      kind: 'gpt',
      parts: [
        // One MiB more than its header speaks of.
        { sizeMib: 9, kind: 'raw', bytes: readFileSync(swap) },
        { sizeMib: 8, kind: 'raw', bytes: asleep },
        { sizeMib: 4, kind: 'raw', bytes: secret },
      ],
    });
    const { usedExtents: used, layout } = await readUsedDisk(load('kinds'));
    expect(layout.warnings).toEqual([]);
    expect(layout.partitions.map(({ filesystem }) => filesystem)).toMatchObject([
      { kind: 'swap', label: 'paging', totalBytes: 8 * MIB, usedBytes: 4096, clean: null },
      { kind: 'swsuspend', label: 'paging', totalBytes: 8 * MIB, usedBytes: 8 * MIB, clean: null },
      { kind: 'luks2', label: 'vault', uuid: '', totalBytes: 4 * MIB, usedBytes: 4 * MIB, clean: null },
    ]);
    expect(usedIn(used, 1, 9)).toBe(4096);
    expect(usedIn(used, 9, 10)).toBe(MIB);
    expect(usedIn(used, 10, 18)).toBe(8 * MIB);
    expect(usedIn(used, 18, 22)).toBe(4 * MIB);
    const all = await readUsedDisk(load('kinds'), { sectorBySector: true });
    expect(all.usedBytes).toBe(40 * MIB);
  });

  test('a disk without a table is named too, and a stale swap header never hides a damaged filesystem', async () => {
    makeVolume(harness.path('ext'), { sizeMib: 12, kind: 'ext4' });
    const bytes = readFileSync(harness.path('ext'));
    // The magic stays, the geometry makes no sense: its reader refuses it.
    bytes.fill(0xff, 1024 + 8, 1024 + 56);
    bytes.write('SWAPSPACE2', 4086, 'latin1');
    bytes.writeUInt32LE(1, 1024);
    bytes.writeUInt32LE(12 * 256 - 1, 1028);
    const damaged = await readUsedDisk(memoryDevice(bytes));
    expect(damaged.usedBytes).toBe(12 * MIB);
    const secret = Buffer.alloc(2 * MIB);
    secret.write('LUKS\xba\xbe\0\x01', 0, 'latin1');
    expect((await readLayout(memoryDevice(secret))).filesystem).toMatchObject({ kind: 'luks1', usedBytes: 2 * MIB });
  });

  test('a volume its reader refuses is named all the same, with the reason', async () => {
    // An exFAT volume of 8 MiB of which 1 MiB is left, less than it has before its first cluster.
    const boot = Buffer.alloc(MIB);
    boot.write('\xeb\x76\x90EXFAT   ', 0, 'latin1');
    boot.writeBigUInt64LE(16_384n, 72);
    for (const [at, value] of [
      [80, 128],
      [84, 64],
      [88, 4096],
      [92, 1000],
      [96, 4],
      [100, 0x1234abcd],
      [104, 0x100],
      [108, 0x010309],
    ] as const) {
      boot.writeUInt32LE(value, at);
    }
    boot.writeUInt16LE(0xaa55, 510);
    const { layout, usedBytes } = await readUsedDisk(memoryDevice(boot));
    expect(layout.filesystem).toMatchObject({ kind: 'exfat', uuid: '1234-ABCD', usedBytes: MIB });
    expect(layout.warnings).toEqual([expect.stringContaining('cut off')]);
    expect(usedBytes).toBe(MIB);
  });

  test('bytes of a disk have places with names', async () => {
    makeDisk(harness.path('named'), 20, { kind: 'gpt', parts: [{ sizeMib: 8, kind: 'ext4' }] });
    const layout = await readLayout(load('named'));
    expect(placeOf(layout, 3 * MIB)).toBe(`partition 1 (Linux filesystem), byte ${2 * MIB} of it`);
    expect(placeOf(layout, 15 * MIB)).toBe('outside of all partitions');
    expect(runTool('sgdisk', ['-p', harness.path('named')]).toLowerCase()).toContain(layout.tableId);
  });
});
