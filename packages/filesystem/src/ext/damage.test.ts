import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockDevice, type Extent, memoryDevice, readBytes } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Filesystem } from '../filesystem.ts';
import { describeNeeding, expectCode, makeScratch, mutationContract, type Scratch } from '../testing/index.ts';
import { crc32c } from './checksums.ts';
import { readGroupTable } from './groups.ts';
import { extReader } from './index.ts';
import { readSuperblock } from './superblock.ts';
import { fill, noise } from './testing/extContent.ts';
import { debugfs, type ImageOptions, makeExtImage } from './testing/extImage.ts';
import { metadataOf } from './testing/metadata.ts';

async function imageToDamage(wanted: ImageOptions): Promise<{ bytes: Buffer; metadata: Extent[] }> {
  const scratch = await makeScratch();
  try {
    const bytes = await readFile((await makeExtImage(scratch, { ...wanted, fill: fillLittle })).image);
    return { bytes, metadata: await metadataOf(bytes) };
  } finally {
    await scratch.dispose();
  }
}

async function named(filesystem: Filesystem, name: string) {
  for await (const entry of filesystem.readDirectory(await filesystem.root())) if (entry.name === name) return entry;
  throw new Error(`no ${name}`);
}

/** Few inodes and little data: most of what is in use is metadata, so most hits hurt. */
async function fillLittle(folder: string): Promise<void> {
  await fill(folder, 60);
  await writeFile(join(folder, 'big'), noise(400_000, 3));
}

describeNeeding({ tools: ['mke2fs', 'debugfs'] }, 'ext, damaged', () => {
  const layouts: readonly [string, ImageOptions][] = [
    ['ext2, 1 KiB blocks', { name: 'm2', type: 'ext2', sizeMiB: 3, options: ['-b', '1024', '-N', '160'] }],
    [
      'ext4, no checksums in the way',
      {
        name: 'm4',
        type: 'ext4',
        sizeMiB: 6,
        options: ['-b', '1024', '-N', '256', '-O', '^metadata_csum,inline_data,^has_journal', '-g', '2048'],
      },
    ],
    ['ext4', { name: 'm4c', type: 'ext4', sizeMiB: 8, options: ['-N', '256', '-J', 'size=1'] }],
  ];
  for (const [title, wanted] of layouts) {
    mutationContract(title, {
      reader: extReader,
      runs: Number(process.env.DISKFLEET_FUZZ_RUNS ?? 400),
      makeImage: () => imageToDamage(wanted),
    });
  }
  mutationContract('ext3 with a journal to replay', {
    reader: extReader,
    makeImage: async () => {
      const made = await imageToDamage({ name: 'm3', type: 'ext3', sizeMiB: 8, options: ['-b', '1024', '-N', '256'] });
      made.bytes.writeUInt32LE(made.bytes.readUInt32LE(1024 + 0x60) | 4, 1024 + 0x60);
      return made;
    },
  });

  describe('one thing wrong', () => {
    let scratch: Scratch;
    let healthy: Buffer;
    beforeAll(async () => {
      scratch = await makeScratch();
      healthy = await readFile(
        (await makeExtImage(scratch, { name: 'h', type: 'ext4', sizeMiB: 40, options: ['-b', '1024', '-g', '4096', '-G', '4'] }))
          .image,
      );
    });
    afterAll(() => scratch?.dispose());

    async function geometry(device: BlockDevice) {
      const superblock = await readSuperblock(device);
      return { superblock, groups: await readGroupTable(device, superblock) };
    }

    /** Breaks a copy of the healthy image and returns its map. */
    async function mapAfter(breakIt: (bytes: Buffer) => void) {
      const bytes = Buffer.from(healthy);
      breakIt(bytes);
      return (await extReader.open(memoryDevice(bytes))).usedMap();
    }

    test('a flipped bit in a block bitmap: that group is taken whole and named', async () => {
      const { superblock, groups } = await geometry(memoryDevice(healthy));
      const group = [0, 1, 2, 3, 4, 5].map((number) => groups.group(number)).find((candidate) => !candidate.bitmapUninitialised);
      if (!group) throw new Error('all groups are unwritten');
      const map = await mapAfter((bytes) => {
        const at = group.blockBitmapBlock * superblock.blockBytes + 100;
        bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      });
      expect(map.warnings).toEqual([`A block bitmap fails its checksum: block group ${group.number} was taken whole.`]);
      const start = group.firstBlock * 1024;
      const end = start + group.blockCount * 1024;
      expect(map.extents.some((extent) => extent.offsetBytes <= start && extent.offsetBytes + extent.lengthBytes >= end)).toBe(
        true,
      );
      const whole = (await (await extReader.open(memoryDevice(healthy))).usedMap()).extents;
      for (const extent of whole) {
        expect(
          map.extents.some(
            (found) =>
              found.offsetBytes <= extent.offsetBytes &&
              found.offsetBytes + found.lengthBytes >= extent.offsetBytes + extent.lengthBytes,
          ),
        ).toBe(true);
      }
    });

    test('a damaged group descriptor: that group is taken whole and named', async () => {
      const map = await mapAfter((bytes) => bytes.writeUInt8(0x55, 2 * 1024 + 3 * 64 + 0x0c));
      expect(map.warnings).toEqual(['A group descriptor fails its checksum: block group 3 was taken whole.']);
    });

    test('a damaged superblock: everything is taken', async () => {
      const map = await mapAfter((bytes) => bytes.writeUInt32LE(77, 1024 + 0x0c));
      expect(map).toMatchObject({ usedBytes: healthy.length, extents: [{ offsetBytes: 0, lengthBytes: healthy.length }] });
      expect(map.warnings).toHaveLength(1);
    });

    test('a count of free blocks that does not add up: that group is taken whole, without checksums too', async () => {
      const { image } = await makeExtImage(scratch, { name: 'count', type: 'ext2', sizeMiB: 20, options: ['-b', '1024'] });
      const bytes = await readFile(image);
      bytes.writeUInt16LE(bytes.readUInt16LE(2 * 1024 + 32 + 0x0c) - 1, 2 * 1024 + 32 + 0x0c);
      const map = await (await extReader.open(memoryDevice(bytes))).usedMap();
      expect(map.warnings).toEqual(['A block bitmap and its count of free blocks disagree: block group 1 was taken whole.']);
    });

    test('many damaged groups are one sentence', async () => {
      const map = await mapAfter((bytes) => bytes.fill(0x3c, 2 * 1024 + 64, 2 * 1024 + 6 * 64));
      expect(map.warnings).toEqual(['A group descriptor fails its checksum: 5 block groups (1, 2, 3, 4, 5) were taken whole.']);
    });

    test('a feature of the future is refused by name', async () => {
      const bytes = Buffer.from(healthy);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 0x60) | 0x40000000, 1024 + 0x60);
      await expectCode(extReader.open(memoryDevice(bytes)), 'FS_UNSUPPORTED');
    });

    test('an external journal and foreign bytes are not taken for a filesystem', async () => {
      const bytes = Buffer.from(healthy);
      bytes.writeUInt32LE(8, 1024 + 0x60);
      for (const foreign of [bytes, Buffer.alloc(0), Buffer.alloc(1500), Buffer.alloc(4096), Buffer.from(noise(8192, 9))]) {
        expect(await extReader.probe(memoryDevice(foreign))).toBe(false);
        await expectCode(extReader.open(memoryDevice(foreign)), 'FS_DAMAGED');
      }
    });

    test('an encrypted file and an encrypted folder are refused by name, the rest stays readable', async () => {
      const { image } = await makeExtImage(scratch, { name: 'secret', type: 'ext4', sizeMiB: 32, options: ['-O', 'encrypt'] });
      await debugfs(image, 'set_inode_field /big flags 0x80800');
      await debugfs(image, 'set_inode_field /many flags 0x80800');
      const filesystem = await extReader.open(memoryDevice(await readFile(image)));
      await expectCode(filesystem.openFile(await named(filesystem, 'big')), 'FS_ENCRYPTED_FILE');
      const many = filesystem.readDirectory(await named(filesystem, 'many'));
      await expectCode(many[Symbol.asyncIterator]().next(), 'FS_ENCRYPTED_FILE');
      expect((await filesystem.openFile(await named(filesystem, 'tiny'))).sizeBytes).toBe(1);
    });

    test('a tree of indirect blocks that bites its tail is refused', async () => {
      const { image } = await makeExtImage(scratch, { name: 'loop', type: 'ext2', sizeMiB: 20, options: ['-b', '1024'] });
      // The double indirect block of `big` becomes its single one, whose entries point to data.
      await debugfs(image, 'set_inode_field /big block[DIND] 3000');
      const bytes = await readFile(image);
      bytes.fill(0, 3000 * 1024, 3001 * 1024);
      for (let at = 0; at < 1024; at += 4) bytes.writeUInt32LE(3000, 3000 * 1024 + at);
      const filesystem = await extReader.open(memoryDevice(bytes));
      await expectCode(filesystem.openFile(await named(filesystem, 'big')), 'FS_DAMAGED');
    });

    test('an extent tree that bites its tail is refused', async () => {
      const bytes = Buffer.from(healthy);
      const device = memoryDevice(bytes);
      const big = await named(await extReader.open(device), 'big');
      const { superblock, groups } = await geometry(device);
      const index = Number(big.ref) - 1;
      const table = groups.group(Math.floor(index / superblock.inodesPerGroup)).inodeTableBlock;
      const inode = table * 1024 + (index % superblock.inodesPerGroup) * superblock.inodeBytes;
      const header = (depth: number) => Buffer.from([0x0a, 0xf3, 2, 0, 4, 0, depth, 0, 0, 0, 0, 0]);
      const entry = (logical: number, child: number) => {
        const raw = Buffer.alloc(12);
        raw.writeUInt32LE(logical, 0);
        raw.writeUInt32LE(child, 4);
        return raw;
      };
      Buffer.concat([header(2), entry(0, 9000), entry(9, 9000)]).copy(bytes, inode + 0x28);
      Buffer.concat([header(1), entry(0, 9000), entry(9, 9000)]).copy(bytes, 9000 * 1024);
      const filesystem = await extReader.open(memoryDevice(bytes));
      await expectCode(filesystem.openFile(await named(filesystem, 'big')), 'FS_DAMAGED');
    });

    test('a name whose inode is free is still listed, as something that cannot be opened', async () => {
      const bytes = Buffer.from(healthy);
      const device = memoryDevice(bytes);
      const tiny = await named(await extReader.open(device), 'tiny');
      const { superblock, groups } = await geometry(device);
      const index = Number(tiny.ref) - 1;
      const table = groups.group(Math.floor(index / superblock.inodesPerGroup)).inodeTableBlock;
      bytes.fill(
        0,
        table * 1024 + (index % superblock.inodesPerGroup) * 256,
        table * 1024 + ((index % superblock.inodesPerGroup) + 1) * 256,
      );
      const filesystem = await extReader.open(memoryDevice(bytes));
      expect(await named(filesystem, 'tiny')).toMatchObject({ type: 'other', sizeBytes: 0, modifiedAtMs: null, mode: null });
      await expectCode(filesystem.openFile(await named(filesystem, 'tiny')), 'FS_NOT_FOUND');
      expect((await filesystem.openFile(await named(filesystem, 'big'))).sizeBytes).toBe(2_500_000);
    });

    test('the healthy image carries the checksum this test relies on', async () => {
      const raw = await readBytes(memoryDevice(healthy), 1024, 1024);
      expect(crc32c(0xffffffff, raw.subarray(0, 0x3fc))).toBe(raw.readUInt32LE(0x3fc));
    });
  });
});
