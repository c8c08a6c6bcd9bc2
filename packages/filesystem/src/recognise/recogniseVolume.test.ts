import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { memoryDevice, openFileDevice, sliceDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openFilesystem } from '../readers.ts';
import { failingDevice, guardedDevice, lacking, makeScratch, runTool, type Scratch, seededRandom } from '../testing/index.ts';
import { recogniseVolume } from './recogniseVolume.ts';
import { bcache, bcachefs, bitlocker, bitlockerToGo, hfsplus, raid1x, raid090, refs, swapOf, zfs } from './testing/handMade.ts';

const MIB = 1 << 20;

interface Made {
  readonly kind: string;
  /** What blkid calls it. */
  readonly type: string;
  readonly tool: string;
  /** Not among the packages infra/test-deps.sh installs: skipped by name even in CI. */
  readonly rare?: boolean;
  readonly sizeBytes?: number;
  readonly totalBytes?: number;
  readonly label?: string;
  readonly make: (image: string, folder: string) => Promise<unknown>;
}

const cryptsetup = (image: string, ...args: string[]) =>
  runTool('cryptsetup', ['luksFormat', '-q', ...args, '--pbkdf-force-iterations', '1000', image, '-'], { input: 'secret' });

const made: readonly Made[] = [
  {
    kind: 'swap',
    type: 'swap',
    tool: 'mkswap',
    totalBytes: 8 * MIB,
    label: 'my swap',
    make: (image) => runTool('mkswap', ['-L', 'my swap', image]),
  },
  {
    kind: 'swap',
    type: 'swap',
    tool: 'mkswap',
    totalBytes: 8 * MIB,
    label: '',
    make: (image) => runTool('mkswap', ['-p', '65536', image]),
  },
  { kind: 'luks1', type: 'crypto_LUKS', tool: 'cryptsetup', make: (image) => cryptsetup(image, '--type', 'luks1') },
  {
    kind: 'luks2',
    type: 'crypto_LUKS',
    tool: 'cryptsetup',
    sizeBytes: 20 * MIB,
    label: 'my secret',
    make: (image) => cryptsetup(image, '--type', 'luks2', '--pbkdf', 'pbkdf2', '--label', 'my secret'),
  },
  {
    kind: 'squashfs',
    type: 'squashfs',
    tool: 'mksquashfs',
    make: (image, folder) => runTool('mksquashfs', [folder, image, '-noappend', '-quiet', '-no-progress']),
  },
  {
    kind: 'iso9660',
    type: 'iso9660',
    tool: 'genisoimage',
    label: 'My Disc',
    make: (image, folder) => runTool('genisoimage', ['-quiet', '-J', '-V', 'My Disc', '-o', image, folder]),
  },
  {
    kind: 'iso9660',
    type: 'iso9660',
    tool: 'genisoimage',
    label: 'PLAIN',
    make: (image, folder) => runTool('genisoimage', ['-quiet', '-V', 'PLAIN', '-o', image, folder]),
  },
  {
    kind: 'f2fs',
    type: 'f2fs',
    tool: 'mkfs.f2fs',
    sizeBytes: 64 * MIB,
    totalBytes: 64 * MIB,
    label: 'Flash 1',
    make: (image) => runTool('mkfs.f2fs', ['-q', '-l', 'Flash 1', image]),
  },
  { kind: 'udf', type: 'udf', tool: 'mkfs.udf', label: 'my udf', make: (image) => runTool('mkfs.udf', ['-l', 'my udf', image]) },
  {
    kind: 'udf',
    type: 'udf',
    tool: 'mkfs.udf',
    label: '日本',
    make: (image) => runTool('mkfs.udf', ['-b', '2048', '-l', '日本', '-m', 'hd', image]),
  },
  { kind: 'erofs', type: 'erofs', tool: 'mkfs.erofs', make: (image, folder) => runTool('mkfs.erofs', [image, folder]) },
  {
    kind: 'xfs',
    type: 'xfs',
    tool: 'mkfs.xfs',
    sizeBytes: 300 * MIB,
    totalBytes: 300 * MIB,
    label: 'xlabel',
    make: (image) => runTool('mkfs.xfs', ['-q', '-L', 'xlabel', image]),
  },
  {
    kind: 'btrfs',
    type: 'btrfs',
    tool: 'mkfs.btrfs',
    sizeBytes: 128 * MIB,
    totalBytes: 128 * MIB,
    label: 'b label',
    make: (image) => runTool('mkfs.btrfs', ['-q', '-L', 'b label', image]),
  },
  ...(['ext2', 'ext3', 'ext4'] as const).map((kind) => ({
    kind,
    type: kind,
    tool: 'mke2fs',
    totalBytes: 8 * MIB,
    label: 'my ext',
    make: (image: string) => runTool('mke2fs', ['-q', '-t', kind, '-L', 'my ext', image]),
  })),
  {
    kind: 'ext4',
    type: 'ext4',
    tool: 'mke2fs',
    sizeBytes: 32 * MIB,
    totalBytes: 32 * MIB,
    make: (image) => runTool('mke2fs', ['-q', '-t', 'ext4', '-b', '1024', '-O', '64bit,metadata_csum', image]),
  },
  {
    kind: 'jbd',
    type: 'jbd',
    tool: 'mke2fs',
    label: 'journal',
    make: (image) => runTool('mke2fs', ['-q', '-O', 'journal_dev', '-L', 'journal', image]),
  },
  { kind: 'ntfs', type: 'ntfs', tool: 'mkntfs', make: (image) => runTool('mkntfs', ['-q', '-F', '-L', 'inside', image]) },
  ...['12', '16', '32'].map((bits) => ({
    kind: `fat${bits}`,
    type: 'vfat',
    tool: 'mkfs.fat',
    sizeBytes: 64 * MIB,
    totalBytes: 64 * MIB,
    label: 'MY FAT',
    make: (image: string) => runTool('mkfs.fat', ['-F', bits, ...(bits === '12' ? ['-s', '64'] : []), '-n', 'MY FAT', image]),
  })),
  { kind: 'exfat', type: 'exfat', tool: 'mkfs.exfat', make: (image) => runTool('mkfs.exfat', [image]) },
  {
    kind: 'apfs',
    type: 'apfs',
    tool: 'mkapfs',
    rare: true,
    sizeBytes: 600 * MIB,
    totalBytes: 600 * MIB,
    make: (image) => runTool('mkapfs', ['-L', 'inside', image]),
  },
  {
    kind: 'jfs',
    type: 'jfs',
    tool: 'mkfs.jfs',
    rare: true,
    sizeBytes: 20 * MIB,
    label: 'jlabel',
    make: (image) => runTool('mkfs.jfs', ['-q', '-L', 'jlabel', image]),
  },
  {
    kind: 'reiserfs',
    type: 'reiserfs',
    tool: 'mkreiserfs',
    rare: true,
    sizeBytes: 40 * MIB,
    totalBytes: 40 * MIB,
    label: 'rlabel',
    make: (image) => runTool('mkreiserfs', ['-q', '-f', '-l', 'rlabel', image]),
  },
];

/** A volume by hand; blkid, where it knows the kind, is asked whether it is one. */
const handMade: readonly { title: string; kind: string; type: string | null; label: string; bytes: () => Buffer }[] = [
  { title: 'RAID 1.0', kind: 'linux-raid', type: 'linux_raid_member', label: 'nas:0', bytes: () => raid1x(2 * MIB - 8192) },
  {
    title: 'RAID 1.0 of an odd size',
    kind: 'linux-raid',
    type: 'linux_raid_member',
    label: 'nas:0',
    bytes: () => raid1x(2 * MIB - 8192, 2 * MIB + 1536),
  },
  { title: 'RAID 1.1', kind: 'linux-raid', type: 'linux_raid_member', label: 'nas:0', bytes: () => raid1x(0) },
  { title: 'RAID 1.2', kind: 'linux-raid', type: 'linux_raid_member', label: 'nas:0', bytes: () => raid1x(4096) },
  { title: 'RAID 0.90', kind: 'linux-raid', type: 'linux_raid_member', label: '', bytes: raid090 },
  { title: 'ReFS', kind: 'refs', type: 'ReFS', label: '', bytes: refs },
  { title: 'BitLocker', kind: 'bitlocker', type: 'BitLocker', label: '', bytes: bitlocker },
  { title: 'BitLocker To Go', kind: 'bitlocker', type: null, label: '', bytes: bitlockerToGo },
  { title: 'HFS+', kind: 'hfsplus', type: 'hfsplus', label: 'Macintosh HD é', bytes: () => hfsplus('Macintosh HD é') },
  { title: 'ZFS', kind: 'zfs', type: 'zfs_member', label: 'tank', bytes: zfs },
  { title: 'ZFS of a big-endian machine', kind: 'zfs', type: 'zfs_member', label: 'tank', bytes: () => zfs({ bigEndian: true }) },
  { title: 'bcache', kind: 'bcache', type: null, label: 'fast one', bytes: bcache },
  { title: 'bcachefs', kind: 'bcachefs', type: null, label: 'many disks', bytes: () => bcachefs('old') },
  { title: 'bcachefs of today', kind: 'bcachefs', type: null, label: 'many disks', bytes: () => bcachefs('new') },
  ...['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'].map((magic) => ({
    title: `hibernated swap space, ${magic}`,
    kind: 'swsuspend',
    type: 'swsuspend',
    label: 'sleepy',
    bytes: () => swapOf(magic, 4096),
  })),
];

async function blkid(image: string): Promise<Record<string, string>> {
  const printed = await runTool('blkid', ['-p', '-o', 'udev', image]);
  const values = printed.split('\n').map((line) => {
    const [, name = '', value = ''] = /^ID_FS_([A-Z_]+)=(.*)$/.exec(line) ?? [];
    return [name, value.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))];
  });
  return Object.fromEntries(values);
}

/** What blkid says of the bytes: `LABEL_ENC` has all of the label, byte by byte. */
async function expectLikeBlkid(image: string, type: string): Promise<void> {
  const device = await openFileDevice(image);
  const found = await recogniseVolume(device);
  await device.close();
  const said = await blkid(image);
  expect(said.TYPE).toBe(type);
  // The blkid of today does not look for the id of BitLocker.
  if (type !== 'BitLocker') expect(found?.uuid).toBe(said.UUID ?? '');
  // These have it in their root directory or a file of their own, which is for a reader to read.
  if (type !== 'exfat' && type !== 'ntfs') expect(found?.label).toBe(said.LABEL_ENC ?? '');
}

describe('what tools make is named as blkid names it', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
    await mkdir(scratch.path('files'));
    await writeFile(scratch.path('files/a'), 'content');
  });
  afterAll(() => scratch?.dispose());

  for (const [index, entry] of made.entries()) {
    const missing = lacking({ tools: [entry.tool, 'blkid'] });
    const title = `${entry.kind} of ${entry.tool} (${index})`;
    const skip = missing.length > 0 && (entry.rare === true || !process.env.CI);
    test.skipIf(skip)(skip ? `${title} (skipped: this machine lacks ${missing.join(', ')})` : title, async () => {
      const image = await scratch.sparseFile(`${index}.img`, entry.sizeBytes ?? 8 * MIB);
      await entry.make(image, scratch.path('files'));
      const device = await openFileDevice(image);
      const found = await recogniseVolume(device);
      expect(found).toMatchObject({ kind: entry.kind, ...(entry.label === undefined ? {} : { label: entry.label }) });
      if (entry.totalBytes !== undefined) expect(found?.totalBytes).toBe(entry.totalBytes);
      expect(found?.totalBytes).toBeGreaterThan(0);
      expect(found?.totalBytes).toBeLessThanOrEqual(device.sizeBytes);
      if (entry.kind !== 'swap') expect(found).toMatchObject({ usedExtents: null, usedBytes: found?.totalBytes });
      await device.close();
      await expectLikeBlkid(image, entry.type);
    });
  }

  const lvmMissing = lacking({ tools: ['pvcreate', 'losetup'], root: true });
  test.skipIf(lvmMissing.length > 0)(
    `lvm2 of pvcreate${lvmMissing.length > 0 ? ` (skipped: this machine lacks ${lvmMissing.join(', ')})` : ''}`,
    async () => {
      const image = await scratch.sparseFile('pv.img', 8 * MIB);
      const loop = await scratch.attach(image);
      await runTool('pvcreate', ['-y', '--config', 'devices { use_devicesfile=0 }', loop]);
      await scratch.detach(loop);
      await expectLikeBlkid(image, 'LVM2_member');
      const bytes = await readFile(image);
      expect(await recogniseVolume(memoryDevice(bytes))).toMatchObject({ kind: 'lvm2', totalBytes: 8 * MIB });
      // A bit of the label's sector is off: it is none.
      bytes.writeUInt8(bytes.readUInt8(512 + 100) ^ 1, 512 + 100);
      expect(await recogniseVolume(memoryDevice(bytes))).toBeNull();
    },
  );

  const blkidMissing = lacking({ tools: ['blkid'] }).length > 0;
  it.each(handMade)('$title', async ({ kind, type, label, bytes }) => {
    const image = scratch.path('hand-made.img');
    await writeFile(image, bytes());
    expect(await recogniseVolume(memoryDevice(bytes()))).toMatchObject({ kind, label, usedExtents: null });
    if (type !== null && !blkidMissing) await expectLikeBlkid(image, type);
    expect(await openFilesystem(memoryDevice(bytes()))).toBeNull();
  });

  it('lvm2 without a label checksum, luks2 with only its second header', async () => {
    const second = Buffer.alloc(2 * MIB);
    second.write('SKUL\xba\xbe\0\x02', 0x4000, 'latin1');
    second.write('behind', 0x4000 + 24);
    second.write('6f1efcc7-0000-4000-8000-0123456789ab', 0x4000 + 168);
    expect(await recogniseVolume(memoryDevice(second))).toMatchObject({
      kind: 'luks2',
      label: 'behind',
      uuid: '6f1efcc7-0000-4000-8000-0123456789ab',
    });
    const unsealed = Buffer.alloc(2 * MIB);
    unsealed.write('LABELONE', 512);
    unsealed.writeBigUInt64LE(1n, 520);
    unsealed.write('LVM2 001', 512 + 24);
    expect(await recogniseVolume(memoryDevice(unsealed))).toBeNull();
  });
});

describe('what tells more of a volume', () => {
  it('the id of BitLocker, on a fixed disk and on a stick', async () => {
    for (const bytes of [bitlocker(), bitlockerToGo()]) {
      const found = await recogniseVolume(memoryDevice(bytes));
      expect(found).toMatchObject({ kind: 'bitlocker', uuid: '4d9b5a7c-1f2e-4a3b-8c6d-0123456789ab', others: [] });
      // Its metadata is not where it says, or nowhere.
      for (const place of [12_345n, 1n << 60n]) {
        bytes.writeBigUInt64LE(place, 176);
        bytes.writeBigUInt64LE(place, 440);
        expect(await recogniseVolume(memoryDevice(bytes))).toMatchObject({ kind: 'bitlocker', uuid: '' });
      }
    }
  });

  it('every kind it carries the marks of', async () => {
    const both = raid1x(2 * MIB - 8192);
    swapOf('SWAPSPACE2', 4096).copy(both, 0, 0, 8192);
    expect(await recogniseVolume(memoryDevice(both))).toMatchObject({ kind: 'linux-raid', others: ['swap'] });
  });

  const missing = lacking({ tools: ['cryptsetup'] });
  const skip = missing.length > 0 && !process.env.CI;
  test.skipIf(skip)(`how it is encrypted${skip ? ' (skipped: this machine lacks cryptsetup)' : ''}`, async () => {
    const scratch = await makeScratch();
    try {
      const detailsOf = async (version: string, ...args: string[]) => {
        const image = await scratch.sparseFile(version, 20 * MIB);
        await cryptsetup(image, '--type', version, ...args);
        return (await recogniseVolume(memoryDevice(await readFile(image))))?.details;
      };
      expect(await detailsOf('luks1', '-c', 'aes-cbc-plain64', '-s', '256')).toBe('aes-cbc-plain64, key of 256 bits');
      expect(await detailsOf('luks2', '-c', 'aes-cbc-essiv:sha256', '--pbkdf', 'pbkdf2')).toBe('aes-cbc-essiv:sha256');
    } finally {
      await scratch.dispose();
    }
  });
});

describe('swap space', () => {
  it('needs its first page alone, unless it is not alone or the header claims more than there is', async () => {
    const swap = swapOf('SWAPSPACE2', 8192);
    expect(await recogniseVolume(memoryDevice(swap))).toMatchObject({
      kind: 'swap',
      totalBytes: 2 * MIB,
      usedExtents: [{ offsetBytes: 0, lengthBytes: 8192 }],
      usedBytes: 8192,
    });
    const both = Buffer.from(swap);
    both.write('JFS1', 32 << 10);
    both.writeUInt32LE(4096, (32 << 10) + 16);
    both.writeUInt32LE(512, (32 << 10) + 24);
    expect(await recogniseVolume(memoryDevice(both))).toMatchObject({ kind: 'swap', usedExtents: null, usedBytes: 2 * MIB });
    const padded = Buffer.from(swap);
    padded.writeUInt16LE(0xef53, 1080);
    expect(await recogniseVolume(memoryDevice(padded))).toMatchObject({ kind: 'swap', usedExtents: null, usedBytes: 2 * MIB });
    const old = Buffer.from(swap);
    old.writeUInt32LE(0, 1024);
    expect(await recogniseVolume(memoryDevice(old))).toMatchObject({ kind: 'swap', uuid: '', usedExtents: null });
    const cut = await recogniseVolume(sliceDevice(memoryDevice(swap), 0, MIB));
    expect(cut).toMatchObject({ totalBytes: MIB, usedExtents: null, usedBytes: MIB });
  });

  it('of a big-endian machine is read too', async () => {
    const swap = swapOf('SWAPSPACE2', 4096);
    swap.writeUInt32BE(1, 1024);
    swap.writeUInt32BE(255, 1028);
    expect(await recogniseVolume(memoryDevice(swap))).toMatchObject({ totalBytes: MIB, usedBytes: 4096 });
  });
});

describe('bytes of no kind', () => {
  const random = seededRandom(7);
  const noise = Buffer.from(Array.from({ length: MIB }, () => random(256)));

  it('are named null: noise, zeros, a few bytes, none', async () => {
    for (const bytes of [noise, Buffer.alloc(MIB), Buffer.alloc(100), Buffer.alloc(0)]) {
      expect(await recogniseVolume(memoryDevice(bytes))).toBeNull();
    }
  });

  it('cost a handful of reads', async () => {
    const device = guardedDevice(memoryDevice(Buffer.alloc(8 * MIB)), { reads: 12, bytes: MIB, readBytes: MIB });
    expect(await recogniseVolume(device)).toBeNull();
  });

  it('and headers full of nonsense never give anything but a name or null', async () => {
    const seed = Number(process.env.DISKFLEET_FUZZ_SEED ?? 20_260_101);
    const pick = seededRandom(seed);
    const images = [...handMade.map(({ bytes }) => bytes()), swapOf('SWAPSPACE2', 4096)];
    for (let run = 0; run < 1500; run += 1) {
      const image = images[pick(images.length)] ?? noise;
      const undo: [number, number][] = [];
      const base =
        [0, 512, 1024, 4096, 16_384, 16_384 + 4096, 32_768, 65_536, image.length - 65_536, image.length - 8192][pick(10)] ?? 0;
      for (let times = 0; times < 8; times += 1) {
        const at = base + pick(400);
        undo.unshift([at, image.readUInt8(at)]);
        image.writeUInt8([0, 0xff, 0x7f, pick(256)][pick(4)] ?? 0, at);
      }
      const found = await recogniseVolume(memoryDevice(image));
      if (found !== null) {
        expect(found.totalBytes).toBeLessThanOrEqual(image.length);
        expect(found.usedBytes).toBeLessThanOrEqual(found.totalBytes);
        expect(found.label).not.toContain('\0');
      }
      for (const [at, was] of undo) image.writeUInt8(was, at);
    }
  });

  it('that cannot be read give the error of the medium', async () => {
    await expect(recogniseVolume(failingDevice(memoryDevice(noise), 0))).rejects.toMatchObject({ code: 'DISK_READ_FAILED' });
  });
});
