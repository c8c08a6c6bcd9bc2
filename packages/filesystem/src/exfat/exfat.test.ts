/** What is particular to exFAT, on volumes made by the real tools and, where those cannot make it, patched by hand. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryDevice, openFileDevice, sliceDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFilesystem } from '../readers.ts';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  partcloneUsedExtents,
  runTool,
  type Scratch,
  treeOfFilesystem,
  treeOfFolder,
} from '../testing/index.ts';
import type { ExfatGeometry } from './bootSector.ts';
import { bootChecksum, setChecksum } from './checksums.ts';
import { exfatReader } from './reader.ts';
import { decodeTime } from './slotSet.ts';
import {
  EXFAT_NEEDS,
  fillMixed,
  find,
  list,
  load,
  MIB,
  makeExfat,
  names,
  noise,
  open,
  partcloneMap,
  variants,
} from './testing/exfatImage.ts';
import { decodeUpcaseTable, usualUpcaseTable } from './upcaseTable.ts';

const offsetOf = (geometry: ExfatGeometry, cluster: number) => geometry.dataOffsetBytes + (cluster - 2) * geometry.clusterBytes;

/** Where the root directory's slot of this type lies. */
function rootSlot(bytes: Buffer, geometry: ExfatGeometry, type: number): number {
  const root = offsetOf(geometry, geometry.rootCluster);
  for (let at = root; at < root + geometry.clusterBytes; at += 32) if (bytes.readUInt8(at) === type) return at;
  throw new Error('no such slot in the first cluster of the root directory');
}

/** Writes the checksum of the set at `at` anew. */
function seal(bytes: Buffer, at: number): void {
  const set = bytes.subarray(at, at + 32 * (1 + bytes.readUInt8(at + 1)));
  set.writeUInt16LE(setChecksum(set), 2);
}

/** Writes the checksum of the first boot region anew. */
function sealBoot(bytes: Buffer): void {
  const sum = bootChecksum(bytes.subarray(0, 11 * 512));
  for (let at = 11 * 512; at < 12 * 512; at += 4) bytes.writeUInt32LE(sum, at);
}

const setOf = (ref: string) => Number(/@(\d+)/.exec(ref)?.[1]);

describeNeeding(EXFAT_NEEDS, 'exFAT volumes of mkfs.exfat and exfat-fuse', () => {
  let scratch: Scratch;
  /** 512-byte clusters, so that folders lie in pieces. */
  let path: string;
  let bytes: Buffer;
  let geometry: ExfatGeometry;
  beforeAll(async () => {
    scratch = await makeScratch();
    const variant = { title: 'shared', sizeBytes: 8 * MIB, mkfs: ['-c', '512', '-L', 'Grüße'] };
    path = (await makeExfat(scratch, variant, fillMixed)).path;
    ({ bytes, geometry } = await load(path));
  });
  afterAll(() => scratch.dispose());
  const copy = () => Buffer.from(bytes);

  describe('what a volume says of itself', () => {
    it.each(variants)('agrees with blkid: $title', async (variant) => {
      const image = await makeExfat(scratch, { ...variant, title: `blkid ${variant.title}` });
      const { info } = await open((await load(image.path)).bytes);
      const blkid = async (tag: string) =>
        (await runTool('blkid', ['-p', '-s', tag, '-o', 'value', image.path]).catch(() => '')).trim();
      expect(info.kind).toBe('exfat');
      expect(info.uuid).toBe(await blkid('UUID'));
      expect(info.label).toBe(await blkid('LABEL'));
      expect(String(info.blockBytes)).toBe(await blkid('BLOCK_SIZE'));
      expect(info.clean).toBe(true);
      expect(variant.sizeBytes - info.totalBytes).toBeLessThan(variant.sectorBytes ?? 512);
    });

    it('is found among all formats', async () => {
      expect((await openFilesystem(memoryDevice(bytes)))?.info).toMatchObject({ kind: 'exfat', label: 'Grüße' });
    });

    it('tells that it is mounted or was not unmounted', async () => {
      const dirty = copy();
      dirty.writeUInt16LE(2, 106);
      // The flag is outside of the checksum: nothing else is amiss.
      const opened = await open(dirty);
      expect(opened.info.clean).toBe(false);
      expect((await opened.usedMap()).warnings).toEqual([]);
    });

    it('has no label and no serial where there is none', async () => {
      const bare = copy();
      bare.writeUInt8(0x03, rootSlot(bare, geometry, 0x83));
      bare.writeUInt32LE(0, 100);
      sealBoot(bare);
      expect((await open(bare)).info).toMatchObject({ label: '', uuid: '' });
    });
  });

  describe('the boot region', () => {
    const warningsOf = async (damaged: Buffer) => (await (await open(damaged)).usedMap()).warnings;

    it.each([
      ['its magic is there and its numbers are not', (b: Buffer) => b.fill(0xff, 64, 112)],
      ['it is all zeros', (b: Buffer) => b.fill(0, 0, 512)],
      ['its checksum does not hold', (b: Buffer) => b.writeUInt8(7, 300)],
      ['the sector size is wrong', (b: Buffer) => b.writeUInt8(11, 108)],
    ])('is replaced by its copy where %s', async (_, harm) => {
      const damaged = copy();
      harm(damaged);
      expect(await exfatReader.probe(memoryDevice(damaged))).toBe(true);
      expect(await warningsOf(damaged)).toEqual(['The boot sector is damaged; its copy was used.']);
      expectSameTree(await treeOfFilesystem(await open(damaged)), await treeOfFilesystem(await open(bytes)));
    });

    it('is believed with a warning when neither checksum holds', async () => {
      const damaged = copy();
      damaged.writeUInt8(7, 300);
      damaged.writeUInt8(7, 12 * 512 + 300);
      expect(await warningsOf(damaged)).toEqual(['The checksum of the boot sector is wrong, and so is that of its copy.']);
    });

    it('does not come back from its copy when the volume has been made into something else', async () => {
      const [wiped, overwritten, swap] = [copy(), copy(), copy()];
      // wipefs takes only the magic away.
      wiped.fill(0, 3, 11);
      overwritten.set(noise(512, 1));
      swap.fill(0, 0, 1024);
      swap.write('SWAPSPACE2', 4086, 'latin1');
      const other = await scratch.sparseFile('other.img', 8 * MIB);
      await writeFile(other, bytes);
      await runTool('mkfs.ext4', ['-q', '-F', other]);
      for (const foreign of [wiped, overwritten, swap]) {
        expect(await exfatReader.probe(memoryDevice(foreign))).toBe(false);
        await expect(open(foreign)).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      }
      expect(await exfatReader.probe(memoryDevice(await readFile(other)))).toBe(false);
    });

    it('with numbers that do not fit each other is none', async () => {
      for (const [at, value] of [
        [80, 5],
        [84, 1],
        [88, geometry.fatOffsetBytes / 512],
        [92, 0xfffffff6],
        [92, 0],
        [96, 1],
        [96, 0xffffffff],
        [104, 0x0200],
      ] as const) {
        const damaged = copy();
        for (const region of [0, 12 * 512]) damaged.writeUInt32LE(value, region + at);
        sealBoot(damaged);
        expect(await exfatReader.probe(memoryDevice(damaged)), `${at}`).toBe(false);
      }
    });
  });

  describe('the used map', () => {
    it('leaves out what was deleted, and equals partclone’s on what is in pieces', async () => {
      const variant = { title: 'pieces', sizeBytes: 12 * MIB, mkfs: ['-c', '1024'] };
      const image = await makeExfat(scratch, variant, async (folder) => {
        for (let index = 0; index < 60; index += 1) await writeFile(join(folder, `piece ${index}`), noise(9000, index));
        for (let index = 0; index < 60; index += 2) await rm(join(folder, `piece ${index}`));
        await writeFile(join(folder, 'most of it'), noise(11 * MIB, 7)).catch(() => {});
        await writeFile(join(folder, 'fills the holes'), noise(200_000, 99)).catch(() => {});
        await rm(join(folder, 'most of it'));
        for (let index = 1; index < 60; index += 4) await rm(join(folder, `piece ${index}`));
        await writeFile(join(folder, 'contiguous'), noise(200_000, 98));
      });
      const filesystem = await open((await load(image.path)).bytes);
      const map = await filesystem.usedMap();
      expect(map.extents).toEqual(await partcloneMap(image.path, scratch));
      expect(map.extents.length).toBeGreaterThan(5);
      expectSameTree(await treeOfFilesystem(filesystem), image.tree, { ignore: ['mode'] });
      const layouts = new Set((await list(filesystem)).map(({ ref }) => ref.split(':')[2]));
      expect([...layouts].sort()).toEqual(['c', 't']);
      expect(map.usedBytes).toBeLessThan(4 * MIB);
    });

    it.each(variants)('is enough: a volume made of it alone mounts whole and passes fsck.exfat ($title)', async (variant) => {
      const image = await makeExfat(scratch, { ...variant, title: `whole ${variant.title}` }, fillMixed);
      const source = await readFile(image.path);
      const { extents } = await (await open(source)).usedMap();
      // What is left out comes back as noise, not as the zeros that free clusters mostly hold.
      const restored = Buffer.alloc(source.length, 0xa5);
      for (const { offsetBytes, lengthBytes } of extents)
        source.copy(restored, offsetBytes, offsetBytes, offsetBytes + lengthBytes);
      const path = scratch.path(`restored ${variant.title}.img`);
      await writeFile(path, restored);
      const loop = await scratch.attach(path, undefined, variant.sectorBytes);
      expect(await runTool('fsck.exfat', ['-n', loop])).toContain('clean');
      const folder = await scratch.mount(loop, 'exfat-fuse', 'ro');
      expectSameTree(await treeOfFolder(folder), image.tree, { ignore: ['mode'] });
      await scratch.unmount(folder);
      await scratch.detach(loop);
    });

    it('of a bitmap larger than one reading equals partclone’s', async () => {
      // 36 GiB of 4 KiB clusters: 1.1 MiB of bitmap.
      const variant = { title: 'large', sizeBytes: 36 * 1024 * MIB, mkfs: ['-c', '4096'] };
      const image = await makeExfat(scratch, variant, async (folder) => {
        await writeFile(join(folder, 'a file'), noise(50_000, 1));
      });
      const device = await openFileDevice(image.path);
      const { extents } = await (await exfatReader.open(device)).usedMap();
      expect(extents).toEqual(await partcloneUsedExtents('partclone.exfat', image.path, scratch));
      await device.close();
    });

    it.each([
      ['names no bitmap', (b: Buffer) => b.writeUInt8(0x01, rootSlot(b, geometry, 0x81)), 'There is no allocation bitmap'],
      [
        'points the bitmap outside',
        (b: Buffer) => b.writeUInt32LE(0xfffffff0, rootSlot(b, geometry, 0x81) + 20),
        'chain of the allocation bitmap is damaged',
      ],
      [
        'points it to free clusters',
        (b: Buffer) => {
          const at = rootSlot(b, geometry, 0x81) + 20;
          const needed = Math.ceil(geometry.clusterCount / 8 / 512);
          const first = geometry.clusterCount - needed;
          b.writeUInt32LE(first, at);
          for (let cluster = first; cluster < first + needed; cluster += 1)
            b.writeUInt32LE(cluster + 1, geometry.fatOffsetBytes + cluster * 4);
        },
        'calls clusters free that are in use',
      ],
    ])('is the whole volume when the root directory %s', async (_, harm, warning) => {
      const damaged = copy();
      harm(damaged);
      const filesystem = await open(damaged);
      const map = await filesystem.usedMap();
      expect(map.extents).toEqual([{ offsetBytes: 0, lengthBytes: 8 * MIB }]);
      expect(map.warnings).toEqual([expect.stringContaining(warning)]);
      expect(await names(filesystem)).toEqual(await names(await open(bytes)));
    });

    it('is the whole volume when the bitmap says that a cluster of the root directory is free', async () => {
      const damaged = copy();
      const bitmap = offsetOf(geometry, damaged.readUInt32LE(rootSlot(damaged, geometry, 0x81) + 20));
      const index = geometry.rootCluster - 2;
      damaged.writeUInt8(damaged.readUInt8(bitmap + (index >> 3)) & ~(1 << (index & 7)), bitmap + (index >> 3));
      expect((await open(damaged)).info.usedBytes).toBe(8 * MIB);
    });

    it('takes the clusters a short bitmap does not speak of', async () => {
      const damaged = copy();
      damaged.writeBigUInt64LE(1000n, rootSlot(damaged, geometry, 0x81) + 24);
      const [short, healthy] = [await (await open(damaged)).usedMap(), await (await open(bytes)).usedMap()];
      expect(short.warnings).toEqual([expect.stringContaining(`the last ${geometry.clusterCount - 8000} clusters`)]);
      const last = short.extents.at(-1);
      expect(last && last.offsetBytes + last.lengthBytes).toBe(8 * MIB);
      expect(short.usedBytes).toBeGreaterThan(healthy.usedBytes);
    });

    it('is cut where the device is, with a warning', async () => {
      const cut = await exfatReader.open(sliceDevice(memoryDevice(bytes), 0, 5 * MIB));
      expect(cut.info.totalBytes).toBe(5 * MIB);
      expect((await cut.usedMap()).warnings).toEqual([expect.stringContaining(`only ${5 * MIB} of them are there`)]);
    });

    it('follows the second FAT and lays both bitmaps over each other where there are two (TexFAT)', async () => {
      const twin = copy();
      const fatBytes = Math.ceil(((geometry.clusterCount + 2) * 4) / 512) * 512;
      const second = geometry.fatOffsetBytes + fatBytes;
      expect(second + fatBytes).toBeLessThanOrEqual(geometry.dataOffsetBytes);
      twin.copy(twin, second, geometry.fatOffsetBytes, geometry.fatOffsetBytes + fatBytes);
      // The first FAT is void from here on: whoever looks at it fails.
      twin.fill(0, geometry.fatOffsetBytes, second);
      twin.writeUInt32LE(fatBytes / 512, 84);
      twin.writeUInt16LE(1, 106);
      twin.writeUInt8(2, 110);
      sealBoot(twin);
      const filesystem = await open(twin);
      expect((await filesystem.usedMap()).extents).toEqual((await (await open(bytes)).usedMap()).extents);
      expectSameTree(await treeOfFilesystem(filesystem), await treeOfFilesystem(await open(bytes)));
      // A second bitmap, in a free slot of a deleted file, of clusters at the end of the volume: one of them more is in use.
      const bitmapSlot = rootSlot(twin, geometry, 0x81);
      const needed = Math.ceil(geometry.clusterCount / 8 / 512);
      const first = geometry.clusterCount - needed;
      const at = offsetOf(geometry, first);
      const old = offsetOf(geometry, twin.readUInt32LE(bitmapSlot + 20));
      twin.copy(twin, at, old, old + needed * 512);
      for (let cluster = first; cluster <= first + needed; cluster += 1) {
        const index = cluster - 2;
        twin.writeUInt8(twin.readUInt8(at + (index >> 3)) | (1 << (index & 7)), at + (index >> 3));
        twin.writeUInt32LE(cluster + 1, second + cluster * 4);
      }
      const label = rootSlot(twin, geometry, 0x83);
      twin.copy(twin, label, bitmapSlot, bitmapSlot + 32);
      twin.writeUInt8(1, label + 1);
      twin.writeUInt32LE(first, label + 20);
      const both = await open(twin);
      expect((await both.usedMap()).warnings).toEqual([]);
      expect(both.info.usedBytes - filesystem.info.usedBytes).toBe((needed + 1) * 512);
    });
  });

  describe('folders and files', () => {
    it('of 3,000 files list whole, by name and by number', async () => {
      const variant = { title: 'many', sizeBytes: 16 * MIB, mkfs: ['-c', '512'] };
      const image = await makeExfat(scratch, variant, async (folder) => {
        await mkdir(join(folder, 'all of them'));
        for (let index = 0; index < 3000; index += 1)
          await writeFile(join(folder, 'all of them', `number ${index} of a folder in many pieces`), `${index}`);
      });
      expect(image.tree.size).toBe(3001);
      const filesystem = await open((await load(image.path)).bytes);
      expectSameTree(await treeOfFilesystem(filesystem), image.tree, { ignore: ['mode'] });
    });

    it('read as zero behind their valid bytes, whatever lies there', async () => {
      const patched = copy();
      const at = setOf((await find(await open(bytes), 'big.bin')).ref);
      patched.writeBigUInt64LE(100_001n, at + 32 + 8);
      seal(patched, at);
      const filesystem = await open(patched);
      const reader = await filesystem.openFile(await find(filesystem, 'big.bin'));
      expect(reader.sizeBytes).toBe(1_300_000);
      const content = Buffer.alloc(1_300_000, 0xa5);
      await reader.read(0, content);
      const expected = noise(1_300_000, 4).fill(0, 100_001);
      expect(content.equals(expected)).toBe(true);
      const across = Buffer.alloc(10, 0xa5);
      await reader.read(99_996, across);
      expect(across.equals(expected.subarray(99_996, 100_006))).toBe(true);
    });

    it('are listed when their checksum or the hash of their name holds, and not when neither does', async () => {
      const at = setOf((await find(await open(bytes), 'README.TXT')).ref);
      const [dated, hashed, renamed] = [copy(), copy(), copy()];
      // A changed attribute, a changed hash under a good checksum, a changed name.
      dated.writeUInt8(0x21, at + 4);
      hashed.writeUInt16LE(1, at + 32 + 4);
      seal(hashed, at);
      renamed.write('X', at + 64 + 2, 'utf16le');
      expect(await names(await open(dated))).toContain('README.TXT');
      expect(await names(await open(hashed))).toContain('README.TXT');
      const left = await names(await open(renamed));
      expect(left).toHaveLength((await names(await open(bytes))).length - 1);
      expect(left).not.toContain('XEADME.TXT');
    });

    it('that are no whole set are left out, and what follows them is not', async () => {
      const all = await names(await open(bytes));
      const at = setOf((await find(await open(bytes), 'README.TXT')).ref);
      for (const harm of [
        (b: Buffer) => b.writeUInt8(0x05, at),
        (b: Buffer) => b.writeUInt8(0x40, at + 32),
        (b: Buffer) => b.writeUInt8(0xc1, at + 32),
        (b: Buffer) => b.writeUInt8(0xc0, at + 64),
        (b: Buffer) => b.writeUInt8(1, at + 1),
        (b: Buffer) => b.writeUInt8(19, at + 1),
        (b: Buffer) => b.writeUInt8(0, at + 32 + 3),
        (b: Buffer) => b.writeUInt8(255, at + 32 + 3),
        (b: Buffer) => b.writeUInt8(0x85, at + 64),
      ]) {
        const damaged = copy();
        harm(damaged);
        expect(await names(await open(damaged))).toEqual(all.filter((name) => name !== 'README.TXT'));
      }
    });

    it('have names that are one component of a path, whatever the disk says', async () => {
      const at = setOf((await find(await open(bytes), 'sixteen units !!')).ref);
      const patched = copy();
      for (const [unit, value] of [
        [0, 0x2f],
        [1, 0xd83e],
        [2, 0],
      ] as const) {
        patched.writeUInt16LE(value, at + 64 + 2 + unit * 2);
      }
      seal(patched, at);
      expect(await names(await open(patched))).toContain('\ufffd\ufffd\ufffdteen units !!');
      patched.writeUInt8(2, at + 32 + 3);
      patched.write('..', at + 64 + 2, 'utf16le');
      seal(patched, at);
      expect(await names(await open(patched))).toContain('\ufffd\ufffd');
    });

    it('in a circle, broken or larger than the volume end in coded errors, and what can be read is', async () => {
      const filesystem = await open(bytes);
      const big = await find(filesystem, 'big.bin');
      const at = setOf(big.ref);
      const first = bytes.readUInt32LE(at + 32 + 20);
      // By the FAT instead of contiguous, with a chain that breaks off.
      for (const value of [first, 0xfffffff7, 0, 1, 0xfffffff0, 0xffffffff]) {
        const damaged = copy();
        damaged.writeUInt8(1, at + 32 + 1);
        seal(damaged, at);
        for (let index = 0; index < 100; index += 1)
          damaged.writeUInt32LE(index < 99 ? first + index + 1 : value, geometry.fatOffsetBytes + (first + index) * 4);
        const opened = await open(damaged);
        const reader = await opened.openFile(await find(opened, 'big.bin'));
        const [head, expected] = [Buffer.alloc(100 * 512), Buffer.alloc(100 * 512)];
        await reader.read(0, head);
        bytes.copy(expected, 0, offsetOf(geometry, first));
        expect(head.equals(expected)).toBe(true);
        await expect(reader.read(0, Buffer.alloc(1_300_000))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      }
      const large = copy();
      large.writeUInt8(3, at + 32 + 1);
      large.writeBigUInt64LE(2n ** 50n, at + 32 + 8);
      large.writeBigUInt64LE(2n ** 50n, at + 32 + 24);
      seal(large, at);
      const opened = await open(large);
      const reader = await opened.openFile(await find(opened, 'big.bin'));
      await reader.read(0, Buffer.alloc(1000));
      await expect(reader.read(2 ** 49, Buffer.alloc(1000))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      const circle = copy();
      circle.writeUInt32LE(geometry.rootCluster, geometry.fatOffsetBytes + geometry.rootCluster * 4);
      await expect(names(await open(circle))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      expect((await (await open(circle)).usedMap()).warnings.join()).toContain('The root directory is damaged');
    });

    it('are the same name by the up-case table of the volume', async () => {
      const fold = (await open(bytes)).foldName;
      expect(fold?.('Straße ÿ ω 🦊')).toBe('STRAßE Ÿ Ω 🦊');
      const damaged = copy();
      damaged.writeUInt32LE(1, rootSlot(damaged, geometry, 0x82) + 4);
      expect((await open(damaged)).foldName?.('Straße ÿ ω 🦊')).toBe('STRAßE Ÿ Ω 🦊');
    });
  });
});

describe('a time stamp', () => {
  const stamp = (year: number, month: number, day: number, seconds = 0) =>
    (((year - 1980) << 25) | (month << 21) | (day << 16) | (23 << 11) | (59 << 5) | (seconds / 2)) >>> 0;

  it('has ten milliseconds and an offset from UTC', () => {
    const at = Date.UTC(2024, 1, 29, 23, 59, 58);
    expect(decodeTime(stamp(2024, 2, 29, 58), 0, 0)).toBe(at);
    expect(decodeTime(stamp(2024, 2, 29, 58), 199, 0x80)).toBe(at + 1990);
    // +5:30 and -8:00, in quarters of an hour.
    expect(decodeTime(stamp(2024, 2, 29, 58), 0, 0x80 | 22)).toBe(at - 5.5 * 3_600_000);
    expect(decodeTime(stamp(2024, 2, 29, 58), 0, 0x80 | (128 - 32))).toBe(at + 8 * 3_600_000);
    // Not marked as valid: taken as UTC.
    expect(decodeTime(stamp(2024, 2, 29, 58), 0, 22)).toBe(at);
    expect(decodeTime(stamp(2107, 12, 31), 0, 0)).toBe(Date.UTC(2107, 11, 31, 23, 59));
  });

  it('is none where the date is none', () => {
    for (const [month, day] of [
      [0, 1],
      [13, 1],
      [1, 0],
      [2, 30],
    ] as const) {
      expect(decodeTime(stamp(2024, month, day), 0, 0)).toBeNull();
    }
    expect(decodeTime(0xffffffff, 0, 0)).toBeNull();
  });
});

describe('an up-case table', () => {
  it('may be compressed, and is refused when its checksum does not hold', () => {
    const table = Buffer.alloc(8);
    // 97 units that are their own capitals, then `a` is `Z`, then one more of them.
    for (const [index, value] of [0xffff, 97, 0x5a, 0x62].entries()) table.writeUInt16LE(value, index * 2);
    let sum = 0;
    for (const byte of table) sum = ((((sum & 1) * 0x80000000 + (sum >>> 1)) % 2 ** 32) + byte) % 2 ** 32;
    expect(decodeUpcaseTable(table, sum)?.upcase('abc')).toBe('Zbc');
    expect(decodeUpcaseTable(table, sum + 1)).toBeNull();
    expect(usualUpcaseTable.upcase('aßé')).toBe('AßÉ');
  });
});
