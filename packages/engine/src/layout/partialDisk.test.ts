import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type BlockDevice, type Extent, intersectExtents, memoryDevice, sumBytes } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import { MIB, makeDisk, makeTree, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import { readUsedDisk } from './readUsedDisk.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'some partitions' : `some partitions (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  afterAll(() => harness.close());
  mkdirSync(harness.path('tree'));
  makeTree(harness.path('tree'));
  const tree = harness.path('tree');
  const load = (name: string): BlockDevice => memoryDevice(readFileSync(harness.path(name)));
  const usedIn = (used: readonly Extent[], fromMib: number, toMib: number) =>
    sumBytes(intersectExtents(used, [{ offsetBytes: fromMib * MIB, lengthBytes: (toMib - fromMib) * MIB }]));

  test('GPT: of the partitions that were not chosen nothing is taken, of the table, the gaps and the rest all', async () => {
    makeDisk(harness.path('gpt'), 120, {
      kind: 'gpt',
      parts: [
        { sizeMib: 24, kind: 'ext4', tree },
        { sizeMib: 8, kind: 'raw' },
        { sizeMib: 16, kind: 'ntfs' },
      ],
    });
    const all = await readUsedDisk(load('gpt'));
    const { usedExtents: used, layout, leftOutExtents } = await readUsedDisk(load('gpt'), { partitions: [1] });
    expect(layout.partitions.map(({ content }) => content ?? 'taken')).toEqual(['taken', 'leftOut', 'leftOut']);
    expect(layout.partitions.map(({ filesystem }) => filesystem?.kind ?? null)).toEqual(['ext4', null, 'ntfs']);
    expect(usedIn(used, 0, 25)).toBe(usedIn(all.usedExtents, 0, 25));
    expect(usedIn(used, 25, 49)).toBe(0);
    expect(usedIn(used, 49, 120)).toBe(usedIn(all.usedExtents, 49, 120));
    expect(usedIn(leftOutExtents, 25, 49)).toBe(24 * MIB);
    expect(intersectExtents(used, leftOutExtents)).toEqual([]);
    const sectors = await readUsedDisk(load('gpt'), { partitions: [1], sectorBySector: true });
    expect(usedIn(sectors.usedExtents, 0, 120)).toBe((120 - 24) * MIB);
    await expect(readUsedDisk(load('gpt'), { partitions: [4] })).rejects.toMatchObject({ code: 'PARTITION_NOT_FOUND' });
    await expect(readUsedDisk(load('gpt'), { partitions: [] })).rejects.toMatchObject({ code: 'PARTITION_NOT_FOUND' });
  });

  test('MBR: boot records of logical partitions are taken whichever of them is left out', async () => {
    writeFileSync(harness.path('mbr'), Buffer.alloc(60 * MIB));
    const lines = [
      'start=2048, size=16384, type=83',
      'start=18432, size=61440, type=5',
      'start=20480, size=16384',
      'start=40960, size=16384',
    ];
    runTool('sfdisk', ['-q', harness.path('mbr')], `label: dos\n${lines.join('\n')}\n`);
    const { layout } = await readUsedDisk(load('mbr'));
    const [, , first, second] = layout.partitions;
    if (first === undefined || second === undefined) throw new Error('no logical partitions');
    const { usedExtents: used, layout: partial } = await readUsedDisk(load('mbr'), { partitions: [1, first.number] });
    expect(partial.partitions.map(({ content }) => content ?? 'taken')).toEqual(['taken', 'taken', 'taken', 'leftOut']);
    const inside = { offsetBytes: second.startBytes, lengthBytes: second.sizeBytes };
    expect(intersectExtents(used, [inside])).toEqual([]);
    const between = first.startBytes + first.sizeBytes;
    const gap = { offsetBytes: between, lengthBytes: second.startBytes - between };
    expect(sumBytes(intersectExtents(used, [gap]))).toBe(gap.lengthBytes);
  });

  test('a damaged filesystem that is left out is nobody’s business', async () => {
    const bytes = readFileSync(harness.path('gpt'));
    noise(1024, 3).copy(bytes, MIB + 2048);
    writeFileSync(harness.path('hurt'), bytes);
    expect((await readUsedDisk(load('hurt'))).layout.warnings).not.toEqual([]);
    expect((await readUsedDisk(load('hurt'), { partitions: [3] })).layout.warnings).toEqual([]);
  });
});
