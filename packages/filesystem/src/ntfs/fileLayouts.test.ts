import { rmSync, writeFileSync } from 'node:fs';
import { link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryDevice, openFileDevice } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import type { FileLayout } from '../filesystem.ts';
import { type LayoutFixture, layoutContract } from '../testing/layoutContract.ts';
import { describeNeeding, makeScratch, runTool, type Scratch } from '../testing/scratch.ts';
import { ATTRIBUTE } from './attribute.ts';
import { readBootSector } from './bootSector.ts';
import { extentsOf } from './fileLayouts.ts';
import { Mft } from './mft.ts';
import { ntfsReader } from './reader.ts';
import { HOLE } from './runList.ts';
import { makeNtfsVolume, NTFS_TOOLS, pattern } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;

/** Leaves free only what lies between other files, so that the next file is scattered. */
async function scatter(folder: string, clusterBytes: number): Promise<void> {
  const fillerBytes = Math.max(4096, clusterBytes);
  const fillers = join(folder, 'fillers');
  await mkdir(fillers);
  let made = 0;
  try {
    for (; ; made++) writeFileSync(join(fillers, String(made)), pattern(fillerBytes, made));
  } catch {
    for (let index = 0; index < made; index += 2) rmSync(join(fillers, String(index)));
  }
  await writeFile(join(folder, 'scattered'), pattern(Math.floor((made / 2) * fillerBytes * 0.9), 77));
}

async function fillWithAll(folder: string, clusterBytes: number): Promise<void> {
  const compressed = join(folder, 'compressed');
  await mkdir(compressed);
  await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', compressed]);
  await writeFile(join(compressed, 'text'), 'a line of text\n'.repeat(20_000));
  await writeFile(join(folder, 'plain'), pattern(150_001, 1));
  await writeFile(join(folder, 'plain:stream'), pattern(30_000, 2));
  await writeFile(join(folder, 'resident'), 'small');
  await writeFile(join(folder, 'empty'), '');
  await symlink('plain', join(folder, 'link'));
  const deep = join(folder, 'Z folder', 'deeper', 'deepest');
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, 'file'), pattern(8192, 3));
  // In UTF-16 the second comes first, in bytes of UTF-8 the first.
  for (const name of ['\uff21 wide', '\u{1f600} face', 'ä', 'a', 'B', 'a.b', 'a-folder']) {
    await writeFile(join(folder, name), pattern(5000, name.length));
  }
  await mkdir(join(folder, 'a folder'));
  await link(join(folder, 'plain'), join(folder, 'a folder', 'second name'));
  await link(join(folder, 'plain'), join(folder, 'Z folder', 'third name'));
  const sparse = await open(join(folder, 'sparse'), 'w');
  await sparse.write(pattern(9000, 5), 0, 9000, 3 * MIB);
  await sparse.truncate(5 * MIB);
  await sparse.close();
  await mkdir(join(folder, 'many'));
  for (let index = 0; index < 300; index++) await writeFile(join(folder, 'many', `file ${index}`), pattern(2000 + index, index));
  for (let index = 0; index < 40; index++)
    await link(join(folder, 'Z folder', 'third name'), join(folder, 'many', `name ${index}`));
  await scatter(folder, clusterBytes);
}

describeNeeding(NTFS_TOOLS, 'NTFS file layouts', async () => {
  const scratch: Scratch = await makeScratch();
  afterAll(() => scratch.dispose());

  const makeFixture = async (clusterBytes: number, sizeBytes: number): Promise<LayoutFixture> => {
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes,
      mkntfs: ['-c', String(clusterBytes)],
      mountOptions: 'compression,streams_interface=windows',
      fill: (folder) => fillWithAll(folder, clusterBytes),
    });
    const device = await openFileDevice(path);
    return {
      device,
      open: (opened) => ntfsReader.open(opened),
      withoutLayout: (name) => name.startsWith('compressed/') || name === 'resident',
      sparse: ['sparse'],
      hardLinks: [
        [
          'plain',
          'a folder/second name',
          'Z folder/third name',
          ...Array.from({ length: 40 }, (_, index) => `many/name ${index}`),
        ],
      ],
      dispose: () => device.close(),
    };
  };
  layoutContract('NTFS', () => makeFixture(4096, 24 * MIB));
  layoutContract('NTFS with small clusters', () => makeFixture(512, 16 * MIB));
  layoutContract('NTFS with large clusters', () => makeFixture(65536, 64 * MIB));

  test('the scattered file of these volumes really needs an attribute list, the stamp tells a change', {
    timeout: 60_000,
  }, async () => {
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes: 24 * MIB,
      mkntfs: ['-c', '4096'],
      fill: (folder) => scatter(folder, 4096),
    });
    const layoutOf = async (): Promise<FileLayout> => {
      const device = await openFileDevice(path);
      try {
        const { geometry } = await readBootSector(device);
        const mft = await Mft.open({ device, geometry });
        for await (const layout of (await ntfsReader.open(device)).fileLayouts?.() ?? []) {
          if (layout.path !== 'scattered') continue;
          const record = await mft.record(Number(layout.ref.split('-')[0]));
          expect(record.attributes.some(({ type }) => type === ATTRIBUTE.attributeList)).toBe(true);
          expect(layout.extents.length).toBeGreaterThan(250);
          return layout;
        }
        throw new Error('it is not told');
      } finally {
        await device.close();
      }
    };
    const before = await layoutOf();
    const device = await scratch.attach(path);
    const folder = await scratch.mount(device, 'ntfs-3g', 'big_writes');
    const file = await open(join(folder, 'scattered'), 'r+');
    await file.write(Buffer.from('x'), 0, 1, 5000);
    await file.close();
    await scratch.unmount(folder);
    await scratch.detach(device);
    const after = await layoutOf();
    expect(after.stamp).not.toBe(before.stamp);
    expect(after.extents).toEqual(before.extents);
  });
});

describe('NTFS extents of a file', () => {
  const runs = [
    { vcn: 0, lcn: 100, clusters: 4 },
    { vcn: 4, lcn: HOLE, clusters: 2 },
    { vcn: 6, lcn: 50, clusters: 4 },
  ];
  const geometry = {
    sectorBytes: 512,
    clusterBytes: 4096,
    clusterCount: 104,
    volumeBytes: 104 * 4096,
    mftCluster: 1,
    mftMirrorCluster: 2,
    recordBytes: 1024,
    serial: '0',
  };
  const clustersOf = (sizeBytes: number, initialisedBytes: number, deviceClusters = 105) => {
    const source = { device: memoryDevice(Buffer.alloc(deviceClusters * 4096)), geometry };
    return extentsOf({ runs, sizeBytes, initialisedBytes }, source).map((extent) => [
      extent.fileOffsetBytes / 4096,
      extent.volumeOffsetBytes / 4096,
      extent.lengthBytes / 4096,
    ]);
  };

  test('holes and clusters behind the end have none', () => {
    expect(clustersOf(40_960, 40_960)).toEqual([
      [0, 100, 4],
      [6, 50, 4],
    ]);
    expect(clustersOf(24_577, 24_577)).toEqual([
      [0, 100, 4],
      [6, 50, 1],
    ]);
    expect(clustersOf(24_576, 24_576)).toEqual([[0, 100, 4]]);
    expect(clustersOf(1, 1)).toEqual([[0, 100, 1]]);
  });

  test('what was never initialised has none', () => {
    expect(clustersOf(40_960, 40_959)).toEqual([
      [0, 100, 4],
      [6, 50, 4],
    ]);
    expect(clustersOf(40_960, 8193)).toEqual([[0, 100, 3]]);
    expect(clustersOf(40_960, 8192)).toEqual([[0, 100, 2]]);
    expect(clustersOf(40_960, 0)).toEqual([]);
  });

  test('what lies behind the end of a partition cut short has none', () => {
    expect(clustersOf(40_960, 40_960, 102)).toEqual([
      [0, 100, 2],
      [6, 50, 4],
    ]);
    expect(clustersOf(40_960, 40_960, 20)).toEqual([]);
  });
});
