/** Volumes whose first sectors are gone, opened by the copies that formats keep of them; and what must not be opened by such copies. */
import { readFile, writeFile } from 'node:fs/promises';
import { type BlockDevice, memoryDevice } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import { extReader } from './ext/index.ts';
import { decodeBootSector } from './fat/bootSector.ts';
import { fatReader } from './fat/reader.ts';
import { makeSourceTree } from './fat/testing/fatImage.ts';
import { openFilesystem } from './readers.ts';
import {
  describeNeeding,
  deviceWithBadPlaces,
  expectSameTree,
  guardedDevice,
  makeScratch,
  runTool,
  seededRandom,
  treeOfFilesystem,
} from './testing/index.ts';

const MIB = 1 << 20;
const tools = ['mke2fs', 'mkfs.xfs', 'mkfs.fat', 'mkntfs', 'ntfscp', 'mcopy', 'mkswap'];

interface Format {
  readonly title: string;
  readonly kind: string;
  readonly sizeMiB: number;
  /** How much of the start is lost. */
  readonly lostBytes: number;
  make(image: string, source: string): Promise<unknown>;
}

const ext = (title: string, sizeMiB: number, options: readonly string[]): Format => ({
  title,
  kind: 'ext4',
  sizeMiB,
  lostBytes: 4096,
  make: (image, source) => runTool('mke2fs', ['-q', '-F', '-L', 'label', '-d', source, ...options, image]),
});

const formats: readonly Format[] = [
  ext('ext4, 1 KiB blocks', 32, ['-t', 'ext4', '-b', '1024']),
  { ...ext('ext2 without checksums', 32, ['-b', '1024', '-t', 'ext2']), kind: 'ext2' },
  ext('ext4, 2 KiB blocks', 80, ['-t', 'ext4', '-b', '2048']),
  ext('ext4, 4 KiB blocks', 160, ['-t', 'ext4', '-b', '4096']),
  { ...ext('ext4, group descriptors lost too', 32, ['-t', 'ext4', '-b', '1024']), lostBytes: 16384 },
  {
    title: 'XFS',
    kind: 'xfs',
    sizeMiB: 128,
    lostBytes: 512,
    async make(image, source) {
      await writeFile(`${image}.proto`, `/boot\n0 0\nd--755 0 0\nbig.bin ---644 0 0 ${source}/big.bin\n$\n`);
      await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', '-L', 'label', '-p', `${image}.proto`, image]);
    },
  },
  {
    title: 'XFS of 16 groups',
    kind: 'xfs',
    sizeMiB: 512,
    lostBytes: 512,
    make: (image) => runTool('mkfs.xfs', ['-q', '-f', '--unsupported', '-L', 'label', '-d', 'agcount=16', image]),
  },
  {
    title: 'FAT32',
    kind: 'fat32',
    sizeMiB: 40,
    lostBytes: 512,
    async make(image, source) {
      await runTool('mkfs.fat', ['-F', '32', '-s', '1', '-n', 'LABEL', image]);
      await runTool('mcopy', ['-i', image, '-s', `${source}/big.bin`, `${source}/Deep`, '::/']);
    },
  },
  {
    title: 'FAT32 of 4096-byte sectors',
    kind: 'fat32',
    sizeMiB: 270,
    lostBytes: 4096,
    async make(image, source) {
      await runTool('mkfs.fat', ['-F', '32', '-S', '4096', '-s', '1', '-n', 'LABEL', image]);
      await runTool('mcopy', ['-i', image, `${source}/big.bin`, '::/']);
    },
  },
  {
    title: 'NTFS',
    kind: 'ntfs',
    sizeMiB: 24,
    lostBytes: 512,
    async make(image, source) {
      await runTool('mkntfs', ['-F', '-Q', '-q', '-L', 'label', image]);
      await runTool('ntfscp', ['-q', image, `${source}/big.bin`, 'big.bin']);
    },
  },
];

function noise(lengthBytes: number): Buffer {
  const random = seededRandom(lengthBytes);
  return Buffer.from(Array.from({ length: lengthBytes }, () => random(256)));
}

/** How the start may be lost. */
const losses: readonly { readonly how: string; lose(bytes: Buffer, lostBytes: number): BlockDevice }[] = [
  {
    how: 'zeros',
    lose(bytes, lostBytes) {
      return memoryDevice(Buffer.from(bytes).fill(0, 0, lostBytes));
    },
  },
  {
    how: 'noise',
    lose(bytes, lostBytes) {
      return memoryDevice(Buffer.concat([noise(lostBytes), bytes.subarray(lostBytes)]));
    },
  },
  {
    how: 'bad sectors',
    lose(bytes, lostBytes) {
      return deviceWithBadPlaces(memoryDevice(bytes), [{ offsetBytes: 0, lengthBytes: lostBytes }]);
    },
  },
];

describeNeeding({ tools }, 'volumes without their first sectors', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());
  const source = await makeSourceTree(scratch);
  let images = 0;
  const makeImage = async (format: Format): Promise<string> => {
    const image = await scratch.sparseFile(`volume${images++}.img`, format.sizeMiB * MIB);
    await format.make(image, source);
    return image;
  };

  describe.each(formats)('$title', (format) => {
    test.each(losses)('$how in place of them: the same files, and all of it is taken', async ({ lose }) => {
      const bytes = await readFile(await makeImage(format));
      const healthy = await openFilesystem(memoryDevice(bytes));
      const device = guardedDevice(lose(bytes, format.lostBytes), { reads: 3000, bytes: 64 * MIB, readBytes: 16 * MIB });
      const filesystem = await openFilesystem(device);
      expect(device.seen.reads).toBeLessThan(400);
      if (healthy === null || filesystem === null) throw new Error('it was not opened');
      const { kind, uuid, totalBytes } = healthy.info;
      expect(filesystem.info).toMatchObject({ kind, uuid, totalBytes, clean: false });
      expect(kind).toBe(format.kind);
      expectSameTree(await treeOfFilesystem(filesystem), await treeOfFilesystem(healthy));
      const map = await filesystem.usedMap();
      expect(map.extents).toEqual([{ offsetBytes: 0, lengthBytes: totalBytes }]);
      expect(map.usedBytes).toBe(totalBytes);
      expect(map.warnings).toEqual([expect.stringContaining('a copy of them was used')]);
      expect([filesystem.fileLayouts, filesystem.volatileFiles]).toEqual([undefined, undefined]);
    });

    test('what has been put over it wins', { timeout: 30_000 }, async () => {
      const image = await makeImage(format);
      const kindOf = async () => (await openFilesystem(memoryDevice(await readFile(image))))?.info.kind ?? null;
      await runTool('mkswap', ['-f', image]);
      // mkswap leaves what lies in front of its header and may leave the first boot sector: wipe that as a hostile case.
      const bytes = await readFile(image);
      bytes.fill(0, 0, 1024);
      await writeFile(image, bytes);
      expect(await kindOf()).toBe(null);
      const other = format.kind === 'fat32' ? ['mkntfs', '-F', '-Q', '-q'] : ['mkfs.fat', '-F', '16'];
      const [tool = '', ...args] = other;
      await runTool(tool, [...args, image]);
      expect(await kindOf()).toBe(format.kind === 'fat32' ? 'ntfs' : 'fat16');
    });
  });

  test('marks where nobody can look make a map that is not believed', async () => {
    const [, , , four] = formats;
    if (four === undefined) throw new Error('no format');
    const bytes = await readFile(await makeImage(four));
    // Where ext says that it is one, nobody can read; in front of it stands what a volume of before began with.
    const fat = await readFile(await makeImage({ ...four, make: (image) => runTool('mkfs.fat', ['-F', '32', image]) }));
    fat.copy(bytes, 0, 0, 512);
    const device = deviceWithBadPlaces(memoryDevice(bytes), [{ offsetBytes: 1024, lengthBytes: 1024 }]);
    const map = await (await openFilesystem(device))?.usedMap();
    expect(map?.extents).toEqual([{ offsetBytes: 0, lengthBytes: bytes.length }]);
    expect(map?.warnings).toHaveLength(1);
  });

  test('copies of two formats, and a copy that contradicts itself, open nothing', async () => {
    const [one] = formats;
    const fat32 = formats.find(({ kind }) => kind === 'fat32');
    if (one === undefined || fat32 === undefined) throw new Error('no format');
    const first = await readFile(await makeImage(one));
    first.fill(0, 0, 4096);
    const copyAt = 8193 * 1024;
    expect(first.readUInt16LE(copyAt + 0x38)).toBe(0xef53);
    const spoilt = Buffer.from(first);
    for (const group of [1, 3]) spoilt.writeUInt32LE(77, (1 + group * 8192) * 1024 + 4);
    expect(await openFilesystem(memoryDevice(spoilt))).toBe(null);
    expect((await openFilesystem(memoryDevice(first)))?.info.kind).toBe('ext4');
    // The copy of a boot sector and the first entries of the FATs it names, where ext keeps room for descriptors.
    const second = await readFile(
      await makeImage({ ...fat32, sizeMiB: 32, make: (image) => runTool('mkfs.fat', ['-F', '32', '-s', '1', image]) }),
    );
    const geometry = decodeBootSector(second);
    if (geometry === null) throw new Error('no FAT');
    second.copy(first, 3072, 3072, 3584);
    for (const fat of [0, 1].map((index) => geometry.fatOffsetBytes + index * geometry.fatBytes))
      second.copy(first, fat, fat, fat + 16);
    expect(await fatReader.openBackup?.(memoryDevice(first))).not.toBe(null);
    expect(await extReader.openBackup?.(memoryDevice(first))).not.toBe(null);
    expect(await openFilesystem(memoryDevice(first))).toBe(null);
  });

  test('noise, zeros and a short device open nothing', async () => {
    for (const bytes of [noise(4 * MIB), Buffer.alloc(64 * MIB), Buffer.alloc(0), Buffer.alloc(700)]) {
      expect(await openFilesystem(memoryDevice(bytes))).toBe(null);
    }
  });
});
