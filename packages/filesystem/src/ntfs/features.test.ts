/** What only some volumes have: each feature on a volume of its own, compared with what ntfs-3g reads from it. */
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { link, mkdir, open, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockDevice, openFileDevice } from '@diskfleet/disk';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { expectCode } from '../testing/filesystemContract.ts';
import { guardedDevice } from '../testing/guardedDevice.ts';
import { describeNeeding, makeScratch, runTool } from '../testing/scratch.ts';
import { expectSameTree, treeOfFilesystem } from '../testing/tree.ts';
import { ATTRIBUTE } from './attribute.ts';
import { readBootSector } from './bootSector.ts';
import { Mft } from './mft.ts';
import { ntfsReader } from './reader.ts';
import { HOLE } from './runList.ts';
import { makeNtfsVolume, NTFS_TOOLS, type NtfsVolumeOptions, partcloneNtfsExtents, pattern } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;

async function entriesOf(filesystem: Filesystem, directory?: DirectoryEntry): Promise<Map<string, DirectoryEntry>> {
  const entries = new Map<string, DirectoryEntry>();
  for await (const entry of filesystem.readDirectory(directory ?? (await filesystem.root()))) entries.set(entry.name, entry);
  return entries;
}

async function entryOf(filesystem: Filesystem, name: string): Promise<DirectoryEntry> {
  const entry = (await entriesOf(filesystem)).get(name);
  if (!entry) throw new Error(`${name} is not listed`);
  return entry;
}

async function contentOf(filesystem: Filesystem, entry: DirectoryEntry): Promise<Buffer> {
  const reader = await filesystem.openFile(entry);
  const bytes = Buffer.alloc(reader.sizeBytes);
  await reader.read(0, bytes);
  return bytes;
}

/** Number of runs and whether an attribute list was needed. */
async function scatter(device: BlockDevice, recordNumber: number): Promise<{ runs: number; listed: boolean }> {
  const { geometry } = await readBootSector(device);
  const mft = await Mft.open({ device, geometry });
  const record = await mft.record(recordNumber);
  const data = await mft.attribute(record, ATTRIBUTE.data);
  if (!data || data.resident) return { runs: 0, listed: false };
  const listed = record.attributes.some(({ type }) => type === ATTRIBUTE.attributeList);
  return { runs: (await mft.layoutOf(record, data)).runs.length, listed };
}

function recordNumberOf(entry: DirectoryEntry): number {
  return Number(entry.ref.split('-')[0]);
}

describeNeeding(NTFS_TOOLS, 'NTFS features', async () => {
  const scratch = await makeScratch();
  const devices: BlockDevice[] = [];
  afterEach(async () => {
    for (const device of devices.splice(0)) await device.close();
  });
  afterAll(() => scratch.dispose());

  /** Makes the volume, compares its tree with ntfs-3g's, and leaves it open for closer looks. */
  const makeAndCompare = async (
    options: NtfsVolumeOptions,
  ): Promise<{ filesystem: Filesystem; device: BlockDevice; path: string }> => {
    const { path, tree } = await makeNtfsVolume(scratch, options);
    const device = await openFileDevice(path);
    devices.push(device);
    const filesystem = await ntfsReader.open(device);
    expectSameTree(await treeOfFilesystem(filesystem), tree, { ignore: ['mode'] });
    return { filesystem, device, path };
  };

  test.each(['512', '1024', '4096'])('compressed files with clusters of %s bytes', async (clusterBytes) => {
    const { filesystem, device } = await makeAndCompare({
      sizeBytes: 48 * MIB,
      mkntfs: ['-c', clusterBytes],
      mountOptions: 'compression',
      fill: async (folder) => {
        const compressed = join(folder, 'compressed');
        await mkdir(compressed);
        await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', compressed]);
        const words = Array.from({ length: 60_000 }, (_, index) => `line ${index % 977} of ${index}`).join('\n');
        await writeFile(join(compressed, 'text'), words);
        await writeFile(join(compressed, 'text ending on a unit'), words.slice(0, 16 * Number(clusterBytes) * 5));
        await writeFile(join(compressed, 'zeros then noise'), Buffer.concat([Buffer.alloc(300_000), pattern(200_001, 9)]));
        await writeFile(join(compressed, 'noise'), pattern(500_000, 3));
        await writeFile(join(compressed, 'mixed'), Buffer.concat([pattern(70_000, 4), Buffer.from(words), pattern(90_000, 5)]));
        await writeFile(join(compressed, 'small'), 'small');
        await writeFile(join(compressed, 'one cluster more'), words.slice(0, 16 * Number(clusterBytes) + 1));
        const patched = await open(join(compressed, 'patched'), 'w');
        await patched.write(words);
        await patched.write(pattern(10_000, 6), 0, 10_000, 123_456);
        await patched.close();
      },
    });
    const folder = await entriesOf(filesystem, await entryOf(filesystem, 'compressed'));
    expect(folder.size).toBe(8);
    // Not a test of nothing: the text really is stored compressed.
    const { geometry } = await readBootSector(device);
    const mft = await Mft.open({ device, geometry });
    const text = folder.get('text');
    const record = await mft.record(text ? recordNumberOf(text) : -1);
    const data = await mft.attribute(record, ATTRIBUTE.data);
    if (!data || data.resident) throw new Error('the text has no clusters');
    expect(data).toMatchObject({ compressed: true, compressionUnitClusters: 16 });
    const stored = (await mft.layoutOf(record, data)).runs.reduce((sum, run) => sum + (run.lcn === HOLE ? 0 : run.clusters), 0);
    expect(stored * geometry.clusterBytes).toBeLessThan(data.sizeBytes / 2);
  });

  test('a file in hundreds of fragments, through an attribute list', { timeout: 120_000 }, async () => {
    const { filesystem, device, path } = await makeAndCompare({
      sizeBytes: 32 * MIB,
      mkntfs: ['-c', '4096'],
      fill: async (folder) => {
        await mkdir(join(folder, 'fillers'));
        let made = 0;
        try {
          for (; ; made++) writeFileSync(join(folder, 'fillers', String(made)), pattern(4096, made));
        } catch {
          // The volume is full.
        }
        for (let index = 0; index < made; index += 2) rmSync(join(folder, 'fillers', String(index)));
        await writeFile(join(folder, 'scattered'), pattern(Math.floor((made / 2) * 4096 * 0.9), 77));
        for (let index = 1; index < made; index += 2) rmSync(join(folder, 'fillers', String(index)));
      },
    });
    const scattered = await scatter(device, recordNumberOf(await entryOf(filesystem, 'scattered')));
    expect(scattered.listed).toBe(true);
    expect(scattered.runs).toBeGreaterThan(250);
    expect((await filesystem.usedMap()).extents).toEqual(await partcloneNtfsExtents(path, scratch));
  });

  test('a folder of over 10,000 names with gaps, listed in order with few reads', { timeout: 120_000 }, async () => {
    const { filesystem, device } = await makeAndCompare({
      sizeBytes: 64 * MIB,
      mkntfs: ['-c', '1024'],
      fill: async (folder) => {
        const many = join(folder, 'many');
        await mkdir(many);
        const name = (index: number) => join(many, `entry ${(index * 7919) % 11_503} of the very long list.txt`);
        for (let index = 0; index < 11_500; index++) writeFileSync(name(index), '');
        for (let index = 0; index < 11_500; index += 10) rmSync(name(index));
      },
    });
    const names = [...(await entriesOf(filesystem, await entryOf(filesystem, 'many'))).keys()];
    expect(names.length).toBe(10_350);
    const folded = names.map((name) => name.toUpperCase());
    expect(folded).toEqual(folded.toSorted());
    const guarded = guardedDevice(device, { reads: 1000, bytes: 56 * MIB, readBytes: MIB });
    const again = await ntfsReader.open(guarded);
    expect((await entriesOf(again, await entryOf(again, 'many'))).size).toBe(10_350);
  });

  test('a scattered $MFT that needs an attribute list itself', { timeout: 120_000 }, async () => {
    const { device } = await makeAndCompare({
      sizeBytes: 10 * MIB,
      mkntfs: ['-c', '512', '-z', '1'],
      fill: async (folder) => {
        await mkdir(join(folder, 'fillers'));
        let made = 0;
        try {
          for (; ; made++) writeFileSync(join(folder, 'fillers', String(made)), pattern(2048, made));
        } catch {
          // The volume is full.
        }
        for (let index = 0; index < made; index += 2) truncateSync(join(folder, 'fillers', String(index)), 0);
        try {
          for (let index = 0; index < made; index++) writeFileSync(join(folder, `more ${index}`), '');
        } catch {
          // Full again.
        }
      },
    });
    const mft = await scatter(device, 0);
    expect(mft).toMatchObject({ listed: true });
    expect(mft.runs).toBeGreaterThan(100);
  });

  test('sparse files, unwritten tails, hard links and names beyond the basic plane', async () => {
    const { filesystem } = await makeAndCompare({
      sizeBytes: 32 * MIB,
      fill: async (folder) => {
        const sparse = await open(join(folder, 'sparse'), 'w');
        for (let index = 0; index < 40; index++) await sparse.write(pattern(5000, index), 0, 5000, index * 1_000_003);
        await sparse.close();
        await truncate(join(folder, 'sparse'), 50 * MIB);
        await writeFile(join(folder, 'grown'), pattern(100_000, 1));
        await truncate(join(folder, 'grown'), 300_000);
        await writeFile(join(folder, 'first name'), pattern(9999, 8));
        await link(join(folder, 'first name'), join(folder, 'second name'));
        // The folder's copy of the size goes stale for the name not used here.
        const grown = await open(join(folder, 'second name'), 'a');
        await grown.write(pattern(50_000, 9));
        await grown.close();
        await writeFile(join(folder, '𝒜𝒷𝒸 – 日本語 – ñ – 🏳️‍🌈'), 'name');
        await writeFile(join(folder, 'x'.repeat(255)), 'long');
        await writeFile(join(folder, `${'😀'.repeat(127)}`), 'long');
        await symlink('no/such/target', join(folder, 'dangling'));
      },
    });
    const [first, second] = [await entryOf(filesystem, 'first name'), await entryOf(filesystem, 'second name')];
    expect(first.ref).toBe(second.ref);
    expect([first.sizeBytes, second.sizeBytes]).toEqual([59_999, 59_999]);
    const large = await entryOf(filesystem, '😀'.repeat(127));
    expect(Buffer.from(large.nameBytes).toString('utf16le')).toBe('😀'.repeat(127));
  });

  test('short DOS names are not shown a second time', async () => {
    const { filesystem } = await makeAndCompare({
      sizeBytes: 16 * MIB,
      fill: async (folder) => {
        await writeFile(join(folder, 'A long name with a short one.text'), 'x');
        const name = `0x${Buffer.from('ALONGN~1.TEX').toString('hex')}`;
        await runTool('setfattr', ['-n', 'system.ntfs_dos_name', '-v', name, join(folder, 'A long name with a short one.text')]);
      },
    });
    expect([...(await entriesOf(filesystem)).keys()]).toEqual(['A long name with a short one.text']);
  });

  test('reparse points: junctions and links show their target, content of other drivers is refused', async () => {
    const text = (value: string) => Buffer.from(value, 'utf16le');
    const reparse = (tag: number, data: Buffer) => {
      const head = Buffer.alloc(8);
      head.writeUInt32LE(tag);
      head.writeUInt16LE(data.length, 4);
      return `0x${Buffer.concat([head, data]).toString('hex')}`;
    };
    const paths = (substitute: string, print: string, flags: Buffer) => {
      const head = Buffer.alloc(8);
      head.writeUInt16LE(substitute.length * 2, 2);
      head.writeUInt16LE(substitute.length * 2 + 2, 4);
      head.writeUInt16LE(print.length * 2, 6);
      return Buffer.concat([head, flags, text(`${substitute}\0${print}\0`)]);
    };
    const points: Record<string, string> = {
      junction: reparse(0xa0000003, paths('\\??\\C:\\Users', 'C:\\Users', Buffer.alloc(0))),
      'junction without print name': reparse(0xa0000003, paths('\\??\\D:\\Data', '', Buffer.alloc(0))),
      'folder kept in the cloud': reparse(0x9000601a, Buffer.from('cloud')),
      'file link': reparse(0xa000000c, paths('..\\other.txt', '..\\other.txt', Buffer.from([1, 0, 0, 0]))),
      'wsl link': reparse(0xa000001d, Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from('/mnt/ä')])),
      'system compressed': reparse(0x80000017, Buffer.alloc(16, 1)),
      deduplicated: reparse(0x80000013, Buffer.alloc(16, 1)),
      'cloud file at home': reparse(0x9000601a, Buffer.from('cloud')),
    };
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes: 16 * MIB,
      mountOptions: 'special_files=wsl',
      fill: async (folder) => {
        for (const [name, value] of Object.entries(points)) {
          const target = join(folder, name);
          if (/^junction|^folder/.test(name)) await mkdir(target);
          else await writeFile(target, /^wsl|link$/.test(name) ? '' : 'content');
          await runTool('setfattr', ['-h', '-n', 'system.ntfs_reparse_data', '-v', value, target]);
        }
        await runTool('mkfifo', [join(folder, 'wsl fifo')]);
      },
    });
    const device = await openFileDevice(path);
    devices.push(device);
    const filesystem = await ntfsReader.open(device);
    const shown = await entriesOf(filesystem);
    expect([...shown.values()].map(({ name, type, linkTarget }) => [name, type, linkTarget])).toEqual([
      ['cloud file at home', 'file', null],
      ['deduplicated', 'file', null],
      ['file link', 'symlink', '..\\other.txt'],
      ['folder kept in the cloud', 'directory', null],
      ['junction', 'symlink', 'C:\\Users'],
      ['junction without print name', 'symlink', 'D:\\Data'],
      ['system compressed', 'file', null],
      ['wsl fifo', 'other', null],
      ['wsl link', 'symlink', '/mnt/ä'],
    ]);
    for (const name of ['system compressed', 'deduplicated']) {
      await expectCode(filesystem.openFile(await entryOf(filesystem, name)), 'FS_UNSUPPORTED');
    }
    expect((await contentOf(filesystem, await entryOf(filesystem, 'cloud file at home'))).toString()).toBe('content');
    await expectCode(entriesOf(filesystem, await entryOf(filesystem, 'junction')), 'FS_NOT_A_DIRECTORY');
  });

  test('named streams do not disturb the content', async () => {
    const { filesystem } = await makeAndCompare({
      sizeBytes: 16 * MIB,
      mountOptions: 'streams_interface=windows',
      fill: async (folder) => {
        await writeFile(join(folder, 'file'), pattern(30_000, 1));
        await writeFile(join(folder, 'file:Zone.Identifier'), '[ZoneTransfer]');
        await writeFile(join(folder, 'file:large'), pattern(200_000, 2));
        await mkdir(join(folder, 'folder'));
        await writeFile(join(folder, 'folder:stream'), 'on a folder');
      },
    });
    expect((await contentOf(filesystem, await entryOf(filesystem, 'file'))).equals(pattern(30_000, 1))).toBe(true);
  });

  test('a volume grown by ntfsresize keeps a map equal to partclone’s', async () => {
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes: 24 * MIB,
      mkntfs: ['-c', '512'],
      fill: (folder) => writeFile(join(folder, 'file'), pattern(9 * MIB, 1)),
    });
    await truncate(path, 900 * MIB);
    await runTool('ntfsresize', ['-f', '-f', path], { input: 'y\n' });
    await runTool('ntfsfix', ['-d', path]);
    const device = await openFileDevice(path);
    devices.push(device);
    const filesystem = await ntfsReader.open(device);
    expect(filesystem.info.totalBytes).toBeGreaterThan(899 * MIB);
    const map = await filesystem.usedMap();
    expect(map.extents).toEqual(await partcloneNtfsExtents(path, scratch));
    expect(map.warnings).toEqual([]);
  });
});
