/** Golden GPTs made by sgdisk and sfdisk, read by us; tables written by us, judged by sgdisk. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodePartitionTable, openWritableFileDevice } from '../index.ts';
import { readPartitionTable } from '../table/readPartitionTable.ts';
import { loopDevice } from '../testing/loopDevice.ts';
import { run } from '../testing/machine.ts';
import { missingNeeds, titled } from '../testing/missingNeeds.ts';
import { MIB, places, TABLE_TOOLS, tableImage } from '../testing/tableImage.ts';

const disk = tableImage();
const noTools = missingNeeds(...TABLE_TOOLS);
const noLoop = missingNeeds('root', 'loop devices', 'losetup') ?? noTools;

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
    disk.sgdisk('-U', '11223344-5566-7788-99AA-BBCCDDEEFF00', ...own, ...rest);
    goldenGpt = join(disk.folder, 'golden.img');
    copyFileSync(disk.path, goldenGpt);
  } else {
    copyFileSync(goldenGpt, disk.path);
  }
}

describe.skipIf(noTools !== null)(titled('GPT as sgdisk writes it', noTools), () => {
  beforeEach(makeGpt);

  it('is read whole', async () => {
    const table = await disk.read();
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
    expect(readFileSync(await disk.written(await disk.read(), 96 * MIB)).equals(disk.bytes())).toBe(true);
  });

  it('fits a larger and a smaller disk, by the word of sgdisk -v', async () => {
    const table = await disk.read();
    const larger = await disk.written(table, 5 * 1024 * MIB);
    expect(run('sgdisk', ['-v', larger])).toContain('No problems found');
    const smaller = { ...table, partitions: table.partitions.filter(({ number }) => number < 7) };
    const small = await disk.written(smaller, 46 * MIB);
    expect(run('sgdisk', ['-v', small])).toContain('No problems found');
    expect(run('sgdisk', ['-p', small])).toMatch(/\n {3}4 +75776 +92159 +8\.0 MiB +8300/);
    await expect(disk.written(table, 46 * MIB)).rejects.toMatchObject({ code: 'TABLE_DOES_NOT_FIT' });
  });

  it('is read from its backup when the primary is damaged, with a warning', async () => {
    const healthy = await disk.read();
    for (const [at, name] of [
      [512, 'header'],
      [1024, 'entries'],
    ] as const) {
      makeGptCopyOf();
      await disk.corrupt(at + 60, Buffer.from('damage'));
      const table = await disk.read();
      expect(table.source, name).toBe('backup');
      expect(table.warnings).toHaveLength(1);
      expect(table.warnings[0]).toContain('primary GPT is damaged');
      expect({ ...table, source: 'primary', warnings: [] }).toEqual(healthy);
      restoreImage();
    }
  });

  it('warns when the backup is damaged, differs, or is not at the end', async () => {
    await disk.corrupt(96 * MIB - 512, Buffer.alloc(512));
    expect((await disk.read()).warnings).toEqual([expect.stringContaining('backup GPT is missing or damaged')]);
    disk.sgdisk('-e');
    expect((await disk.read()).warnings).toEqual([]);
    truncateSync(disk.path, 100 * MIB);
    expect((await disk.read()).warnings).toEqual([expect.stringContaining('not at the end of the disk')]);
  });

  it('is found at the end of the partitioned part when only the backup lives and the disk grew', async () => {
    truncateSync(disk.path, 100 * MIB);
    await disk.corrupt(512, Buffer.alloc(512));
    const table = await disk.read();
    expect(table.source).toBe('backup');
    expect(table.warnings).toHaveLength(2);
  });

  it('is an error by code when neither copy proves', async () => {
    await disk.corrupt(512 + 60, Buffer.from('damage'));
    await disk.corrupt(96 * MIB - 512 + 60, Buffer.from('damage'));
    await expect(disk.read()).rejects.toMatchObject({ code: 'TABLE_DAMAGED', retry: 'never' });
    expect(await disk.fingerprint()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is ignored when the MBR says the disk was partitioned anew without it', async () => {
    const sector = disk.bytes().subarray(0, 512);
    sector.writeUInt8(0x83, 450);
    await disk.corrupt(0, sector);
    expect((await disk.read()).kind).toBe('mbr');
  });

  it('is still seen when the first sector was wiped', async () => {
    await disk.corrupt(0, Buffer.alloc(512));
    expect((await disk.read()).warnings).toEqual([expect.stringContaining('protective MBR is missing')]);
    await disk.corrupt(512, Buffer.alloc(512));
    await expect(disk.read()).rejects.toThrow('no table');
  });

  it('keeps boot code and a moved list of entries (boards with a boot loader at sector 2)', async () => {
    await disk.corrupt(0, Buffer.alloc(440, 0xc3));
    disk.sgdisk('-d', '1', '-j', '1024');
    const table = await disk.read();
    expect(table).toMatchObject({ kind: 'gpt', entriesOffsetBytes: 1024 * 512, bootCodeHex: 'c3'.repeat(440), warnings: [] });
    const copy = await disk.written(table, 96 * MIB);
    expect(run('sgdisk', ['-v', copy])).toContain('No problems found');
    expect(readFileSync(copy).subarray(0, 512).equals(disk.bytes().subarray(0, 512))).toBe(true);
  });

  it('reads a hybrid MBR as a GPT that is hybrid, and writes it back', async () => {
    disk.sgdisk('-h', '1:4');
    const table = await disk.read();
    expect(table).toMatchObject({ kind: 'gpt', hybrid: true, warnings: [] });
    expect(table.partitions).toHaveLength(4);
    expect(readFileSync(await disk.written(table, 96 * MIB)).equals(disk.bytes())).toBe(true);
  });

  let kept: Buffer = Buffer.alloc(0);
  function makeGptCopyOf(): void {
    kept = disk.bytes();
  }
  function restoreImage(): void {
    writeFileSync(disk.path, kept);
  }
});

describe.skipIf(noLoop !== null)(titled('4096-byte sectors', noLoop), () => {
  /** Runs sfdisk on the image through a loop device of 4096-byte sectors. */
  function sfdisk4k(script: string): void {
    const loop = loopDevice(disk.path, { sectorBytes: 4096 });
    try {
      run('sfdisk', ['-q', '--no-tell-kernel', loop.path], script);
    } finally {
      loop.detach();
    }
  }

  it('are found in a GPT read from a plain file', async () => {
    sfdisk4k('label: gpt\nstart=256, size=2560, type=U, name="EFI"\nsize=5120, type=L\n');
    const table = await disk.read();
    expect(table).toMatchObject({ kind: 'gpt', sectorBytes: 4096, warnings: [] });
    expect(places(table)).toEqual([
      [1, MIB, 10 * MIB],
      [2, 11 * MIB, 20 * MIB],
    ]);
  });

  it('are found in an MBR of a plain file by what lies where its partitions begin', async () => {
    sfdisk4k('label: dos\nstart=256, size=2560, type=83\nstart=4096, type=f\nstart=4352, size=2048, type=83\n');
    const table = await disk.read();
    expect(table.sectorBytes).toBe(4096);
    expect(places(table)).toEqual([
      [1, MIB, 10 * MIB],
      [2, 16 * MIB, 80 * MIB],
      [5, 17 * MIB, 8 * MIB],
    ]);
    expect(readFileSync(await disk.written(table, 96 * MIB)).equals(disk.bytes())).toBe(true);
  });

  it('are what a loop device with them says', async () => {
    const loop = loopDevice(disk.path, { sectorBytes: 4096 });
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
