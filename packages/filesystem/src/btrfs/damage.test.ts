import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, memoryDevice, subtractExtents } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fill, noise } from '../ext/testing/extContent.ts';
import type { Filesystem } from '../filesystem.ts';
import {
  describeNeeding,
  expectCode,
  makeScratch,
  mutationContract,
  runTool,
  type Scratch,
  treeOfFilesystem,
} from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { type ImageOptions, makeBtrfsImage, subvolume, withMounted } from './testing/btrfsImage.ts';
import { metadataOf, resealedDevice, seal } from './testing/resealed.ts';

async function fillLittle(folder: string): Promise<void> {
  await fill(folder, 60);
  await writeFile(join(folder, 'big'), noise(300_000, 3));
  await writeFile(join(folder, 'compressed'), 'as ever and ever '.repeat(20_000));
  await writeFile(join(await subvolume(folder, 'sub'), 'inside'), 'x');
}

async function makeBytes(wanted: ImageOptions): Promise<Buffer> {
  const scratch = await makeScratch();
  try {
    return await readFile((await makeBtrfsImage(scratch, wanted)).image);
  } finally {
    await scratch.dispose();
  }
}

const runs = Number(process.env.DISKFLEET_FUZZ_RUNS ?? 400);
const tools = ['mkfs.btrfs', 'btrfs', 'losetup', 'mount'];

describeNeeding({ tools, root: true }, 'btrfs, damaged', () => {
  const small: ImageOptions = { name: 'm', sizeMiB: 24, options: ['--mixed', '-n', '4096'], fill: fillLittle };
  const layouts: readonly [string, ImageOptions][] = [
    ['as it is, zstd', { ...small, mountOptions: 'compress-force=zstd' }],
    ['16 KiB nodes, two copies', { ...small, sizeMiB: 110, options: [], mountOptions: 'compress-force=lzo' }],
  ];
  for (const [title, wanted] of layouts) {
    mutationContract(title, {
      reader: btrfsReader,
      runs: Math.ceil(runs / 2),
      makeImage: async () => {
        const bytes = await makeBytes(wanted);
        return { bytes, metadata: metadataOf(bytes) };
      },
    });
  }
  for (const compression of ['zlib', 'lzo', 'zstd']) {
    mutationContract(`checksums made right again, ${compression}`, {
      reader: { ...btrfsReader, open: (device) => btrfsReader.open(resealedDevice(device)) },
      runs,
      makeImage: async () => {
        const bytes = await makeBytes({ ...small, mountOptions: `compress-force=${compression}` });
        return { bytes, metadata: metadataOf(bytes) };
      },
    });
  }
  mutationContract('every used byte, lzo', {
    reader: { ...btrfsReader, open: (device) => btrfsReader.open(resealedDevice(device)) },
    runs,
    makeImage: async () => ({ bytes: await makeBytes({ ...small, mountOptions: 'compress-force=lzo' }) }),
  });

  mutationContract('a log to replay', {
    reader: { ...btrfsReader, open: (device) => btrfsReader.open(resealedDevice(device)) },
    runs,
    makeImage: async () => {
      const scratch = await makeScratch();
      try {
        const image = await scratch.sparseFile('live.img', 24 << 20);
        await runTool('mkfs.btrfs', ['-q', '-f', '--mixed', '-n', '4096', image]);
        let bytes = Buffer.alloc(0);
        await withMounted(scratch, image, 'commit=300', async (folder) => {
          for (let index = 0; index < 40; index++) {
            const file = await open(join(folder, `synced${index}`), 'w');
            await file.write(noise(index * 300, index));
            await file.sync();
            await file.close();
          }
          bytes = await readFile(image);
        });
        expect((await btrfsReader.open(memoryDevice(bytes))).info.clean).toBe(false);
        return { bytes, metadata: metadataOf(bytes) };
      } finally {
        await scratch.dispose();
      }
    },
  });

  describe('one thing wrong', () => {
    let scratch: Scratch;
    let healthy: Buffer;
    let healthyExtents: readonly Extent[];
    const superblock = 65536;
    const nodeBytes = 16384;
    beforeAll(async () => {
      scratch = await makeScratch();
      const folders = async (folder: string) => {
        await fill(folder, 500);
        for (let index = 0; index < 300; index++) await writeFile(join(folder, `file${index}`), noise(5000, index));
      };
      healthy = await readFile((await makeBtrfsImage(scratch, { name: 'h', sizeMiB: 160, fill: folders })).image);
      healthyExtents = (await (await openBytes(healthy)).usedMap()).extents;
    });
    afterAll(() => scratch?.dispose());
    const openBytes = (bytes: Buffer): Promise<Filesystem> => btrfsReader.open(memoryDevice(bytes));

    /** Where all copies of the nodes in use of a tree lie. */
    function nodesOf(owner: number, level: number): number[] {
      const found: number[] = [];
      for (const { offsetBytes, lengthBytes } of healthyExtents) {
        for (let at = offsetBytes; at + nodeBytes <= offsetBytes + lengthBytes; at += 4096) {
          if (!healthy.subarray(at + 0x20, at + 0x30).equals(healthy.subarray(superblock + 0x20, superblock + 0x30))) continue;
          if (healthy.readBigUInt64LE(at + 0x58) !== BigInt(owner) || healthy.readUInt8(at + 0x64) !== level) continue;
          if (at < 1 << 20) continue;
          found.push(at);
        }
      }
      return found;
    }

    /** Breaks a copy of the healthy image. */
    async function after(breakIt: (bytes: Buffer) => void): Promise<Filesystem> {
      const bytes = Buffer.from(healthy);
      breakIt(bytes);
      return openBytes(bytes);
    }

    test('one of two copies of every node gone: nothing is lost, nothing is taken whole', async () => {
      const expected = await treeOfFilesystem(await openBytes(healthy));
      for (const which of [0, 1]) {
        const filesystem = await after((bytes) => {
          const seen = new Map<bigint, number>();
          for (const owner of [1, 2, 5, 7, 10]) {
            for (const level of [0, 1]) {
              for (const at of nodesOf(owner, level)) {
                const logical = healthy.readBigUInt64LE(at + 0x30);
                const copy = seen.get(logical) ?? 0;
                seen.set(logical, copy + 1);
                if (copy === which) bytes.fill(0xee, at + 200, at + 300);
              }
            }
          }
        });
        const map = await filesystem.usedMap();
        expect(map).toMatchObject({ warnings: [], extents: healthyExtents });
        expect(await treeOfFilesystem(filesystem)).toEqual(expected);
      }
    });

    test('a damaged leaf of the extent tree: the chunks it may have named are taken whole', async () => {
      const leaves = nodesOf(2, 0);
      expect(nodesOf(2, 1).length).toBeGreaterThan(0);
      const victim = healthy.readBigUInt64LE((leaves[0] ?? 0) + 0x30);
      const map = await (
        await after((bytes) => {
          for (const at of leaves)
            if (healthy.readBigUInt64LE(at + 0x30) === victim) bytes[at + 400] = 0x77 ^ (bytes[at + 400] ?? 0);
        })
      ).usedMap();
      expect(map.warnings).toHaveLength(1);
      expect(map.warnings[0]).toMatch(/^The extent tree is damaged: .* taken whole\.$/);
      expect(subtractExtents(healthyExtents, map.extents)).toEqual([]);
    });

    test('the root of the extent tree gone: every chunk is taken whole', async () => {
      const roots = nodesOf(2, 1);
      const map = await (
        await after((bytes) => {
          for (const at of roots) bytes.fill(0, at, at + nodeBytes);
        })
      ).usedMap();
      expect(map.warnings).toEqual([expect.stringMatching(/^The extent tree is damaged: \d+ chunks .* were taken whole\.$/)]);
      expect(subtractExtents(healthyExtents, map.extents)).toEqual([]);
      expect(map.usedBytes).toBeLessThan(healthy.length);
    });

    test('the chunk tree gone: the whole device is taken', async () => {
      const filesystem = await after((bytes) => {
        for (const at of nodesOf(3, 0)) bytes.fill(0, at, at + nodeBytes);
      });
      const map = await filesystem.usedMap();
      expect(map.extents).toEqual([{ offsetBytes: 0, lengthBytes: healthy.length }]);
      expect(map.warnings).toEqual([
        expect.stringMatching(/^The chunk map cannot be read .*: the whole filesystem was taken\.$/),
      ]);
      await expectCode(filesystem.root(), 'FS_DAMAGED');
    });

    test('an extent removed under a right checksum: the count of its block group gives it away', async () => {
      const leaf = nodesOf(2, 0);
      const bytes = Buffer.from(healthy);
      const victim = healthy.readBigUInt64LE((leaf[0] ?? 0) + 0x30);
      for (const at of leaf.filter((one) => healthy.readBigUInt64LE(one + 0x30) === victim)) {
        const type = Array.from({ length: 9 }, (_, index) => at + 101 + (index + 1) * 25 + 8).find((one) =>
          [168, 169].includes(bytes[one] ?? 0),
        );
        if (type === undefined) throw new Error('no extent at the head of the leaf');
        // Still an item, of a type that says nothing about space.
        bytes[type] = 167;
        seal(bytes.subarray(at, at + nodeBytes));
      }
      const map = await (await openBytes(bytes)).usedMap();
      expect(map.warnings).toEqual([
        expect.stringMatching(
          /^The extents of a chunk and the count of its block group disagree: the chunk at \d+ was taken whole\.$/,
        ),
      ]);
      expect(subtractExtents(healthyExtents, map.extents)).toEqual([]);
    });

    test('the first superblock damaged: the copy at 64 MiB serves, and every chunk is taken whole', async () => {
      const filesystem = await after((bytes) => bytes.fill(0xff, superblock + 0x300, superblock + 0x310));
      expect(filesystem.info).toEqual((await openBytes(healthy)).info);
      const map = await filesystem.usedMap();
      expect(map.warnings).toEqual([expect.stringMatching(/^The first superblock is damaged or older than a copy: /)]);
      expect(subtractExtents(healthyExtents, map.extents)).toEqual([]);
      expect((await treeOfFilesystem(filesystem)).size).toBeGreaterThan(800);
    });

    test('both superblocks damaged: a coded error', async () => {
      await expectCode(
        after((bytes) => {
          for (const at of [superblock, 64 << 20]) bytes.fill(0xff, at + 0x300, at + 0x310);
        }),
        'FS_DAMAGED',
      );
    });

    test('a copy of an older filesystem at 64 MiB is ignored, even with a higher generation', async () => {
      const filesystem = await after((bytes) => {
        const copy = bytes.subarray(64 << 20, (64 << 20) + 4096);
        copy.fill(0x11, 0x20, 0x30);
        copy.writeBigUInt64LE(1_000_000n, 0x48);
        seal(copy);
      });
      expect(await filesystem.usedMap()).toMatchObject({ warnings: [], extents: healthyExtents });
    });

    test('only a copy left at 64 MiB is no btrfs: it may be older than what is there now', async () => {
      const bytes = Buffer.from(healthy);
      bytes.fill(0, 0, 1 << 20);
      expect(await btrfsReader.probe(memoryDevice(bytes))).toBe(false);
    });

    const future: readonly [string, (block: Buffer) => void][] = [
      ['an unknown incompatible feature', (block) => block.writeBigUInt64LE(block.readBigUInt64LE(0xbc) | (1n << 40n), 0xbc)],
      ['a zoned volume', (block) => block.writeUInt32LE(block.readUInt32LE(0xbc) | 0x1000, 0xbc)],
      ['extent tree v2', (block) => block.writeUInt32LE(block.readUInt32LE(0xbc) | 0x2000, 0xbc)],
      ['a dump of metadata', (block) => block.writeUInt32LE(2, 0x3c)],
      ['checksums of the future', (block) => block.writeUInt16LE(9, 0xc4)],
    ];
    test.each(future)('%s is refused by name', async (_, change) => {
      const filesystem = after((bytes) => {
        for (const at of [superblock, 64 << 20]) {
          const block = bytes.subarray(at, at + 4096);
          change(block);
          seal(block);
        }
      });
      await expectCode(filesystem, 'FS_UNSUPPORTED');
    });

    const storedOtherwise: readonly [string, number, 'FS_ENCRYPTED_FILE' | 'FS_UNSUPPORTED'][] = [
      ['encrypted', 17, 'FS_ENCRYPTED_FILE'],
      ['compressed in a way of the future', 16, 'FS_UNSUPPORTED'],
      ['encoded in a way of the future', 18, 'FS_UNSUPPORTED'],
    ];
    test.each(storedOtherwise)('a file that is %s is listed, and refused by name when it is opened', async (_, field, code) => {
      const filesystem = await after((bytes) => {
        for (const at of nodesOf(5, 0)) {
          for (let index = 0; index < bytes.readUInt32LE(at + 0x60); index++) {
            const item = at + 101 + index * 25;
            if (bytes[item + 8] === 108) bytes.writeUInt8(9, at + 101 + bytes.readUInt32LE(item + 17) + field);
          }
          seal(bytes.subarray(at, at + nodeBytes));
        }
      });
      let refused = 0;
      for await (const entry of filesystem.readDirectory(await filesystem.root())) {
        if (entry.type !== 'file' || entry.sizeBytes === 0) continue;
        await expectCode(filesystem.openFile(entry), code);
        refused++;
      }
      expect(refused).toBeGreaterThan(300);
    });

    test('an error flag is not clean', async () => {
      const filesystem = await after((bytes) => {
        const block = bytes.subarray(superblock, superblock + 4096);
        block.writeUInt32LE(block.readUInt32LE(0x38) | 4, 0x38);
        seal(block);
      });
      expect(filesystem.info.clean).toBe(false);
    });
  });
});
