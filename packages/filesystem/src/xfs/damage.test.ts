import { readFile } from 'node:fs/promises';
import { type BlockDevice, type Extent, memoryDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem, FilesystemReader } from '../filesystem.ts';
import { describeNeeding, expectCode, makeScratch, mutationContract, type Scratch, treeOfFilesystem } from '../testing/index.ts';
import { readGroupHeader } from './groupHeader.ts';
import { xfsReader } from './index.ts';
import { InodeCache } from './inodes.ts';
import { mapFile } from './mapping.ts';
import { sealOf } from './seal.ts';
import { readSuperblock } from './superblock.ts';
import { metadataOf, resealedDevice } from './testing/metadata.ts';
import { makePlainImage, type PlainImage } from './testing/xfsImage.ts';

async function bytesOf(wanted: PlainImage): Promise<Buffer> {
  const scratch = await makeScratch();
  try {
    return await readFile((await makePlainImage(scratch, wanted)).image);
  } finally {
    await scratch.dispose();
  }
}

async function imageToDamage(wanted: PlainImage): Promise<{ bytes: Buffer; metadata: Extent[] }> {
  const bytes = await bytesOf(wanted);
  return { bytes, metadata: await metadataOf(bytes) };
}

/** Reads version 5 as if whoever damaged it had set the checksums right. */
const resealingReader: FilesystemReader = {
  kinds: xfsReader.kinds,
  probe: xfsReader.probe,
  open: async (device) => xfsReader.open(resealedDevice(device, await readSuperblock(device))),
};

async function named(filesystem: Filesystem, name: string): Promise<DirectoryEntry> {
  for await (const entry of filesystem.readDirectory(await filesystem.root())) if (entry.name === name) return entry;
  throw new Error(`no ${name}`);
}

const tooFewGroups = 'one group makes every warning concern the whole volume';

describeNeeding({ tools: ['mkfs.xfs'] }, 'XFS, damaged', () => {
  const runs = Number(process.env.DISKFLEET_FUZZ_RUNS ?? 300);
  const version4 = ['-m', 'crc=0'];
  const layouts: readonly [string, PlainImage, FilesystemReader][] = [
    ['XFS version 4', { name: 'm4', sizeMiB: 16, options: version4, scale: 120 }, xfsReader],
    [
      'XFS version 4, 512-byte blocks',
      { name: 'm4s', sizeMiB: 20, options: [...version4, '-b', 'size=512'], scale: 600 },
      xfsReader,
    ],
    ['XFS version 5', { name: 'm5', sizeMiB: 32, scale: 120 }, xfsReader],
    [
      'XFS version 5, checksums set right again',
      { name: 'm5r', sizeMiB: 36, options: ['-b', 'size=1024'], scale: 600 },
      resealingReader,
    ],
  ];
  for (const [title, wanted, reader] of layouts) {
    mutationContract(title, { reader, runs, makeImage: () => imageToDamage(wanted) });
  }

  describe('one thing wrong', () => {
    let scratch: Scratch;
    let healthy: Buffer;
    beforeAll(async () => {
      scratch = await makeScratch();
      healthy = await bytesOf({ name: 'h', sizeMiB: 64, options: ['-b', 'size=1024', '-d', 'agcount=4'], scale: 600 });
    });
    afterAll(() => scratch?.dispose());

    const groupBytes = 16 << 20;

    /** Breaks a copy of the healthy image and opens it. */
    function broken(breakIt: (bytes: Buffer) => void): BlockDevice {
      const bytes = Buffer.from(healthy);
      breakIt(bytes);
      return memoryDevice(bytes);
    }

    async function mapAfter(breakIt: (bytes: Buffer) => void) {
      return (await xfsReader.open(broken(breakIt))).usedMap();
    }

    /** Writes a number and makes the checksum of its sector or block right. */
    function rewrite(bytes: Buffer, part: { at: number; length: number; field: number }, change: (part: Buffer) => void): void {
      const piece = bytes.subarray(part.at, part.at + part.length);
      change(piece);
      piece.writeUInt32LE(sealOf(piece, part.field), part.field);
    }

    const head = (group: number) => ({ at: group * groupBytes + 512, length: 512, field: 216 });
    const list = (group: number) => ({ at: group * groupBytes + 3 * 512, length: 512, field: 32 });

    async function volumeOf(bytes: Buffer) {
      const device = memoryDevice(bytes);
      return { device, superblock: await readSuperblock(device) };
    }

    async function treeRoot(group: number) {
      const header = await readGroupHeader(await volumeOf(healthy), group);
      if (typeof header === 'string') throw new Error(header);
      return { at: group * groupBytes + header.rootBlock * 1024, length: 1024, field: 52 };
    }

    test('the healthy image has what the others break', async () => {
      const filesystem = await xfsReader.open(memoryDevice(healthy));
      expect((await filesystem.usedMap()).warnings).toEqual([]);
      expect((await volumeOf(healthy)).superblock, tooFewGroups).toMatchObject({ groupCount: 4, groupBlocks: groupBytes / 1024 });
    });

    function expectGroupWhole(map: Awaited<ReturnType<typeof mapAfter>>, group: number, reason: string): void {
      expect(map.warnings).toEqual([`${reason}: allocation group ${group} was taken whole.`]);
      const [start, end] = [group * groupBytes, (group + 1) * groupBytes];
      expect(map.extents.some((extent) => extent.offsetBytes <= start && extent.offsetBytes + extent.lengthBytes >= end)).toBe(
        true,
      );
      expect(map.usedBytes).toBeLessThan(healthy.length);
    }

    test('a flipped bit in a header: that group is taken whole and named', async () => {
      const map = await mapAfter((bytes) => bytes.writeUInt8(1, head(2).at + 53));
      expectGroupWhole(map, 2, 'The header of an allocation group fails its checksum');
    });

    test('a header gone', async () => {
      const map = await mapAfter((bytes) => bytes.fill(0, head(1).at, head(1).at + 512));
      expectGroupWhole(map, 1, 'The header of an allocation group is missing');
    });

    test('a header of another group', async () => {
      const map = await mapAfter((bytes) => rewrite(bytes, head(3), (part) => part.writeUInt32BE(1, 8)));
      expectGroupWhole(map, 3, 'The header of an allocation group contradicts the superblock');
    });

    test('a wrong count of free blocks', async () => {
      const map = await mapAfter((bytes) => rewrite(bytes, head(3), (part) => part.writeUInt32BE(part.readUInt32BE(52) - 1, 52)));
      expectGroupWhole(map, 3, 'The tree of free space of an allocation group and its count of free blocks disagree');
    });

    test('a flipped bit in a tree', async () => {
      const { at } = await treeRoot(2);
      const map = await mapAfter((bytes) => bytes.writeUInt8((bytes[at + 1000] ?? 0) ^ 4, at + 1000));
      expectGroupWhole(map, 2, 'The tree of free space of an allocation group fails its checksum');
    });

    test('a tree whose runs leave the group', async () => {
      const root = await treeRoot(2);
      const map = await mapAfter((bytes) => rewrite(bytes, root, (part) => part.writeUInt32BE(groupBytes / 1024, 56)));
      expectGroupWhole(map, 2, 'The tree of free space of an allocation group is damaged');
    });

    test('a tree that is its own child', async () => {
      const root = await treeRoot(2);
      const map = await mapAfter((bytes) => {
        rewrite(bytes, head(2), (part) => part.writeUInt32BE(2, 28));
        rewrite(bytes, root, (part) => {
          part.writeUInt16BE(1, 4);
          part.writeUInt16BE(1, 6);
          part.writeUInt32BE((root.at % groupBytes) / 1024, 56 + Math.floor((1024 - 56) / 12) * 8);
        });
      });
      expectGroupWhole(map, 2, 'The tree of free space of an allocation group is damaged');
    });

    test('the tree of another group, copied here', async () => {
      const [from, to] = [await treeRoot(1), await treeRoot(2)];
      const map = await mapAfter((bytes) => bytes.copy(bytes, to.at, from.at, from.at + 1024));
      expectGroupWhole(map, 2, 'The tree of free space of an allocation group fails its checksum');
    });

    test('a free list that names blocks outside, or free ones', async () => {
      const outside = await mapAfter((bytes) => rewrite(bytes, list(1), (part) => part.fill(0x7f, 36)));
      expectGroupWhole(outside, 1, 'The free list of an allocation group is damaged');
      const torn = await mapAfter((bytes) => bytes.writeUInt8(9, list(1).at + 40));
      expectGroupWhole(torn, 1, 'The free list of an allocation group is damaged');
      const last = groupBytes / 1024 - 1;
      const twice = await mapAfter((bytes) => {
        rewrite(bytes, list(1), (part) => {
          for (let at = 36; at < 512; at += 4) part.writeUInt32BE(last, at);
        });
        rewrite(bytes, head(1), (part) => {
          part.writeUInt32BE(0, 40);
          part.writeUInt32BE(0, 44);
          part.writeUInt32BE(1, 48);
        });
      });
      expectGroupWhole(twice, 1, 'The tree of free space of an allocation group and its free list overlap');
    });

    test('a wrong count in the superblock: everything is taken', async () => {
      const superblock = { at: 0, length: 512, field: 224 };
      const map = await mapAfter((bytes) => rewrite(bytes, superblock, (part) => part.writeBigUInt64BE(77n, 144)));
      expect(map.warnings).toEqual(['The count of free blocks in the superblock is wrong: the whole filesystem was taken.']);
      expect(map.usedBytes).toBe(healthy.length);
    });

    test('a superblock with a wrong checksum, or marked for repair: everything is taken, and it is not clean', async () => {
      const torn = await xfsReader.open(broken((bytes) => bytes.writeUInt8(0x55, 110)));
      expect(torn.info.clean).toBe(false);
      expect((await torn.usedMap()).warnings).toEqual(['The superblock fails its checksum: the whole filesystem was taken.']);
      const sick = await xfsReader.open(
        broken((bytes) =>
          rewrite(bytes, { at: 0, length: 512, field: 224 }, (part) => part.writeUInt8(part.readUInt8(219) | 0x10, 219)),
        ),
      );
      expect(sick.info.clean).toBe(false);
      expect((await sick.usedMap()).warnings).toEqual([
        'The volume is marked as in need of repair: the whole filesystem was taken.',
      ]);
    });

    test.each<[string, number, number, 'FS_DAMAGED' | 'FS_UNSUPPORTED']>([
      ['features of the future', 217, 0x02, 'FS_UNSUPPORTED'],
      ['still being made', 126, 1, 'FS_DAMAGED'],
      ['sectors larger than blocks', 102, 0x10, 'FS_DAMAGED'],
      ['more blocks than the volume', 12, 1, 'FS_DAMAGED'],
      ['groups without end', 88, 0x40, 'FS_DAMAGED'],
      ['inodes of no size', 104, 0, 'FS_DAMAGED'],
      ['huge folder blocks', 192, 40, 'FS_DAMAGED'],
      ['a wrong logarithm', 124, 63, 'FS_DAMAGED'],
    ])('a superblock with %s', async (_title, at, value, code) => {
      await expectCode(
        xfsReader.open(
          broken((bytes) =>
            rewrite(bytes, { at: 0, length: 512, field: 224 }, (part) => {
              part.writeUInt8(value, at);
              if (at === 104) part.writeUInt8(0, 105);
            }),
          ),
        ),
        code,
      );
    });

    async function inodePlace(name: string): Promise<number> {
      const number = Number((await named(await xfsReader.open(memoryDevice(healthy)), name)).ref);
      const { superblock } = await volumeOf(healthy);
      const perGroup = 2 ** (superblock.groupBlocksLog + superblock.inodesPerBlockLog);
      return Math.floor(number / perGroup) * groupBytes + (number % perGroup) * superblock.inodeBytes;
    }

    test('a damaged inode is still listed, as something that cannot be opened', async () => {
      const at = await inodePlace('tiny');
      expect(healthy.readUInt16BE(at)).toBe(0x494e);
      for (const [offset, code] of [
        [60, 'FS_DAMAGED'],
        [200, 'FS_DAMAGED'],
      ] as const) {
        const filesystem = await xfsReader.open(broken((bytes) => bytes.writeUInt8(0x99, at + offset)));
        const tiny = await named(filesystem, 'tiny');
        expect(tiny).toMatchObject({ type: 'other', sizeBytes: 0, modifiedAtMs: null, mode: null });
        await expectCode(filesystem.openFile(tiny), code);
        expect((await filesystem.openFile(await named(filesystem, 'big'))).sizeBytes).toBe(1_500_000);
      }
    });

    test('a free inode, one with the name of another, one on the realtime device', async () => {
      const at = await inodePlace('tiny');
      const inode = { at, length: 512, field: 100 };
      const tiny = await named(await xfsReader.open(memoryDevice(healthy)), 'tiny');
      const after = async (change: (part: Buffer) => void) => xfsReader.open(broken((bytes) => rewrite(bytes, inode, change)));
      await expectCode((await after((part) => part.writeUInt16BE(0, 2))).openFile(tiny), 'FS_NOT_FOUND');
      await expectCode((await after((part) => part.writeUInt8(7, 159))).openFile(tiny), 'FS_DAMAGED');
      await expectCode((await after((part) => part.writeUInt16BE(1, 90))).openFile(tiny), 'FS_UNSUPPORTED');
      await expectCode((await after((part) => part.writeUInt8(1, 5))).openFile(tiny), 'FS_DAMAGED');
      await expectCode((await after((part) => part.writeUInt32BE(5000, 76))).openFile(tiny), 'FS_DAMAGED');
      await expectCode((await after((part) => part.writeUInt8(0xff, 82))).openFile(tiny), 'FS_DAMAGED');
    });

    test('a damaged block of a folder is an error of that folder alone', async () => {
      const volume = await volumeOf(healthy);
      const filesystem = await xfsReader.open(memoryDevice(healthy));
      const many = await named(filesystem, 'many');
      const runs = await mapFile(volume, await new InodeCache(volume).read(Number(many.ref)));
      const block = runs[1]?.physical ?? 0;
      const sick = await xfsReader.open(broken((bytes) => bytes.writeUInt8(0xee, block * 1024 + 600)));
      await expectCode(treeOfFilesystem({ ...sick, root: async () => many }), 'FS_DAMAGED');
      expect(await named(sick, 'big')).toMatchObject({ type: 'file' });
    });

    test('a tree of extents that loops or lies', async () => {
      const at = await inodePlace('many');
      const root = healthy.subarray(at + 176, at + 512);
      expect(healthy.readUInt8(at + 5), 'the folder has a tree').toBe(3);
      const most = Math.floor((512 - 176 - 4) / 16);
      const many = await named(await xfsReader.open(memoryDevice(healthy)), 'many');
      const list = async (change: (fork: Buffer) => void) => {
        const filesystem = await xfsReader.open(
          broken((bytes) => rewrite(bytes, { at, length: 512, field: 100 }, (part) => change(part.subarray(176)))),
        );
        for await (const entry of filesystem.readDirectory(many)) if (entry.name === '') throw new Error('no name');
      };
      await list(() => {});
      const child = root.readBigUInt64BE(4 + most * 8);
      await expectCode(
        list((fork) => {
          fork.writeUInt16BE(2, 2);
          fork.writeBigUInt64BE(child, 4 + most * 8 + 8);
        }),
        'FS_DAMAGED',
      );
      await expectCode(
        list((fork) => fork.writeUInt16BE(9, 0)),
        'FS_DAMAGED',
      );
      await expectCode(
        list((fork) => fork.writeUInt16BE(0, 2)),
        'FS_DAMAGED',
      );
      await expectCode(
        list((fork) => fork.writeBigUInt64BE(2n ** 62n, 4 + most * 8)),
        'FS_DAMAGED',
      );
    });
  });
});
