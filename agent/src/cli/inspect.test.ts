/**
 * `inspect` beside the tools everybody trusts: kinds, labels and ids as blkid has them, used bytes as the tools of each filesystem
 * count them, logical volumes as LVM lists them. Everything is made by the real tools, here and now.
 */
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import {
  describeNeeding,
  handMadeVolumes,
  LVM_NEEDS,
  lvmTools,
  makeScratch,
  runTool,
  type Scratch,
} from '@diskfleet/filesystem/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { bundleDiskfleet, removeBundle, runDiskfleet } from '../testing/runDiskfleet.ts';

const MIB = 1 << 20;
const volumeShape = z.object({
  kind: z.string(),
  label: z.string(),
  uuid: z.string(),
  totalBytes: z.int(),
  usedBytes: z.int(),
  clean: z.boolean().nullable(),
  details: z.string().optional(),
  volumes: z.array(z.unknown()).optional(),
});
const inspectShape = z.object({
  table: z.string().nullable(),
  partitions: z.array(z.object({ number: z.int(), filesystem: volumeShape.nullable() })),
  filesystem: volumeShape.nullable(),
  warnings: z.array(z.string()),
});

interface Made {
  readonly kind: string;
  /** As blkid calls it. */
  readonly type: string;
  readonly tools: readonly string[];
  readonly sizeMib: number;
  readonly make: (image: string) => Promise<unknown>;
  /** What of it is used, as a tool of the filesystem counts. */
  readonly used?: (image: string) => Promise<number>;
}

const number = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);

async function usedOfExt(image: string): Promise<number> {
  const said = await runTool('dumpe2fs', ['-h', image]);
  return (
    (number(said, /^Block count:\s+(\d+)/m) - number(said, /^Free blocks:\s+(\d+)/m)) * number(said, /^Block size:\s+(\d+)/m)
  );
}

/** The sectors behind the last whole cluster, a copy of the first one among them, are in no map: they always count. */
async function usedOfNtfs(image: string): Promise<number> {
  const said = await runTool('ntfsinfo', ['-m', image]);
  const [clusterBytes, clusters] = [number(said, /Cluster Size: (\d+)/), number(said, /Volume Size in Clusters: (\d+)/)];
  const behindBytes = (await stat(image)).size - clusters * clusterBytes;
  return (clusters - number(said, /Free Clusters: (\d+)/)) * clusterBytes + behindBytes;
}

async function usedOfXfs(image: string): Promise<number> {
  const said = await runTool('xfs_db', ['-r', '-c', 'sb 0', '-c', 'p dblocks fdblocks blocksize', image]);
  return (number(said, /dblocks = (\d+)/) - number(said, /fdblocks = (\d+)/)) * number(said, /blocksize = (\d+)/);
}

/** Sectors behind the last whole cluster are in no map: they always count. */
async function usedOfFat(image: string): Promise<number> {
  const said = await runTool('fsck.fat', ['-nv', image]);
  const [before, data] = [number(said, /Data area starts at byte (\d+)/), number(said, /data clusters \((\d+) bytes/)];
  const behindBytes = (await stat(image)).size - before - data;
  return before + number(said, /files, (\d+)\//) * number(said, /(\d+) bytes per cluster/) + behindBytes;
}

async function usedOfExfat(image: string): Promise<number> {
  const said = await runTool('dump.exfat', [image]);
  const clusters = number(said, /Total Clusters:\s+(\d+)/) - number(said, /Free Clusters:\s+(\d+)/);
  return number(said, /Cluster Heap Offset .*:\s+(\d+)/) * 512 + clusters * number(said, /Cluster size:\s+(\d+)/);
}

/** As people are told: what is stored, each byte once, however many copies the volume keeps. */
async function usedOfBtrfs(image: string): Promise<number> {
  return number(await runTool('btrfs', ['inspect-internal', 'dump-super', image]), /^bytes_used\s+(\d+)/m);
}

const ext = (kind: string): Made => ({
  kind,
  type: kind,
  tools: ['mke2fs', 'dumpe2fs'],
  sizeMib: 24,
  make: (image) => runTool('mke2fs', ['-q', '-t', kind, '-L', 'my ext', image]),
  used: usedOfExt,
});
const fat = (bits: string, sizeMib: number): Made => ({
  kind: `fat${bits}`,
  type: 'vfat',
  tools: ['mkfs.fat', 'fsck.fat'],
  sizeMib,
  make: (image) => runTool('mkfs.fat', ['-F', bits, '-n', 'MY FAT', image]),
  used: usedOfFat,
});
const luks = (version: string, args: readonly string[]): Made => ({
  kind: `luks${version}`,
  type: 'crypto_LUKS',
  tools: ['cryptsetup'],
  sizeMib: 24,
  make: (image) =>
    runTool(
      'cryptsetup',
      ['luksFormat', '-q', '--type', `luks${version}`, ...args, '--pbkdf-force-iterations', '1000', image, '-'],
      {
        input: 'secret',
      },
    ),
});

const made: readonly Made[] = [
  ext('ext2'),
  ext('ext3'),
  ext('ext4'),
  {
    kind: 'ntfs',
    type: 'ntfs',
    tools: ['mkntfs', 'ntfsinfo'],
    sizeMib: 24,
    make: (image) => runTool('mkntfs', ['-q', '-F', '-L', 'my ntfs', image]),
    used: usedOfNtfs,
  },
  fat('12', 2),
  fat('16', 24),
  fat('32', 64),
  {
    kind: 'exfat',
    type: 'exfat',
    tools: ['mkfs.exfat', 'dump.exfat'],
    sizeMib: 24,
    make: (image) => runTool('mkfs.exfat', ['-L', 'my exfat', image]),
    used: usedOfExfat,
  },
  {
    kind: 'xfs',
    type: 'xfs',
    tools: ['mkfs.xfs', 'xfs_db'],
    sizeMib: 320,
    make: (image) => runTool('mkfs.xfs', ['-q', '-L', 'my xfs', image]),
    used: usedOfXfs,
  },
  {
    kind: 'btrfs',
    type: 'btrfs',
    tools: ['mkfs.btrfs', 'btrfs'],
    sizeMib: 128,
    make: (image) => runTool('mkfs.btrfs', ['-q', '-L', 'my btrfs', image]),
    used: usedOfBtrfs,
  },
  {
    kind: 'swap',
    type: 'swap',
    tools: ['mkswap'],
    sizeMib: 8,
    make: (image) => runTool('mkswap', ['-L', 'my swap', image]),
    used: async () => 4096,
  },
  luks('1', []),
  luks('2', ['--pbkdf', 'pbkdf2', '--label', 'my luks']),
  {
    kind: 'f2fs',
    type: 'f2fs',
    tools: ['mkfs.f2fs'],
    sizeMib: 64,
    make: (image) => runTool('mkfs.f2fs', ['-q', '-l', 'my f2fs', image]),
  },
  { kind: 'udf', type: 'udf', tools: ['mkfs.udf'], sizeMib: 8, make: (image) => runTool('mkfs.udf', ['-l', 'my udf', image]) },
];
const unread = new Set(['swap', 'luks1', 'luks2', 'f2fs', 'udf']);

async function inspect(path: string) {
  const ran = await runDiskfleet(['inspect', path, '--json']);
  return { code: ran.code, found: inspectShape.parse(ran.json()) };
}

/** `blkid -p` names the ambiguous as well, with an error. */
async function blkid(image: string, ...args: string[]): Promise<Record<string, string>> {
  const printed = await runTool('blkid', ['-p', '-o', 'export', ...args, image]);
  return Object.fromEntries(
    printed.split('\n').map((line) => [line.slice(0, line.indexOf('=')), plain(line.slice(line.indexOf('=') + 1))]),
  );
}

/** It prints a blank in a value with a stroke before it. */
function plain(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1');
}

const wanted = [...new Set(['blkid', ...made.flatMap(({ tools }) => tools)])];
describeNeeding({ tools: wanted }, 'inspect says what blkid and the tools of each filesystem say', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
    await bundleDiskfleet();
  });
  afterAll(async () => {
    await removeBundle();
    await scratch?.dispose();
  });

  test.each(made)('$kind', async ({ kind, type, sizeMib, make, used }) => {
    const image = await scratch.sparseFile(`${kind}.img`, sizeMib * MIB);
    await make(image);
    const { code, found } = await inspect(image);
    const said = await blkid(image);
    expect({ code, table: found.table, warnings: found.warnings }).toEqual({ code: 0, table: null, warnings: [] });
    expect(said.TYPE).toBe(type);
    expect(found.filesystem).toMatchObject({ kind, label: said.LABEL ?? '', uuid: said.UUID ?? '' });
    if (type === 'vfat') expect(said.VERSION?.toLowerCase()).toBe(kind);
    expect(found.filesystem?.clean).toBe(unread.has(kind) ? null : true);
    expect(found.filesystem?.totalBytes).toBeLessThanOrEqual(sizeMib * MIB);
    expect(found.filesystem?.totalBytes).toBeGreaterThan(sizeMib * MIB * 0.9);
    if (used) expect(found.filesystem?.usedBytes).toBe(await used(image));
  });

  test('how volumes are encrypted', async () => {
    expect((await inspect(scratch.path('luks1.img'))).found.filesystem?.details).toMatch(/^aes-xts-plain64, key of \d+ bits$/);
    expect((await inspect(scratch.path('luks2.img'))).found.filesystem?.details).toBe('aes-xts-plain64');
    expect((await runDiskfleet(['inspect', scratch.path('luks2.img')])).stdout).toMatch(/luks2 +my luks .* aes-xts-plain64/);
    const image = scratch.path('bitlocker.img');
    await writeFile(image, handMadeVolumes.bitlocker());
    expect((await inspect(image)).found.filesystem).toMatchObject({
      kind: 'bitlocker',
      uuid: '4d9b5a7c-1f2e-4a3b-8c6d-0123456789ab',
    });
  });

  test('for people: an aligned table, what is in no partition, warnings', async () => {
    const image = await scratch.sparseFile('disk.img', 64 * MIB);
    await runTool('sgdisk', ['-n', '1:2048:+24M', '-c', '1:system', '-n', '2:0:+8M', '-t', '2:8200', '-n', '3:0:+2M', image]);
    const disk = await open(image, 'r+');
    for (const [name, startMib] of [
      ['ext4.img', 1],
      ['swap.img', 25],
    ] as const) {
      const bytes = await readFile(scratch.path(name));
      // Not unmounted, as its superblock says.
      if (name === 'ext4.img') bytes.writeUInt16LE(0, 1024 + 58);
      await disk.write(bytes, 0, bytes.length, startMib * MIB);
    }
    await disk.close();
    const { stdout, code } = await runDiskfleet(['inspect', image]);
    expect(code).toBe(0);
    const [head = '', , header = '', ...rows] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/disk\.img: 64\.0 MiB, GPT [0-9a-f-]{36}, sectors of 512 bytes$/);
    expect(header).toMatch(/^NO +START +SIZE +TYPE +NAME +CONTENT +LABEL +UUID +USED +STATE$/);
    expect(rows[0]).toMatch(/^ 1 +1\.00 MiB +24\.0 MiB +Linux filesystem +system +ext4 +my ext +\S+ +\S+ \S+ +\d+ % +NOT CLEAN$/);
    expect(rows[1]).toMatch(/^ 2 +25\.0 MiB +8\.00 MiB +Linux swap +swap +my swap +\S+ +4\.00 KiB +0 %$/);
    expect(rows[2]).toMatch(/^ 3 +33\.0 MiB +2\.00 MiB +Linux filesystem +unknown$/);
    expect(rows.at(-1)).toBe('In no partition: 30.0 MiB');
    // Columns begin where their heads do.
    for (const [row, word] of [
      [rows[0], 'ext4'],
      [rows[1], 'swap'],
      [rows[2], 'unknown'],
    ] as const) {
      expect(row?.indexOf(` ${word}`, header.indexOf(' NAME'))).toBe(header.indexOf(' CONTENT'));
    }
    const empty = await scratch.sparseFile('empty.img', MIB);
    expect((await runDiskfleet(['inspect', empty])).stdout).toContain('no partition table');
    expect((await inspect(empty)).found).toMatchObject({ table: null, partitions: [], filesystem: null });
  });
});

describeNeeding(
  { ...LVM_NEEDS, tools: [...LVM_NEEDS.tools, 'mkfs.ext4', 'mkfs.xfs', 'sgdisk', 'blkid'] },
  'inspect looks into LVM',
  () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
      await bundleDiskfleet();
    });
    afterAll(async () => {
      await removeBundle();
      await scratch?.dispose();
    });

    test('volumes as LVM lists them, what is in them as blkid says', async () => {
      const image = await scratch.sparseFile('disk.img', 512 * MIB);
      await runTool('sgdisk', ['-n', '1:2048:+8M', '-n', '2:0:+480M', '-t', '2:8e00', image]);
      const start = 9 * MIB;
      const loop = await scratch.attach(image, { offsetBytes: start, lengthBytes: 480 * MIB });
      const tools = await lvmTools(scratch, [loop]);
      await tools.run('pvcreate', '-y', loop);
      await tools.run('vgcreate', '-y', 'office', loop);
      await tools.create('-L', '40m', '-n', 'root', 'office');
      await tools.create('-L', '320m', '-n', 'home', 'office');
      await tools.create('-L', '16m', '-n', 'empty', 'office');
      const rows = await tools.report('lvs', 'lv_full_name,lv_size,seg_start_pe,seg_pe_ranges', '-O', 'lv_name');
      const said = new Map<string, Record<string, string>>();
      for (const [name = '', size, , range] of rows) {
        const first = Number(/:(\d+)-/.exec(range ?? '')?.[1]);
        const offsetBytes = start + MIB + first * 4 * MIB;
        const volume = await scratch.attach(image, { offsetBytes, lengthBytes: Number(size) });
        if (name === 'office/root') await runTool('mkfs.ext4', ['-q', '-L', 'root', volume]);
        if (name === 'office/home') await runTool('mkfs.xfs', ['-q', '-L', 'home', volume]);
        if (name !== 'office/empty') said.set(name, await blkid(volume));
        await scratch.detach(volume);
      }
      const pv = await blkid(loop);
      const [[allocated] = []] = await tools.report('pvs', 'pv_used', loop);
      await scratch.detach(loop);
      const { code, found } = await inspect(image);
      expect(code).toBe(0);
      const lvm = found.partitions[1]?.filesystem;
      expect(lvm).toMatchObject({ kind: 'lvm2', uuid: pv.UUID, label: '', totalBytes: 480 * MIB, clean: true });
      // What is free inside of volumes is not used, though LVM has given it away.
      expect(lvm?.usedBytes).toBeLessThan(Number(allocated));
      const volumes = z
        .array(z.object({ name: z.string(), sizeBytes: z.int(), type: z.string(), filesystem: volumeShape.nullable() }))
        .parse(lvm?.volumes);
      expect(volumes.map(({ name, sizeBytes }) => [name, String(sizeBytes)]).sort()).toEqual(
        rows.map(([name, size]) => [name, size]).sort(),
      );
      for (const { name, filesystem } of volumes) {
        const { TYPE, LABEL, UUID } = said.get(name) ?? {};
        expect(filesystem && [filesystem.kind, filesystem.label, filesystem.uuid]).toEqual(
          TYPE === undefined ? null : [TYPE, LABEL, UUID],
        );
      }
      const { stdout } = await runDiskfleet(['inspect', image]);
      expect(stdout).toMatch(/^ +40\.0 MiB +linear +office\/root +ext4 +root /m);
    });
  },
);
