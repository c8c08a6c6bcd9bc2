/** Volumes that are dirty, hibernated or damaged, and bytes that are not what they seem. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryDevice } from '@diskfleet/disk';
import { beforeAll, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { expectCode } from '../testing/filesystemContract.ts';
import { mutationContract } from '../testing/mutationContract.ts';
import { describeNeeding, makeScratch } from '../testing/scratch.ts';
import { expectSameTree, type Tree, treeOfFilesystem } from '../testing/tree.ts';
import { parseBootSector } from './bootSector.ts';
import { ntfsReader } from './reader.ts';
import { fillRich, makeNtfsVolume, NTFS_TOOLS } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;

async function listed(filesystem: Filesystem, directory: DirectoryEntry): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  for await (const entry of filesystem.readDirectory(directory)) entries.push(entry);
  return entries;
}

/** Where the first attribute of this type begins in an MFT record. */
function attributeOffset(record: Buffer, type: number): number {
  let offset = record.readUInt16LE(20);
  while (record.readUInt32LE(offset) < type) offset += record.readUInt32LE(offset + 4);
  expect(record.readUInt32LE(offset)).toBe(type);
  return offset;
}

describeNeeding(NTFS_TOOLS, 'NTFS in disorder', () => {
  let healthy: Buffer;
  let tree: Tree;
  beforeAll(async () => {
    const scratch = await makeScratch();
    try {
      const made = await makeNtfsVolume(scratch, {
        sizeBytes: 12 * MIB,
        mkntfs: ['-c', '1024', '-L', 'DISORDER'],
        mountOptions: 'compression,streams_interface=windows',
        fill: async (folder) => {
          await fillRich(folder);
          await writeFile(join(folder, 'HiberFil.sys'), Buffer.alloc(8192));
        },
      });
      healthy = await readFile(made.path);
      tree = made.tree;
    } finally {
      await scratch.dispose();
    }
  });

  /** A copy of the healthy volume, spoilt by `spoil`, opened. */
  const opened = (spoil: (bytes: Buffer) => void): Promise<Filesystem> => {
    const bytes = Buffer.from(healthy);
    spoil(bytes);
    return ntfsReader.open(memoryDevice(bytes));
  };
  const recordOffset = (number: number) => {
    const { mftCluster, clusterBytes, recordBytes } = parseBootSector(healthy);
    return mftCluster * clusterBytes + number * recordBytes;
  };

  /** $Bitmap's content, by the first run of record 6 (mkntfs writes it in one). */
  const bitmapOffset = (bytes: Buffer): number => {
    const record = bytes.subarray(recordOffset(6), recordOffset(7));
    const attribute = attributeOffset(record, 0x80);
    const pairs = attribute + record.readUInt16LE(attribute + 32);
    const head = record.readUInt8(pairs);
    return record.readIntLE(pairs + 1 + (head & 15), head >> 4) * parseBootSector(bytes).clusterBytes;
  };

  test('a healthy volume is clean and says who it is', async () => {
    const { info } = await opened(() => {});
    expect(info).toMatchObject({ kind: 'ntfs', label: 'DISORDER', blockBytes: 1024, totalBytes: 12 * MIB, clean: true });
    expect(info.uuid).toMatch(/^[0-9A-F]{16}$/);
  });

  test('the dirty flag of $Volume shows', async () => {
    const filesystem = await opened((bytes) => {
      const record = bytes.subarray(recordOffset(3), recordOffset(4));
      // Flags of $VOLUME_INFORMATION (type 0x70), ten bytes into its value.
      const attribute = attributeOffset(record, 0x70);
      const value = attribute + record.readUInt16LE(attribute + 20);
      record.writeUInt16LE(record.readUInt16LE(value + 10) | 1, value + 10);
    });
    expect(filesystem.info.clean).toBe(false);
  });

  test('a log with transactions left in it shows', async () => {
    const filesystem = await opened((bytes) => {
      const marks = [bytes.indexOf('RSTR'), bytes.indexOf('RSTR', bytes.indexOf('RSTR') + 4)];
      const log = marks[0] ?? -1;
      if (log < 0) {
        // ntfs-3g empties the log: write a restart page as Windows leaves it while a volume is mounted.
        const at = bytes.indexOf(Buffer.alloc(8192, 0xff));
        expect(at).toBeGreaterThan(0);
        bytes.write('RSTR', at, 'latin1');
        bytes.writeUInt16LE(48, at + 24);
        bytes.writeUInt16LE(0, at + 48 + 12);
        bytes.writeUInt16LE(0, at + 48 + 14);
      } else {
        for (const at of marks) {
          const area = at + bytes.readUInt16LE(at + 24);
          bytes.writeUInt16LE(0, area + 12);
          bytes.writeUInt16LE(0, area + 14);
        }
      }
    });
    expect(filesystem.info.clean).toBe(false);
  });

  test.each(['hibr', 'HIBR'])('a frozen Windows (%s) shows', async (mark) => {
    const clusterBytes = 1024;
    const device = memoryDevice(Buffer.from(healthy));
    const before = await ntfsReader.open(device);
    expect(before.info.clean).toBe(true);
    let at = -1;
    for await (const entry of before.readDirectory(await before.root())) {
      if (entry.name !== 'HiberFil.sys') continue;
      const reads: number[] = [];
      const read = (offset: number, target: Uint8Array) => {
        reads.push(offset);
        return device.read(offset, target);
      };
      const spy = { ...device, read };
      const again = await ntfsReader.open(spy);
      reads.length = 0;
      const target = Buffer.alloc(clusterBytes);
      await (await again.openFile(entry)).read(0, target);
      at = reads.at(-1) ?? -1;
    }
    expect(at).toBeGreaterThan(0);
    await device.write(at, Buffer.from(mark));
    expect((await ntfsReader.open(device)).info.clean).toBe(false);
  });

  test('a boot sector that is NTFS and makes no sense: the backup in the last sector is used, and said', async () => {
    const bytes = Buffer.from(healthy);
    bytes.fill(0xaa, 11, 512);
    const device = memoryDevice(bytes);
    expect(await ntfsReader.probe(device)).toBe(true);
    const filesystem = await ntfsReader.open(device);
    expectSameTree(await treeOfFilesystem(filesystem), tree, { ignore: ['mode'] });
    const map = await filesystem.usedMap();
    expect(map.extents).toEqual((await (await opened(() => {})).usedMap()).extents);
    expect(map.warnings).toHaveLength(1);
    expect(map.warnings[0]).toContain('backup');
    expect(filesystem.info.clean).toBe(false);
  });

  test('a volume formatted anew over NTFS is not taken for a damaged one', async () => {
    for (const [offset, mark] of [
      [0, 'XFSB'],
      [1080, '\x53\xef'],
      [3, 'EXFAT   '],
      [82, 'FAT32   '],
    ] as const) {
      const bytes = Buffer.from(healthy);
      bytes.fill(0, 0, 4096);
      bytes.write(mark, offset, 'latin1');
      expect(await ntfsReader.probe(memoryDevice(bytes))).toBe(false);
      expect(await ntfsReader.openBackup?.(memoryDevice(bytes))).toBe(null);
    }
    // A disk whose last partition is NTFS ends with that partition's backup boot sector.
    for (const bytes of [Buffer.concat([Buffer.alloc(MIB), healthy]), Buffer.alloc(MIB), Buffer.alloc(100)]) {
      expect(await ntfsReader.probe(memoryDevice(bytes))).toBe(false);
      expect(await ntfsReader.openBackup?.(memoryDevice(bytes))).toBe(null);
    }
  });

  test('the first records of $MFT are read from $MFTMirr when damaged', async () => {
    for (const number of [0, 3]) {
      const filesystem = await opened((bytes) => bytes.fill(0xee, recordOffset(number), recordOffset(number + 1)));
      expect(filesystem.info).toMatchObject({ label: 'DISORDER', clean: true });
      const map = await filesystem.usedMap();
      expect(map.warnings).toEqual([`MFT record ${number} is damaged; its copy in $MFTMirr was used.`]);
      expectSameTree(await treeOfFilesystem(filesystem), tree, { ignore: ['mode'] });
    }
  });

  test('a lost $Bitmap: everything counts as used, and said', async () => {
    const filesystem = await opened((bytes) => bytes.fill(0, recordOffset(6), recordOffset(7)));
    const map = await filesystem.usedMap();
    expect(map.extents).toEqual([{ offsetBytes: 0, lengthBytes: 12 * MIB }]);
    expect(map.warnings).toHaveLength(1);
    expect(filesystem.info.usedBytes).toBe(12 * MIB);
  });

  test('a bitmap that calls $MFT free is not believed there', async () => {
    const sound = await (await opened(() => {})).usedMap();
    const filesystem = await opened((bytes) => {
      // The bitmap of 12,288 clusters; its first byte covers the boot sector and $MFT's first clusters.
      const device = parseBootSector(bytes);
      const clusters = Buffer.alloc(8192 / device.clusterBytes, 0xff);
      const at = bitmapOffset(bytes);
      expect(bytes.subarray(at, at + 1)).toEqual(clusters.subarray(0, 1));
      bytes.fill(0, at, at + Math.ceil((device.mftCluster + 27) / 8));
    });
    const map = await filesystem.usedMap();
    expect(map.warnings).toHaveLength(1);
    expect(map.warnings[0]).toContain('$MFT');
    const { mftCluster, clusterBytes } = parseBootSector(healthy);
    const covers = (at: number) =>
      map.extents.some(({ offsetBytes, lengthBytes }) => offsetBytes <= at && at < offsetBytes + lengthBytes);
    expect([0, mftCluster * clusterBytes, (mftCluster + 26) * clusterBytes].map(covers)).toEqual([true, true, true]);
    expect(map.usedBytes).toBeLessThanOrEqual(sound.usedBytes);
  });

  test('a volume larger than its partition is mapped as far as it goes, and said', async () => {
    const filesystem = await ntfsReader.open(memoryDevice(Buffer.from(healthy.subarray(0, 7 * MIB + 512))));
    const map = await filesystem.usedMap();
    expect(map.warnings.join()).toContain('the rest is missing');
    const last = map.extents.at(-1);
    expect((last?.offsetBytes ?? 0) + (last?.lengthBytes ?? 0)).toBeLessThanOrEqual(7 * MIB + 512);
    expect(filesystem.info.totalBytes).toBe(7 * MIB + 512);
  });

  test('EFS content is refused, its size is shown', async () => {
    const sound = await opened(() => {});
    const plain = (await listed(sound, await sound.root())).find(({ name }) => name === 'plain');
    if (!plain) throw new Error('plain is not listed');
    const filesystem = await opened((bytes) => {
      const at = recordOffset(Number(plain.ref.split('-')[0]));
      const attribute = at + attributeOffset(bytes.subarray(at), 0x80);
      bytes.writeUInt16LE(0x4000, attribute + 12);
    });
    const shown = (await listed(filesystem, await filesystem.root())).find(({ name }) => name === 'plain');
    expect(shown).toMatchObject({ type: 'file', sizeBytes: plain.sizeBytes });
    await expectCode(filesystem.openFile(plain), 'FS_ENCRYPTED_FILE');
  });

  test('a folder whose index leads back into itself ends in an error', async () => {
    const sound = await opened(() => {});
    const many = (await listed(sound, await sound.root())).find(({ name }) => name === 'many');
    if (!many) throw new Error('many is not listed');
    const filesystem = await opened((bytes) => {
      // The inner node of its tree: an index block with flag 1. Two of its entries are given the same child.
      let block = 0;
      while (bytes.toString('latin1', block, block + 4) !== 'INDX' || bytes.readUInt8(block + 36) !== 1) block += 1024;
      const first = block + 24 + bytes.readUInt32LE(block + 24);
      const second = first + bytes.readUInt16LE(first + 8);
      const child = (entry: number) => entry + bytes.readUInt16LE(entry + 8) - 8;
      bytes.copy(bytes, child(second), child(first), child(first) + 8);
    });
    await expectCode(listed(filesystem, many), 'FS_DAMAGED');
  });

  test('a torn record is listed by what its folder knows, and refused when opened', async () => {
    const sound = await opened(() => {});
    const [target] = await listed(sound, await sound.root());
    if (!target) throw new Error('the root is empty');
    const number = Number(target.ref.split('-')[0]);
    const filesystem = await opened((bytes) => bytes.writeUInt16LE(0xdead, recordOffset(number) + 510));
    const names = (await listed(filesystem, await filesystem.root())).map(({ name }) => name);
    expect(names).toContain(target.name);
    const action = target.type === 'directory' ? listed(filesystem, target) : filesystem.openFile(target);
    await expectCode(action, 'FS_DAMAGED');
  });

  mutationContract('ntfs', { reader: ntfsReader, makeImage: async () => ({ bytes: Buffer.from(healthy) }) });
  mutationContract('ntfs, in its table', {
    reader: ntfsReader,
    makeImage: async () => {
      const { mftCluster, clusterBytes, recordBytes } = parseBootSector(healthy);
      const metadata = [
        { offsetBytes: 0, lengthBytes: 80 },
        { offsetBytes: mftCluster * clusterBytes, lengthBytes: 12 * recordBytes },
        { offsetBytes: mftCluster * clusterBytes + 64 * recordBytes, lengthBytes: 60 * recordBytes },
      ];
      return { bytes: Buffer.from(healthy), metadata };
    },
  });
});
