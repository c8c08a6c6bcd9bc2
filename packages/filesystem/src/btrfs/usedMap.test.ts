import { mergeExtents, sumBytes } from '@diskfleet/disk';
import { expect, test } from 'vitest';
import { guardedDevice } from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { dataChunk, syntheticVolume } from './testing/syntheticVolume.ts';

const everyOther = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ offsetBytes: index * 8192, lengthBytes: 4096 }));

/** First MiB, the copy of the superblock at 64 MiB, and the data where its chunk puts it. */
function expected(runs: readonly { offsetBytes: number; lengthBytes: number }[]) {
  const fixed = [
    { offsetBytes: 0, lengthBytes: 1 << 20 },
    { offsetBytes: 64 << 20, lengthBytes: 4096 },
  ];
  const data = runs.map((run) => ({ offsetBytes: dataChunk.offsetBytes + run.offsetBytes, lengthBytes: run.lengthBytes }));
  return mergeExtents([...fixed, ...data]);
}

test('100,000 extents take less than a second of CPU and little memory', async () => {
  const runs = everyOther(100_000);
  const device = guardedDevice(syntheticVolume({ dataRuns: runs }), { reads: 2000, bytes: 32 << 20, readBytes: 65536 });
  const startedAt = process.cpuUsage();
  const map = await (await btrfsReader.open(device)).usedMap();
  const cpu = process.cpuUsage(startedAt);
  expect(map.warnings).toEqual([]);
  expect(map.extents).toEqual(expected(runs));
  expect(map.usedBytes).toBe(sumBytes(map.extents));
  expect((cpu.user + cpu.system) / 1000).toBeLessThan(1000);
});

test('block groups in a tree of their own', async () => {
  const runs = everyOther(500);
  const map = await (await btrfsReader.open(syntheticVolume({ dataRuns: runs, blockGroupTree: true }))).usedMap();
  expect(map).toMatchObject({ warnings: [], extents: expected(runs) });
});

test.each([false, true])(
  'a block group that counts otherwise: its chunk is taken whole (own tree: %s)',
  async (blockGroupTree) => {
    const device = syntheticVolume({ dataRuns: everyOther(50), blockGroupTree, claimedBytes: 51 * 4096 });
    const map = await (await btrfsReader.open(device)).usedMap();
    expect(map.extents).toEqual(expected([{ offsetBytes: 0, lengthBytes: dataChunk.lengthBytes }]));
    expect(map.warnings).toEqual([
      `The extents of a chunk and the count of its block group disagree: the chunk at ${dataChunk.logical} was taken whole.`,
    ]);
  },
);

test('extents that overlap, leave their chunk or its sectors: the chunk is taken whole', async () => {
  const wrong = [
    [
      { offsetBytes: 0, lengthBytes: 8192 },
      { offsetBytes: 4096, lengthBytes: 4096 },
    ],
    [{ offsetBytes: dataChunk.lengthBytes - 4096, lengthBytes: 8192 }],
    [{ offsetBytes: 4096, lengthBytes: 4000 }],
    [{ offsetBytes: 100, lengthBytes: 4096 }],
  ];
  for (const dataRuns of wrong) {
    const map = await (await btrfsReader.open(syntheticVolume({ dataRuns }))).usedMap();
    expect(map.extents).toEqual(expected([{ offsetBytes: 0, lengthBytes: dataChunk.lengthBytes }]));
    expect(map.warnings).toEqual([`Extents overlap or leave their chunk: the chunk at ${dataChunk.logical} was taken whole.`]);
  }
});

test('an extent in no chunk is told, and what is known stays right', async () => {
  const runs = [{ offsetBytes: 8192, lengthBytes: 4096 }];
  const stray = { offsetBytes: dataChunk.lengthBytes * 3, lengthBytes: 4096 };
  const device = syntheticVolume({ dataRuns: [...runs, stray], claimedBytes: 4096 });
  const map = await (await btrfsReader.open(device)).usedMap();
  expect(map.extents).toEqual(expected(runs));
  expect(map.warnings).toEqual(['The extent tree names 1 extents that no chunk holds.']);
});
