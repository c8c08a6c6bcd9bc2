/** Golden MBRs made by sfdisk, read by us; tables written by us, judged by sfdisk. */
import { readFileSync, truncateSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { memoryDevice } from '../index.ts';
import { readPartitionTable } from '../table/readPartitionTable.ts';
import { run } from '../testing/machine.ts';
import { missingNeeds, titled } from '../testing/missingNeeds.ts';
import { MIB, places, TABLE_TOOLS, tableImage } from '../testing/tableImage.ts';

const disk = tableImage();
const noTools = missingNeeds(...TABLE_TOOLS);

/** What sfdisk says of a disk, without the file's name. */
function dump(path: string): string {
  return run('sfdisk', ['--dump', path])
    .replaceAll(path, 'disk')
    .replace(/^device:.*\n/m, '');
}

const mbrScript = `label: dos
label-id: 0xdeadbeef
start=2048, size=20480, type=c, bootable
start=22528, size=2048, type=27
start=30720, size=120000, type=f
start=32768, size=4096, type=83
start=40960, size=8192, type=82
start=57344, size=8192, type=7
`;

describe.skipIf(noTools !== null)(titled('MBR as sfdisk writes it', noTools), () => {
  beforeEach(() => disk.sfdisk(mbrScript));

  it('is read with its logical partitions', async () => {
    const table = await disk.read();
    expect(table).toMatchObject({
      kind: 'mbr',
      sectorBytes: 512,
      diskId: 'deadbeef',
      source: 'primary',
      hybrid: false,
      warnings: [],
    });
    expect(table.partitions.map(({ number, role, type, typeName }) => [number, role, type, typeName])).toEqual([
      [1, 'primary', '0x0c', 'FAT32'],
      [2, 'primary', '0x27', 'Windows recovery'],
      [3, 'extended', '0x0f', 'Extended'],
      [5, 'logical', '0x83', 'Linux filesystem'],
      [6, 'logical', '0x82', 'Linux swap'],
      [7, 'logical', '0x07', 'Windows data'],
    ]);
    expect(places(table).at(-1)).toEqual([7, 57344 * 512, 8192 * 512]);
    expect(table.partitions.map(({ bootable }) => bootable)).toEqual([true, false, false, false, false, false]);
  });

  it('is written back byte for byte', async () => {
    await disk.corrupt(0, Buffer.alloc(440, 0x90));
    expect(readFileSync(await disk.written(await disk.read(), 96 * MIB)).equals(disk.bytes())).toBe(true);
  });

  it('gets fresh boot records for logical partitions that moved, as sfdisk sees them', async () => {
    const table = await disk.read();
    const moved = table.partitions.map((partition) =>
      partition.role === 'logical'
        ? { ...partition, startBytes: partition.startBytes + 512 * 512, ebrOffsetBytes: null }
        : partition,
    );
    const copy = await disk.written({ ...table, partitions: moved }, 90 * MIB);
    const lines = dump(copy).match(/^disk\d.*/gm) ?? [];
    expect(lines.map((line) => line.replaceAll(/\s+/g, ''))).toEqual([
      'disk1:start=2048,size=20480,type=c,bootable',
      'disk2:start=22528,size=2048,type=27',
      'disk3:start=30720,size=120000,type=f',
      'disk5:start=33280,size=4096,type=83',
      'disk6:start=41472,size=8192,type=82',
      'disk7:start=57856,size=8192,type=7',
    ]);
  });

  it('survives the deletion of its first logical partition', async () => {
    run('sfdisk', ['-q', '--delete', disk.path, '5']);
    const table = await disk.read();
    expect(table.partitions.filter(({ role }) => role === 'logical')).toHaveLength(2);
    const copy = await disk.written(table, 96 * MIB);
    expect(dump(copy)).toBe(dump(disk.path));
  });

  it('names a chain that runs in a circle, and one that is broken, and keeps the rest', async () => {
    const ebr = 40960 * 512 - MIB;
    const link = Buffer.alloc(16);
    link.writeUInt8(5, 4);
    link.writeUInt32LE(0, 8);
    link.writeUInt32LE(100, 12);
    await disk.corrupt(ebr + 446 + 16, link);
    const circle = await disk.read();
    expect(circle.warnings).toEqual([expect.stringContaining('circle')]);
    expect(circle.partitions.map(({ number }) => number)).toEqual([1, 2, 3, 5, 6]);
    await disk.corrupt(ebr + 510, Buffer.from([0, 0]));
    expect((await disk.read()).warnings).toEqual([expect.stringContaining('broken')]);
  });

  it('cuts what reaches past the end, drops what lies behind it, names overlaps', async () => {
    const slot = disk.bytes().subarray(446, 462);
    slot.writeUInt32LE(30_000, 12);
    await disk.corrupt(446, slot);
    expect((await disk.read()).warnings).toEqual(['Partitions 1 and 2 overlap.', 'Partitions 1 and 3 overlap.']);
    slot.writeUInt32LE(0x7fffffff, 12);
    await disk.corrupt(446, slot);
    const long = await disk.read();
    expect(long.warnings).toContain('Partition 1 reaches past the end of the disk; only the part on the disk is seen.');
    expect(long.partitions[0]).toMatchObject({ startBytes: MIB, sizeBytes: 95 * MIB });
    slot.writeUInt32LE(0x7fffff00, 8);
    await disk.corrupt(446, slot);
    expect((await disk.read()).partitions.map(({ number }) => number)).not.toContain(1);
  });
});

describe.skipIf(noTools !== null)(titled('a disk without a table', noTools), () => {
  const tableOf = async (bytes: Uint8Array) => readPartitionTable(memoryDevice(bytes));

  it('is null: empty, tiny, or noise', async () => {
    expect(await tableOf(Buffer.alloc(MIB))).toBeNull();
    expect(await tableOf(Buffer.alloc(100, 0xff))).toBeNull();
    expect(await tableOf(Buffer.alloc(MIB, 0x5a))).toBeNull();
  });

  it.each([
    ['mkfs.fat', ['-F', '32', '--mbr=no']],
    ['mkfs.fat', ['-F', '16', '--mbr=yes']],
    ['mkfs.fat', ['-F', '12', '-S', '4096']],
    ['mkfs.ntfs', ['-Q', '-F', '-q']],
    ['mkfs.ext4', ['-q', '-F']],
  ])('is null: one filesystem from its first byte on (%s %j)', async (tool, args) => {
    run(tool, [...args, disk.path]);
    await expect(disk.read()).rejects.toThrow('no table');
  });

  it('has a table of no partitions when sfdisk made an empty one', async () => {
    disk.sfdisk('label: dos\n');
    expect(await disk.read()).toMatchObject({ kind: 'mbr', partitions: [] });
    truncateSync(disk.path, 0);
    truncateSync(disk.path, 96 * MIB);
    disk.sgdisk('-o');
    expect(await disk.read()).toMatchObject({ kind: 'gpt', partitions: [] });
  });
});
