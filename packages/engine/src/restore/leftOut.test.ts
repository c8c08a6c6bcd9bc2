import { rmSync, statSync, writeFileSync } from 'node:fs';
import {
  type Extent,
  intersectExtents,
  openFileDevice,
  type Partition,
  type PartitionTable,
  readPartitionTable,
} from '@diskfleet/disk';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { explore } from '../explore/explore.ts';
import { Harness } from '../testing/harness.ts';
import { bytesOf, fillWithNoise, gptOf, makeNoiseDisk, mbrOf, SECTOR_BYTES, type Span } from '../testing/tableDisks.ts';
import type { ExploreEntry, RestorePlan } from '../types.ts';

const MIB = 1024 * 1024;
const SECTORS = 24_576;

const extentOf = ({ startBytes, sizeBytes }: Partition): Extent => ({ offsetBytes: startBytes, lengthBytes: sizeBytes });

/** Partitions from sector 40 on at any sector, with gaps of a few sectors up to a MiB; the last one may end where it just can. */
const anySpans = fc
  .record({
    parts: fc.array(fc.record({ gap: fc.constantFrom(1, 8, 63, 2048), count: fc.integer({ min: 64, max: 5000 }) }), {
      minLength: 2,
      maxLength: 5,
    }),
    toTheEnd: fc.boolean(),
  })
  .map(({ parts, toTheEnd }) => {
    const spans: Span[] = [];
    let at = 40;
    for (const { gap, count } of parts) {
      const start = at + gap;
      if (start + count > SECTORS - 34) break;
      spans.push({ start, count, ebrLead: gap });
      at = start + count;
    }
    const last = spans.at(-1);
    if (toTheEnd && last !== undefined) spans[spans.length - 1] = { ...last, count: SECTORS - 33 - last.start };
    return spans;
  });

const anyTable = fc.oneof(
  anySpans.map((spans): PartitionTable => gptOf(spans, SECTORS)),
  fc.tuple(anySpans, fc.nat(2)).map(([spans, primary]): PartitionTable => {
    return mbrOf(spans.map((span, index) => ({ ...span, logical: index >= primary })));
  }),
);

const content = ({ partitions }: PartitionTable) => partitions.filter(({ role }) => role !== 'extended');

async function tableOf(path: string): Promise<PartitionTable | null> {
  const device = await openFileDevice(path);
  try {
    return await readPartitionTable(device);
  } finally {
    await device.close();
  }
}

async function listed(entries: AsyncIterable<ExploreEntry>): Promise<ExploreEntry[]> {
  const all: ExploreEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

const actions = ({ partitions }: RestorePlan) =>
  partitions.map(({ number, action, untouched }) => `${number} ${action}${untouched === true ? ' untouched' : ''}`);

describe('restoring a point that holds some partitions', () => {
  const harness = new Harness();
  afterAll(() => harness.close());

  /** Makes a disk `source`, backs up `chosen` of it, and makes `target`: the same table, other bytes everywhere. */
  async function prepare(table: PartitionTable, chosen: readonly number[], change = (wanted: PartitionTable) => wanted) {
    makeNoiseDisk(harness.path('source'), table, { sectors: SECTORS, seed: 1 });
    makeNoiseDisk(harness.path('target'), change(table), { sectors: SECTORS, seed: 2 });
    const disks = [{ path: harness.path('source'), name: 'source', model: '', serial: '', partitions: chosen }];
    const { point } = await harness.backup([], { kind: 'partition', disks });
    return point.id;
  }

  const keepsAndRestores = async (table: PartitionTable, chosen: readonly number[]) => {
    for (const partition of content(table)) {
      const from = chosen.includes(partition.number) ? 'source' : 'before';
      const same = bytesOf(harness.path('target'), extentOf(partition)).equals(bytesOf(harness.path(from), extentOf(partition)));
      expect(same, `partition ${partition.number} is as on ${from}`).toBe(true);
    }
    const found = await tableOf(harness.path('target'));
    expect(found?.partitions).toEqual((await tableOf(harness.path('source')))?.partitions);
    expect(found?.warnings).toEqual([]);
  };

  test('not a byte of a kept partition changes, whatever the table: by a whole restore, an interrupted one, and the one after it', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, fc.infiniteStream(fc.boolean()), async (table, coins) => {
        const numbers = content(table).map(({ number }) => number);
        const picked = numbers.filter(() => coins.next().value);
        const chosen = picked.length === 0 ? numbers.slice(0, 1) : picked;
        const pointId = await prepare(table, chosen);
        makeNoiseDisk(harness.path('before'), table, { sectors: SECTORS, seed: 2 });
        const plan = await harness.plan(pointId, 'target');
        const rows = plan.partitions.filter(({ number }) => numbers.includes(number));
        expect(rows.map(({ action }) => action)).toEqual(numbers.map((one) => (chosen.includes(one) ? 'overwrite' : 'keep')));
        const lost = plan.losses.flatMap(({ number }) => (number === null || !numbers.includes(number) ? [] : [number]));
        expect(lost).toEqual(chosen);
        const stop = new AbortController();
        const onProgress = ({ phase }: { phase: string }) => phase === 'compare' && stop.abort();
        await expect(harness.carryOut(plan, { signal: stop.signal, onProgress })).rejects.toMatchObject({ code: 'CANCELLED' });
        expect(await tableOf(harness.path('target'))).toBe(null);
        const again = await harness.plan(pointId, 'target');
        const left = again.partitions.filter(({ content: what }) => what === 'leftOut');
        expect(left.every(({ action, untouched }) => action === 'create' && untouched === true)).toBe(true);
        await harness.carryOut(again);
        await keepsAndRestores(table, chosen);
        await harness.carryOut(await harness.plan(pointId, 'target'));
        await keepsAndRestores(table, chosen);
      }),
      { numRuns: 6 },
    );
  }, 240_000);

  const three = gptOf(
    [
      { start: 2048, count: 2048 },
      { start: 4096, count: 4096 },
      { start: 8192, count: SECTORS - 33 - 8192 },
    ],
    SECTORS,
  );
  const third = { offsetBytes: 4 * MIB, lengthBytes: (SECTORS - 33) * SECTOR_BYTES - 4 * MIB };

  test('a kept partition keeps the name its own disk has for it', async () => {
    const rename = (table: PartitionTable): PartitionTable => {
      const partitions = table.partitions.map((one) => (one.number === 3 ? { ...one, name: 'my data' } : one));
      return { ...table, partitions };
    };
    const pointId = await prepare(three, [1, 2], rename);
    const plan = await harness.plan(pointId, 'target');
    expect(actions(plan)).toEqual(['1 overwrite', '2 overwrite', '3 keep']);
    expect(plan.warnings.map(({ code }) => code)).toEqual(['LEFT_OUT_KEPT']);
    await harness.carryOut(plan);
    expect((await tableOf(harness.path('target')))?.partitions.map(({ name }) => name)).toEqual(['part 1', 'part 2', 'my data']);
  });

  test('another partition in its place is named as lost, and the place is made to look empty', async () => {
    const other = (table: PartitionTable): PartitionTable => {
      const id = '00000000-0000-4000-8000-00000000ffff';
      const partitions = table.partitions.map((one) => (one.number === 3 ? { ...one, id, name: 'not the same' } : one));
      return { ...table, partitions };
    };
    const pointId = await prepare(three, [1, 2], other);
    const plan = await harness.plan(pointId, 'target');
    expect(actions(plan)).toEqual(['1 overwrite', '2 overwrite', '3 create']);
    expect(plan.losses.map(({ number, label }) => `${number} ${label}`)).toContain('3 not the same');
    expect(plan.warnings.map(({ code }) => code)).toEqual(['LEFT_OUT_EMPTY']);
    await harness.carryOut(plan);
    const ends = [third.offsetBytes, third.offsetBytes + third.lengthBytes - MIB];
    for (const offsetBytes of ends) {
      expect(bytesOf(harness.path('target'), { offsetBytes, lengthBytes: MIB }).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('a partition that was moved since is named as lost, loudly', async () => {
    const moved = gptOf(
      [
        { start: 2048, count: 2048 },
        { start: 4096, count: 2048 },
        { start: 10_240, count: 4096 },
      ],
      SECTORS,
    );
    const pointId = await prepare(three, [1, 2], () => moved);
    const plan = await harness.plan(pointId, 'target');
    expect(plan.warnings.map(({ code }) => code)).toEqual(['LEFT_OUT_EMPTY', 'LEFT_OUT_MOVED']);
    expect(plan.losses.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test('the plan’s hash tells keeping from making anew', async () => {
    const pointId = await prepare(three, [1, 2]);
    const kept = await harness.plan(pointId, 'target');
    fillWithNoise(harness.path('target'), { offsetBytes: 0, lengthBytes: 34 * SECTOR_BYTES }, 9);
    fillWithNoise(harness.path('target'), { offsetBytes: (SECTORS - 33) * SECTOR_BYTES, lengthBytes: 33 * SECTOR_BYTES }, 9);
    const made = await harness.plan(pointId, 'target');
    expect(actions(made)).toEqual(['1 create', '2 create', '3 create untouched']);
    expect(made.planHash).not.toBe(kept.planHash);
  });

  test.each([
    ['GPT', three, [1, 2]],
    [
      'MBR',
      mbrOf([
        { start: 2048, count: 2048 },
        { start: 6144, count: 2048, logical: true, ebrLead: 2048 },
        { start: 9216, count: 12_000, logical: true, ebrLead: 8 },
      ]),
      [1, 5],
    ],
  ] as const)(
    '%s: a smaller target gets what fits; what is left out and does not is dropped from the table',
    async (_, table, chosen) => {
      const pointId = await prepare(table, chosen);
      writeFileSync(harness.path('small'), Buffer.alloc(5 * MIB));
      const plan = await harness.plan(pointId, 'small');
      expect(plan.reasons).toEqual([]);
      expect(plan.partitions.at(-1)?.action).toBe('drop');
      expect(plan.warnings.map(({ code }) => code)).toContain('LEFT_OUT_DROPPED');
      await harness.carryOut(plan);
      const found = await tableOf(harness.path('small'));
      expect(found?.warnings).toEqual([]);
      expect(found?.partitions.filter(({ role }) => role !== 'extended').map(({ number }) => number)).toEqual(chosen);
      for (const partition of content(table).filter(({ number }) => chosen.some((one) => one === number))) {
        expect(
          bytesOf(harness.path('small'), extentOf(partition)).equals(bytesOf(harness.path('source'), extentOf(partition))),
        ).toBe(true);
      }
    },
  );

  test('a new file has all partitions; those left out take no room', async () => {
    const pointId = await prepare(three, [1]);
    rmSync(harness.path('new'), { force: true });
    await harness.carryOut(await harness.plan(pointId, 'new'));
    expect((await tableOf(harness.path('new')))?.partitions).toEqual((await tableOf(harness.path('source')))?.partitions);
    expect(bytesOf(harness.path('new'), third).every((byte) => byte === 0)).toBe(true);
    expect(statSync(harness.path('new')).blocks * 512).toBeLessThan(5 * MIB);
  });

  test('one partition alone: an included one as ever, another is refused', async () => {
    const pointId = await prepare(three, [1, 2]);
    const { planRestore } = await import('./planRestore.ts');
    const ask = async (partition: number) =>
      planRestore(await harness.openVault(), {
        pointId,
        diskIndex: 0,
        partition,
        target: { path: harness.path('one'), name: 'one', serial: '' },
      });
    await harness.carryOut(await ask(2));
    const second = { offsetBytes: 2 * MIB, lengthBytes: 2 * MIB };
    expect(
      bytesOf(harness.path('one'), { offsetBytes: 0, lengthBytes: 2 * MIB }).equals(bytesOf(harness.path('source'), second)),
    ).toBe(true);
    await expect(ask(3)).rejects.toMatchObject({ code: 'PARTITION_LEFT_OUT' });
  });

  test('explore names what is not in the point and does not call it empty', async () => {
    const pointId = await prepare(three, [1, 2]);
    const disk = await (await (await harness.openVault()).openPoint(pointId)).openDisk(0);
    const explorer = await explore(disk);
    const entries = await listed(explorer.list('/'));
    expect(entries.map(({ partition, listable }) => `${partition?.content ?? 'here'} ${listable}`)).toEqual([
      'here false',
      'here false',
      'leftOut false',
    ]);
    await expect(listed(explorer.list('/3/any'))).rejects.toMatchObject({ code: 'PARTITION_LEFT_OUT' });
    await expect(explorer.open('/3/any')).rejects.toMatchObject({ code: 'PARTITION_LEFT_OUT' });
    await disk.close();
  });

  test('the map of such a point has nothing of what was left out', async () => {
    const pointId = await prepare(three, [1, 2]);
    const disk = await (await (await harness.openVault()).openPoint(pointId)).openDisk(0);
    expect(disk.info.partitions.map(({ content: what }) => what ?? 'here')).toEqual(['here', 'here', 'leftOut']);
    for await (const entry of disk.mapEntries()) expect(intersectExtents([entry], [third])).toEqual([]);
    await disk.close();
  });
});
