import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockDevice, type Extent, memoryDevice, subtractExtents, sumBytes } from '@diskfleet/disk';
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
import { decodeBootSector } from './bootSector.ts';
import { entryFormat } from './fatEntries.ts';
import { fatReader } from './reader.ts';
import {
  bytesOf,
  copyIn,
  FAT_TOOLS,
  type FatImage,
  find,
  list,
  MIB,
  makeFat,
  makeSourceTree,
  mtools,
  names,
  noise,
  open,
  setEntry,
  variants,
} from './testing/fatImage.ts';

describeNeeding({ tools: FAT_TOOLS }, 'FAT volumes of mkfs.fat and mtools', () => {
  describe('what a volume says of itself', () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
    });
    afterAll(() => scratch.dispose());

    it.each(variants)('agrees with blkid: $title', async ({ kind, sizeBytes, mkfs, title }) => {
      const image = await makeFat(scratch, `${title}.img`, { sizeBytes, mkfs });
      const { info } = await open(await bytesOf(image));
      const blkid = async (tag: string) =>
        (await runTool('blkid', ['-p', '-s', tag, '-o', 'value', image.path]).catch(() => '')).trim();
      expect(info.kind).toBe(kind);
      expect(info.uuid).toBe(await blkid('UUID'));
      expect(info.label).toBe(await blkid('LABEL'));
      expect(String(info.blockBytes)).toBe(await blkid('BLOCK_SIZE'));
      expect(info.clean).toBe(true);
      // mkfs.fat leaves sectors that fill no cluster out of its count.
      expect(sizeBytes - info.totalBytes).toBeLessThan(64 * 1024);
    });

    it('takes the label from the root directory when it was changed later', async () => {
      const image = await makeFat(scratch, 'label.img', { sizeBytes: 4 * MIB, mkfs: ['-n', 'OLD'] });
      await mtools(image, 'mlabel', ['::Neu']);
      const bytes = await bytesOf(image);
      expect((await open(bytes)).info.label.toUpperCase()).toBe('NEU');
      expect(await names(await open(bytes))).toEqual([]);
    });

    it('is found among all formats', async () => {
      const image = await makeFat(scratch, 'probe.img', { sizeBytes: 4 * MIB, mkfs: [] });
      expect((await openFilesystem(memoryDevice(await bytesOf(image))))?.info.kind).toBe('fat12');
    });

    it('tells an unclean unmount: state byte, and the bits of the FAT', async () => {
      for (const [mkfs, at] of [
        [['-F', '16'], 37],
        [['-F', '32'], 65],
      ] as const) {
        const image = await makeFat(scratch, `dirty${at}.img`, { sizeBytes: 40 * MIB, mkfs });
        const clean = await bytesOf(image);
        const state = Buffer.from(clean);
        state.writeUInt8(1, at);
        expect((await open(state)).info.clean).toBe(false);
        const bits = Buffer.from(clean);
        setEntry(bits, 1, { value: at === 37 ? 0x7fff : 0x07ffffff });
        expect((await open(bits)).info.clean).toBe(false);
      }
    });
  });

  describe('the used map', () => {
    let scratch: Scratch;
    let image: FatImage;
    let bytes: Buffer;
    beforeAll(async () => {
      scratch = await makeScratch();
      image = await makeFat(scratch, 'map.img', { sizeBytes: 40 * MIB, mkfs: ['-F', '32', '-s', '1'] });
      await copyIn(image, await makeSourceTree(scratch));
      bytes = await bytesOf(image);
    });
    afterAll(() => scratch.dispose());

    it('equals partclone’s on a fragmented volume with lost and bad clusters, and files made anew between old ones', async () => {
      const folder = join(scratch.folder, 'pieces');
      await mkdir(folder);
      for (let index = 0; index < 60; index += 1) await writeFile(join(folder, `piece ${index}`), noise(9000, index));
      await copyIn(image, folder);
      await mtools(
        image,
        'mdel',
        [...Array(30).keys()].map((index) => `::/piece ${index * 2}`),
      );
      const filler = join(scratch.folder, 'fills the holes');
      await writeFile(filler, noise(400_000, 99));
      await mtools(image, 'mcopy', [filler, '::/']);
      const fragmented = await bytesOf(image);
      const filesystem = await open(fragmented);
      const reader = await filesystem.openFile(await find(filesystem, 'fills the holes'));
      const content = Buffer.alloc(reader.sizeBytes);
      await reader.read(0, content);
      expect(content.equals(noise(400_000, 99))).toBe(true);
      const middle = Buffer.alloc(100_001);
      await reader.read(123_457, middle);
      expect(middle.equals(content.subarray(123_457, 223_458))).toBe(true);

      setEntry(fragmented, 70_000, { value: 0x0fffffff });
      setEntry(fragmented, 70_002, { value: 0x0ffffff7 });
      const path = join(scratch.folder, 'odd.img');
      await writeFile(path, fragmented);
      const map = await (await open(fragmented)).usedMap();
      expect(map.extents).toEqual(await partcloneUsedExtents('partclone.fat', path, scratch));
      expect(map.extents.length).toBeGreaterThan(3);
      expect(map.warnings).toEqual([]);
    });

    it('leaves out what was deleted', async () => {
      const before = (await open(bytes)).info.usedBytes;
      const copy = { ...image, path: join(scratch.folder, 'deleted.img') };
      await writeFile(copy.path, bytes);
      await mtools(copy, 'mdel', ['::/big.bin']);
      const after = await open(await bytesOf(copy));
      expect(before - after.info.usedBytes).toBe(Math.ceil(1_300_000 / 512) * 512);
      expect(await names(after)).not.toContain('big.bin');
    });

    it('takes what either copy of the FAT calls used, and says so', async () => {
      const damaged = Buffer.from(bytes);
      setEntry(damaged, 70_000, { value: 0x0fffffff, copy: 1 });
      setEntry(damaged, 70_001, { value: 0x0fffffff, copy: 0 });
      const [healthy, both] = [await (await open(bytes)).usedMap(), await (await open(damaged)).usedMap()];
      expect(both.usedBytes - healthy.usedBytes).toBe(1024);
      expect(both.warnings).toEqual([expect.stringContaining('differ in 2 entries')]);
    });

    it('obeys the one active FAT where mirroring is off', async () => {
      const single = Buffer.from(bytes);
      single.writeUInt16LE(0x81, 40);
      setEntry(single, 70_000, { value: 0x0fffffff, copy: 0 });
      const map = await (await open(single)).usedMap();
      expect(map).toEqual(await (await open(bytes)).usedMap());
    });

    it('is cut where the device is, with a warning', async () => {
      const cut = await open(bytes.subarray(0, 30 * MIB));
      expect(cut.info.totalBytes).toBe(30 * MIB);
      expect((await cut.usedMap()).warnings).toEqual([expect.stringContaining('only 31457280 of them are there')]);
    });

    it('does not believe the free count of FSInfo', async () => {
      const lying = Buffer.from(bytes);
      lying.writeUInt32LE(0, 512 + 488);
      expect((await open(lying)).info.usedBytes).toBe((await open(bytes)).info.usedBytes);
    });
  });

  describe('folders and files', () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
    });
    afterAll(() => scratch.dispose());

    it('of 5,000 files list whole', async () => {
      const folder = join(scratch.folder, 'many');
      await mkdir(join(folder, 'all of them'), { recursive: true });
      for (let index = 0; index < 5000; index += 1) {
        // Numbers first: mtools takes minutes to find free short names for names that begin alike.
        await writeFile(join(folder, 'all of them', `${String(index).padStart(5, '0')} is its number.txt`), `${index}`);
      }
      const image = await makeFat(scratch, 'many.img', { sizeBytes: 40 * MIB, mkfs: ['-F', '32', '-s', '1'] });
      await copyIn(image, folder);
      const filesystem = await open(await bytesOf(image));
      expectSameTree(await treeOfFilesystem(filesystem), await treeOfFolder(folder), { ignore: ['mode', 'modifiedAtMs'] });
    });

    it.each(variants.slice(0, 3))(
      'lie in used clusters, all of them, and no others are used: agrees with fsck.fat ($title)',
      async (variant) => {
        const image = await makeFat(scratch, `${variant.title}.img`, variant);
        await copyIn(image, await makeSourceTree(scratch));
        const bytes = await bytesOf(image);
        const geometry = decodeBootSector(bytes);
        if (geometry === null) throw new Error('mkfs.fat made no FAT');
        const read: Extent[] = [];
        const memory = memoryDevice(bytes);
        const recording: BlockDevice = {
          ...memory,
          read: (offsetBytes, target) => {
            read.push({ offsetBytes, lengthBytes: target.length });
            return memory.read(offsetBytes, target);
          },
        };
        const filesystem = await fatReader.open(recording);
        await treeOfFilesystem(filesystem);
        const { extents } = await filesystem.usedMap();
        expect(subtractExtents(read, extents)).toEqual([]);
        const tail = { offsetBytes: geometry.dataOffsetBytes + geometry.clusterCount * geometry.clusterBytes, lengthBytes: MIB };
        const clusters = subtractExtents(extents, [{ offsetBytes: 0, lengthBytes: geometry.dataOffsetBytes }, tail]);
        const said = await runTool('fsck.fat', ['-n', image.path]);
        expect(said).toContain(` ${sumBytes(clusters) / geometry.clusterBytes}/${geometry.clusterCount} clusters`);
      },
    );

    it('may have names beyond the basic plane, which mtools cannot write, and broken ones', async () => {
      const image = await makeFat(scratch, 'fox.img', { sizeBytes: 4 * MIB, mkfs: [] });
      const path = join(scratch.folder, 'fox XX.text');
      await writeFile(path, 'content');
      await mtools(image, 'mcopy', [path, '::/']);
      const bytes = await bytesOf(image);
      const longSlot = decodeBootSector(bytes)?.rootOffsetBytes ?? 0;
      // Units 5 and 6 of the name, "XX", in the second group of the piece.
      bytes.writeUInt16LE(0xd83e, longSlot + 9);
      bytes.writeUInt16LE(0xdd8a, longSlot + 14);
      expect(await names(await open(bytes))).toEqual(['fox \u{1f98a}.text']);
      bytes.writeUInt16LE(0x002f, longSlot + 14);
      const [broken] = await list(await open(bytes));
      expect(broken?.name).toBe('fox \ufffd\ufffd.text');
      expect(Buffer.from(broken?.nameBytes ?? []).readUInt16LE(8)).toBe(0xd83e);
    });

    it('keep the case of short names, drop deleted ones, and read as mcopy reads them', async () => {
      const image = await makeFat(scratch, 'case.img', { sizeBytes: 4 * MIB, mkfs: [] });
      const source = await makeSourceTree(scratch);
      await copyIn(image, source);
      await mtools(image, 'mdel', ['::/lower.txt', '::/A rather long name with spaces, and + other [[]signs].document']);
      const filesystem = await open(await bytesOf(image));
      expect((await names(filesystem)).sort()).toEqual(
        [
          'Deep',
          'EMPTY.DIR',
          'README.TXT',
          'MIXED.low',
          'Grüße aus Köln – 日本語.txt',
          'zero length',
          'big.bin',
          `${'x'.repeat(150)}.y`,
        ].sort(),
      );
      const out = join(scratch.folder, 'out');
      await mkdir(out);
      await mtools(image, 'mcopy', ['-s', '-m', '::/*', out]);
      expectSameTree(await treeOfFilesystem(filesystem), await treeOfFolder(out), { ignore: ['mode', 'modifiedAtMs'] });
    });

    it('fall back to short names in code page 437 when the long one does not belong', async () => {
      const image = await makeFat(scratch, 'short.img', { sizeBytes: 4 * MIB, mkfs: [] });
      const path = join(scratch.folder, 'A long name indeed.text');
      await writeFile(path, 'content');
      await mtools(image, 'mcopy', [path, '::/']);
      const bytes = await bytesOf(image);
      const geometry = decodeBootSector(bytes);
      const root = geometry?.rootOffsetBytes ?? 0;
      expect(await names(await open(bytes))).toEqual(['A long name indeed.text']);
      const short = root + 2 * 32;
      bytes.set(Buffer.from([0x05, 0x81, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x54, 0x9a, 0x20]), short);
      expect(await names(await open(bytes))).toEqual(['σü.TÜ']);
      bytes.writeUInt8(0x18, short + 12);
      expect(await names(await open(bytes))).toEqual(['σü.tü']);
      bytes.set(Buffer.from('..      /  ', 'latin1'), short);
      expect(await names(await open(bytes))).toEqual(['...\ufffd']);
    });

    it('in a circle, broken, or longer than allowed end in coded errors, and what can be read is', async () => {
      const image = await makeFat(scratch, 'loop.img', { sizeBytes: 40 * MIB, mkfs: ['-F', '32', '-s', '1'] });
      await copyIn(image, await makeSourceTree(scratch));
      const clean = await bytesOf(image);
      const geometry = decodeBootSector(clean);
      if (geometry === null) throw new Error('mkfs.fat made no FAT');
      const filesystem = await open(clean);
      const big = await find(filesystem, 'big.bin');
      const slot = clean.subarray(Number(big.ref), Number(big.ref) + 32);
      const first = slot.readUInt16LE(26) + slot.readUInt16LE(20) * 0x10000;
      for (const value of [first, 0x0ffffff7, 0, 1, 0x0ffffff0]) {
        const damaged = Buffer.from(clean);
        setEntry(damaged, first + 99, { value });
        const reader = await (await open(damaged)).openFile(big);
        const head = Buffer.alloc(100 * 512);
        await reader.read(0, head);
        expect(head.equals(noise(1_300_000, 4).subarray(0, head.length))).toBe(true);
        await expect(reader.read(0, Buffer.alloc(1_300_000))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      }
      const circle = Buffer.from(clean);
      setEntry(circle, geometry.rootCluster, { value: geometry.rootCluster });
      await expect(names(await open(circle))).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      // A folder that never ends: every cluster of the volume, all filled with deleted entries.
      const endless = Buffer.from(clean);
      endless.fill(0xe5, geometry.dataOffsetBytes);
      for (let cluster = 2; cluster < 10_000; cluster += 1) setEntry(endless, cluster, { value: cluster + 1 });
      await expect(names(await open(endless))).rejects.toMatchObject({ code: 'FS_TOO_LARGE' });
    });

    it('have no time where the date is none', async () => {
      const image = await makeFat(scratch, 'time.img', { sizeBytes: 4 * MIB, mkfs: [] });
      const path = join(scratch.folder, 'TIME.TXT');
      await writeFile(path, 'content');
      await mtools(image, 'mcopy', [path, '::/']);
      const bytes = await bytesOf(image);
      const slot = decodeBootSector(bytes)?.rootOffsetBytes ?? 0;
      const modified = async (date: number, time: number) => {
        bytes.writeUInt16LE(time, slot + 22);
        bytes.writeUInt16LE(date, slot + 24);
        return (await list(await open(bytes)))[0]?.modifiedAtMs;
      };
      expect(await modified((44 << 9) | (2 << 5) | 29, (23 << 11) | (59 << 5) | 29)).toBe(Date.UTC(2024, 1, 29, 23, 59, 58));
      for (const date of [0, (43 << 9) | (2 << 5) | 29, (44 << 9) | (13 << 5) | 1]) expect(await modified(date, 0)).toBeNull();
      expect(await modified((44 << 9) | (2 << 5) | 1, 24 << 11)).toBeNull();
    });
  });

  describe('what is no FAT', () => {
    let scratch: Scratch;
    beforeAll(async () => {
      scratch = await makeScratch();
    });
    afterAll(() => scratch.dispose());

    it.each([
      ['mkfs.ntfs', ['-Q', '-F', '-q']],
      ['mkfs.ext4', ['-q', '-F']],
      ['sgdisk', ['-n', '1:0:0']],
    ])('is not taken for one: %s', async (tool, args) => {
      const path = await scratch.sparseFile(`${tool}.img`, 20 * MIB);
      await runTool(tool, [...args, path]);
      expect(await fatReader.probe(memoryDevice(await readFile(path)))).toBe(false);
    });

    it('nor an MBR, exFAT, a BitLocker To Go decoy, noise, or nothing', async () => {
      const path = await scratch.sparseFile('mbr.img', 4 * MIB);
      await runTool('sfdisk', ['-q', path], { input: 'label: dos\ntype=c\n' });
      const mbr = await readFile(path);
      mbr.set([0xeb, 0x63, 0x90]);
      const image = await makeFat(scratch, 'decoy.img', { sizeBytes: 40 * MIB, mkfs: ['-F', '32'] });
      const fat = await bytesOf(image);
      const [decoy, exfat] = [Buffer.from(fat), Buffer.from(fat)];
      decoy.set(Buffer.from('3bd66749292ed84a8399f6a339e3d001', 'hex'), 424);
      exfat.set(Buffer.from('EXFAT   '), 3);
      expect(await fatReader.probe(memoryDevice(fat))).toBe(true);
      for (const bytes of [mbr, decoy, exfat, noise(MIB, 1), Buffer.alloc(MIB), Buffer.alloc(100), Buffer.alloc(0)]) {
        expect(await fatReader.probe(memoryDevice(bytes))).toBe(false);
        await expect(open(bytes)).rejects.toMatchObject({ code: 'FS_DAMAGED' });
      }
    });
  });
});

describe('entries of a FAT12', () => {
  it('are 12 bits, two in three bytes', () => {
    const geometry = decodeBootSector(Buffer.alloc(512));
    expect(geometry).toBeNull();
    const format = entryFormat({ ...sample, kind: 'fat12' });
    const bytes = Buffer.from([0xf8, 0x3f, 0x12, 0xbc, 0x7a, 0xff]);
    expect([0, 1, 2, 3].map((index) => format.get(bytes, index))).toEqual([0xff8, 0x123, 0xabc, 0xff7]);
    expect([1, 2, 3, 4].map(format.bytesFor)).toEqual([2, 3, 5, 6]);
  });

  const sample = {
    sectorBytes: 512,
    clusterBytes: 512,
    totalBytes: 0,
    fatOffsetBytes: 512,
    fatBytes: 512,
    fatCount: 2,
    activeFat: null,
    rootOffsetBytes: 0,
    rootBytes: 0,
    rootCluster: 0,
    dataOffsetBytes: 0,
    clusterCount: 0,
    serial: 0,
    bootLabel: Buffer.alloc(0),
    dirty: false,
  };
});
