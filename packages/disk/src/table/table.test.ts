/** Golden tables made by sgdisk and sfdisk, read by us; tables written by us, judged by sgdisk and sfdisk. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type BlockDevice,
  encodePartitionTable,
  layoutFingerprint,
  memoryDevice,
  openFileDevice,
  openWritableFileDevice,
} from '../index.ts';
import { loopDevice } from '../testing/loopDevice.ts';
import { run, scratchFolder } from '../testing/machine.ts';
import { missingNeeds, titled } from '../testing/missingNeeds.ts';
import type { PartitionTable } from './partitionTable.ts';
import { readPartitionTable } from './readPartitionTable.ts';

const MIB = 1 << 20;
const scratch = scratchFolder();
const folder = scratch.path;
afterAll(scratch.remove);
const noTools = missingNeeds('sgdisk', 'sfdisk', 'mkfs.fat', 'mkfs.ntfs', 'mkfs.ext4');
const noLoop = missingNeeds('root', 'loop devices', 'losetup') ?? noTools;
let image = '';
let images = 0;
beforeEach(() => {
  images += 1;
  image = join(folder, `table-${images}.img`);
  writeFileSync(image, '');
  truncateSync(image, 96 * MIB);
});

function sgdisk(...args: string[]): string {
  return run('sgdisk', [...args, image]);
}

function sfdisk(script: string, ...args: string[]): void {
  run('sfdisk', ['-q', ...args, image], script);
}

/** What sfdisk says of a disk, without the file's name. */
function dump(path: string): string {
  return run('sfdisk', ['--dump', path])
    .replaceAll(path, 'disk')
    .replace(/^device:.*\n/m, '');
}

async function read(): Promise<PartitionTable> {
  const device = await openFileDevice(image);
  try {
    const table = await readPartitionTable(device);
    if (table === null) throw new Error('no table was found');
    return table;
  } finally {
    await device.close();
  }
}

async function fingerprint(): Promise<string> {
  const device = await openFileDevice(image);
  try {
    return await layoutFingerprint(device);
  } finally {
    await device.close();
  }
}

/** Writes `table` to a fresh file and returns its path. */
async function written(table: PartitionTable, sizeBytes: number): Promise<string> {
  const path = `${image}.${sizeBytes}.copy`;
  const writes = encodePartitionTable(table, sizeBytes);
  const device = await openWritableFileDevice(path, { createSizeBytes: sizeBytes });
  for (const { offsetBytes, bytes } of writes) await device.write(offsetBytes, bytes);
  await device.close();
  return path;
}

async function corrupt(offsetBytes: number, bytes: Uint8Array): Promise<void> {
  const device = await openWritableFileDevice(image);
  await device.write(offsetBytes, bytes);
  await device.close();
}

const places = (table: PartitionTable) =>
  table.partitions.map(({ number, startBytes, sizeBytes }) => [number, startBytes, sizeBytes]);

/** One run of sgdisk serves all tests: it waits for every disk of the machine to sync. */
let goldenGpt = '';
function makeGpt(): void {
  if (goldenGpt === '') {
    const own = ['-n', '1:2048:+20M', '-t', '1:ef00', '-c', '1:ESP é 🦊', '-u', '1:01234567-89AB-CDEF-0123-456789ABCDEF'];
    const rest = [
      '-n',
      '2:0:+16M',
      '-t',
      '2:0c01',
      '-n',
      '4:0:+8M',
      '-t',
      '4:8300',
      '-A',
      '4:set:2',
      '-A',
      '4:set:63',
      '-n',
      '7:0:0',
      '-t',
      '7:0700',
    ];
    sgdisk('-U', '11223344-5566-7788-99AA-BBCCDDEEFF00', ...own, ...rest);
    goldenGpt = join(folder, 'golden.img');
    copyFileSync(image, goldenGpt);
  } else {
    copyFileSync(goldenGpt, image);
  }
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

describe.skipIf(noTools !== null)(titled('GPT as sgdisk writes it', noTools), () => {
  beforeEach(makeGpt);

  it('is read whole', async () => {
    const table = await read();
    expect(table).toMatchObject({
      kind: 'gpt',
      sectorBytes: 512,
      diskId: '11223344-5566-7788-99aa-bbccddeeff00',
      source: 'primary',
      hybrid: false,
      warnings: [],
      mbrSignature: '00000000',
    });
    expect(places(table)).toEqual([
      [1, MIB, 20 * MIB],
      [2, 21 * MIB, 16 * MIB],
      [4, 37 * MIB, 8 * MIB],
      [7, 45 * MIB, 51 * MIB - 33 * 512],
    ]);
    expect(table.partitions[0]).toMatchObject({
      type: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
      typeName: 'EFI system',
      id: '01234567-89ab-cdef-0123-456789abcdef',
      name: 'ESP é 🦊',
      bootable: false,
      attributes: '0',
    });
    expect(table.partitions[2]).toMatchObject({ bootable: true, attributes: String((1n << 2n) | (1n << 63n)) });
    expect(table.partitions.map(({ typeName }) => typeName)).toEqual([
      'EFI system',
      'Microsoft reserved',
      'Linux filesystem',
      'Windows data',
    ]);
  });

  it('is written back byte for byte', async () => {
    expect(readFileSync(await written(await read(), 96 * MIB)).equals(readFileSync(image))).toBe(true);
  });

  it('fits a larger and a smaller disk, by the word of sgdisk -v', async () => {
    const table = await read();
    const larger = await written(table, 5 * 1024 * MIB);
    expect(run('sgdisk', ['-v', larger])).toContain('No problems found');
    const smaller = { ...table, partitions: table.partitions.filter(({ number }) => number < 7) };
    const small = await written(smaller, 46 * MIB);
    expect(run('sgdisk', ['-v', small])).toContain('No problems found');
    expect(run('sgdisk', ['-p', small])).toMatch(/\n {3}4 +75776 +92159 +8\.0 MiB +8300/);
    await expect(written(table, 46 * MIB)).rejects.toMatchObject({ code: 'TABLE_DOES_NOT_FIT' });
  });

  it('is read from its backup when the primary is damaged, with a warning', async () => {
    const healthy = await read();
    for (const [at, name] of [
      [512, 'header'],
      [1024, 'entries'],
    ] as const) {
      makeGptCopyOf();
      await corrupt(at + 60, Buffer.from('damage'));
      const table = await read();
      expect(table.source, name).toBe('backup');
      expect(table.warnings).toHaveLength(1);
      expect(table.warnings[0]).toContain('primary GPT is damaged');
      expect({ ...table, source: 'primary', warnings: [] }).toEqual(healthy);
      restoreImage();
    }
  });

  it('warns when the backup is damaged, differs, or is not at the end', async () => {
    await corrupt(96 * MIB - 512, Buffer.alloc(512));
    expect((await read()).warnings).toEqual([expect.stringContaining('backup GPT is missing or damaged')]);
    sgdisk('-e');
    expect((await read()).warnings).toEqual([]);
    truncateSync(image, 100 * MIB);
    expect((await read()).warnings).toEqual([expect.stringContaining('not at the end of the disk')]);
  });

  it('is found at the end of the partitioned part when only the backup lives and the disk grew', async () => {
    truncateSync(image, 100 * MIB);
    await corrupt(512, Buffer.alloc(512));
    const table = await read();
    expect(table.source).toBe('backup');
    expect(table.warnings).toHaveLength(2);
  });

  it('is an error by code when neither copy proves', async () => {
    await corrupt(512 + 60, Buffer.from('damage'));
    await corrupt(96 * MIB - 512 + 60, Buffer.from('damage'));
    await expect(read()).rejects.toMatchObject({ code: 'TABLE_DAMAGED', retry: 'never' });
    expect(await fingerprint()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is ignored when the MBR says the disk was partitioned anew without it', async () => {
    const sector = readFileSync(image).subarray(0, 512);
    sector.writeUInt8(0x83, 450);
    await corrupt(0, sector);
    expect((await read()).kind).toBe('mbr');
  });

  it('is still seen when the first sector was wiped', async () => {
    await corrupt(0, Buffer.alloc(512));
    expect((await read()).warnings).toEqual([expect.stringContaining('protective MBR is missing')]);
    await corrupt(512, Buffer.alloc(512));
    await expect(read()).rejects.toThrow('no table');
  });

  it('keeps boot code and a moved list of entries (boards with a boot loader at sector 2)', async () => {
    await corrupt(0, Buffer.alloc(440, 0xc3));
    sgdisk('-d', '1', '-j', '1024');
    const table = await read();
    expect(table).toMatchObject({ kind: 'gpt', entriesOffsetBytes: 1024 * 512, bootCodeHex: 'c3'.repeat(440), warnings: [] });
    const copy = await written(table, 96 * MIB);
    expect(run('sgdisk', ['-v', copy])).toContain('No problems found');
    expect(readFileSync(copy).subarray(0, 512).equals(readFileSync(image).subarray(0, 512))).toBe(true);
  });

  it('reads a hybrid MBR as a GPT that is hybrid, and writes it back', async () => {
    sgdisk('-h', '1:4');
    const table = await read();
    expect(table).toMatchObject({ kind: 'gpt', hybrid: true, warnings: [] });
    expect(table.partitions).toHaveLength(4);
    expect(readFileSync(await written(table, 96 * MIB)).equals(readFileSync(image))).toBe(true);
  });

  let kept: Buffer = Buffer.alloc(0);
  function makeGptCopyOf(): void {
    kept = readFileSync(image);
  }
  function restoreImage(): void {
    writeFileSync(image, kept);
  }
});

describe.skipIf(noLoop !== null)(titled('4096-byte sectors', noLoop), () => {
  /** Runs sfdisk on the image through a loop device of 4096-byte sectors. */
  function sfdisk4k(script: string): void {
    const loop = loopDevice(image, { sectorBytes: 4096 });
    try {
      run('sfdisk', ['-q', '--no-tell-kernel', loop.path], script);
    } finally {
      loop.detach();
    }
  }

  it('are found in a GPT read from a plain file', async () => {
    sfdisk4k('label: gpt\nstart=256, size=2560, type=U, name="EFI"\nsize=5120, type=L\n');
    const table = await read();
    expect(table).toMatchObject({ kind: 'gpt', sectorBytes: 4096, warnings: [] });
    expect(places(table)).toEqual([
      [1, MIB, 10 * MIB],
      [2, 11 * MIB, 20 * MIB],
    ]);
  });

  it('are found in an MBR of a plain file by what lies where its partitions begin', async () => {
    sfdisk4k('label: dos\nstart=256, size=2560, type=83\nstart=4096, type=f\nstart=4352, size=2048, type=83\n');
    const table = await read();
    expect(table.sectorBytes).toBe(4096);
    expect(places(table)).toEqual([
      [1, MIB, 10 * MIB],
      [2, 16 * MIB, 80 * MIB],
      [5, 17 * MIB, 8 * MIB],
    ]);
    expect(readFileSync(await written(table, 96 * MIB)).equals(readFileSync(image))).toBe(true);
  });

  it('are what a loop device with them says', async () => {
    const loop = loopDevice(image, { sectorBytes: 4096 });
    try {
      run('sgdisk', ['-n', '1:0:+8M', '-n', '2:0:0', loop.path]);
      const device = await openWritableFileDevice(loop.path);
      const table = await readPartitionTable(device);
      expect(table).toMatchObject({ kind: 'gpt', sectorBytes: 4096, warnings: [] });
      for (const { offsetBytes, bytes } of encodePartitionTable(table ?? fail(), device.sizeBytes))
        await device.write(offsetBytes, bytes);
      await device.flush();
      await device.close();
      expect(run('sgdisk', ['-v', loop.path])).toContain('No problems found');
    } finally {
      loop.detach();
    }
  });
});

function fail(): never {
  throw new Error('no table was found');
}

describe.skipIf(noTools !== null)(titled('MBR as sfdisk writes it', noTools), () => {
  beforeEach(() => sfdisk(mbrScript));

  it('is read with its logical partitions', async () => {
    const table = await read();
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
    await corrupt(0, Buffer.alloc(440, 0x90));
    expect(readFileSync(await written(await read(), 96 * MIB)).equals(readFileSync(image))).toBe(true);
  });

  it('gets fresh boot records for logical partitions that moved, as sfdisk sees them', async () => {
    const table = await read();
    const moved = table.partitions.map((partition) =>
      partition.role === 'logical'
        ? { ...partition, startBytes: partition.startBytes + 512 * 512, ebrOffsetBytes: null }
        : partition,
    );
    const copy = await written({ ...table, partitions: moved }, 90 * MIB);
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
    run('sfdisk', ['-q', '--delete', image, '5']);
    const table = await read();
    expect(table.partitions.filter(({ role }) => role === 'logical')).toHaveLength(2);
    const copy = await written(table, 96 * MIB);
    expect(dump(copy)).toBe(dump(image));
  });

  it('names a chain that runs in a circle, and one that is broken, and keeps the rest', async () => {
    const ebr = 40960 * 512 - MIB;
    const link = Buffer.alloc(16);
    link.writeUInt8(5, 4);
    link.writeUInt32LE(0, 8);
    link.writeUInt32LE(100, 12);
    await corrupt(ebr + 446 + 16, link);
    const circle = await read();
    expect(circle.warnings).toEqual([expect.stringContaining('circle')]);
    expect(circle.partitions.map(({ number }) => number)).toEqual([1, 2, 3, 5, 6]);
    await corrupt(ebr + 510, Buffer.from([0, 0]));
    expect((await read()).warnings).toEqual([expect.stringContaining('broken')]);
  });

  it('cuts what reaches past the end, drops what lies behind it, names overlaps', async () => {
    const slot = readFileSync(image).subarray(446, 462);
    slot.writeUInt32LE(30_000, 12);
    await corrupt(446, slot);
    expect((await read()).warnings).toEqual(['Partitions 1 and 2 overlap.', 'Partitions 1 and 3 overlap.']);
    slot.writeUInt32LE(0x7fffffff, 12);
    await corrupt(446, slot);
    const long = await read();
    expect(long.warnings).toContain('Partition 1 reaches past the end of the disk; only the part on the disk is seen.');
    expect(long.partitions[0]).toMatchObject({ startBytes: MIB, sizeBytes: 95 * MIB });
    slot.writeUInt32LE(0x7fffff00, 8);
    await corrupt(446, slot);
    expect((await read()).partitions.map(({ number }) => number)).not.toContain(1);
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
    run(tool, [...args, image]);
    await expect(read()).rejects.toThrow('no table');
  });

  it('has a table of no partitions when sfdisk made an empty one', async () => {
    sfdisk('label: dos\n');
    expect(await read()).toMatchObject({ kind: 'mbr', partitions: [] });
    truncateSync(image, 0);
    truncateSync(image, 96 * MIB);
    sgdisk('-o');
    expect(await read()).toMatchObject({ kind: 'gpt', partitions: [] });
  });
});

describe.skipIf(noTools !== null)(titled('the layout fingerprint', noTools), () => {
  it('follows the table, the size and the sector size, and nothing else', async () => {
    makeGpt();
    const first = await fingerprint();
    await corrupt(50 * MIB, Buffer.from('content of a partition'));
    expect(await fingerprint()).toBe(first);
    sgdisk('-c', '2:renamed');
    const renamed = await fingerprint();
    expect(renamed).not.toBe(first);
    await corrupt(96 * MIB - 512, Buffer.alloc(8));
    expect(await fingerprint()).not.toBe(renamed);
    const device: BlockDevice = await openFileDevice(image, { sectorBytes: 4096 });
    expect(await layoutFingerprint(device)).not.toBe(await fingerprint());
    await device.close();
  });

  it('sees changed boot records of logical partitions, and content where there is no table', async () => {
    const empty = await fingerprint();
    await corrupt(MIB - 1, Buffer.from([1]));
    expect(await fingerprint()).not.toBe(empty);
    sfdisk(mbrScript);
    const first = await fingerprint();
    run('sfdisk', ['-q', '--part-type', image, '6', '83']);
    expect(await fingerprint()).not.toBe(first);
  });
});
