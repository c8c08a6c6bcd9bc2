/** Whatever the target: no step of a restore writes where the plan says that nothing is written. Recorded, not compared. */
import {
  type BlockDevice,
  type Extent,
  encodePartitionTable,
  intersectExtents,
  memoryDevice,
  mergeExtents,
  type PartitionTable,
  subtractExtents,
  type WritableBlockDevice,
} from '@diskfleet/disk';
import type { MapEntry } from '@diskfleet/vault';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { isContainer } from '../layout/selectBackup.ts';
import { Harness } from '../testing/harness.ts';
import { gptOf, mbrOf, SECTOR_BYTES, type Span } from '../testing/tableDisks.ts';
import type { DiskLayout } from '../types.ts';
import { decideRestore } from './decideRestore.ts';
import { mergeTables, untouchedExtents } from './leftOut.ts';
import { tableAreas } from './tableAreas.ts';
import { eraseSignatures, writeData } from './writeData.ts';

const SECTORS = 16_384;

const anySpans = fc
  .array(fc.record({ gap: fc.constantFrom(1, 7, 63, 2048), count: fc.integer({ min: 16, max: 5000 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => {
    const spans: Span[] = [];
    let at = 40;
    for (const { gap, count } of parts) {
      const start = at + gap;
      if (start + count > SECTORS - 34) break;
      spans.push({ start, count, ebrLead: gap });
      at = start + count;
    }
    return spans;
  });
const anyTable = fc.oneof(
  anySpans.map((spans): PartitionTable => gptOf(spans, SECTORS)),
  anySpans.map((spans): PartitionTable => mbrOf(spans.map((span, index) => ({ ...span, logical: index > 0 })))),
);

function layoutOf(table: PartitionTable, sizeBytes: number, leftOut: (index: number) => boolean): DiskLayout {
  const partitions = table.partitions.map(({ number, startBytes, sizeBytes: size, type, typeName, id, name }, index) => {
    const place = { number, startBytes, sizeBytes: size, type, typeName, id, name, filesystem: null };
    return !isContainer(type) && leftOut(index) ? { ...place, content: 'leftOut' as const } : place;
  });
  const facts = {
    sectorBytes: SECTOR_BYTES,
    table: table.kind,
    tableId: table.diskId,
    filesystem: null,
    fingerprint: 'f',
    warnings: [],
  };
  return { ...facts, sizeBytes, partitions };
}

/** Remembers where it was written, and nothing else. */
function recorder(sizeBytes: number): { device: WritableBlockDevice; written: Extent[] } {
  const written: Extent[] = [];
  const device: WritableBlockDevice = {
    sizeBytes,
    sectorBytes: SECTOR_BYTES,
    async read(_offsetBytes, target) {
      target.fill(0);
    },
    async write(offsetBytes, source) {
      written.push({ offsetBytes, lengthBytes: source.length });
    },
    async zero(offsetBytes, lengthBytes) {
      written.push({ offsetBytes, lengthBytes });
    },
    async flush() {},
    async close() {},
  };
  return { device, written };
}

const scenario = fc.record({
  table: anyTable,
  leftOut: fc.infiniteStream(fc.boolean()),
  /** How the target differs: not at all, other ids, another disk, no table, or another size. */
  target: fc.constantFrom('same', 'other ids', 'other table', 'no table', 'larger', 'smaller', 'new'),
  other: anyTable,
});

describe('writes of a restore', () => {
  const harness = new Harness();
  afterAll(() => harness.close());

  test('stay out of what is kept and of what is left untouched; what is neither kept nor restored is named as lost', async () => {
    const vault = await harness.openVault();
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(scenario, async ({ table, leftOut, target: how, other }) => {
        const sizeBytes = SECTORS * SECTOR_BYTES;
        const coins = table.partitions.map(() => leftOut.next().value);
        const layout = layoutOf(table, sizeBytes, (index) => coins[index] === true);
        const resized = { larger: sizeBytes + 2048 * SECTOR_BYTES, smaller: sizeBytes - 4096 * SECTOR_BYTES };
        const targetBytes = how === 'larger' || how === 'smaller' ? resized[how] : sizeBytes;
        const plain = { ...layout, sizeBytes: targetBytes, partitions: layout.partitions.map(({ content: _, ...rest }) => rest) };
        const strange = plain.partitions.map((one) => ({ ...one, id: one.id && `${one.id}x` }));
        const layouts: Record<typeof how, DiskLayout | null> = {
          same: plain,
          'other ids': { ...plain, tableId: 'other', partitions: strange },
          'other table': layoutOf(other, sizeBytes, () => false),
          'no table': { ...plain, table: null, tableId: null, partitions: [] },
          larger: plain,
          smaller: plain,
          new: null,
        };
        const source = { pointId: 'p', diskIndex: 0, layout, table, partition: null, usedBytes: 0, dataEndBytes: sizeBytes };
        const on = layouts[how];
        const wanted = { path: '/dev/x', name: 'x', serial: '', isFile: false, layout: on, blank: false };
        const plan = decideRestore(source, wanted);
        for (const { action } of plan.partitions) seen.set(action, (seen.get(action) ?? 0) + 1);
        const untouched = untouchedExtents(plan);
        for (const there of on?.partitions ?? []) {
          if (isContainer(there.type)) continue;
          const extent = { offsetBytes: there.startBytes, lengthBytes: there.sizeBytes };
          const isSafe = plan.partitions.some((one) => one.action === 'keep' && one.toStartBytes === there.startBytes);
          expect(plan.losses.some(({ number }) => number === there.number)).toBe(!isSafe);
          if (isSafe) expect(subtractExtents([extent], untouched)).toEqual([]);
        }
        if (!plan.fits) return;
        const { device, written } = recorder(targetBytes);
        // Everything that is in the point reads as zero: the writer then writes from this thread, where it can be watched.
        const held = layout.partitions.filter(({ content }) => content !== 'leftOut');
        const saved = mergeExtents(held.map((one) => ({ offsetBytes: one.startBytes, lengthBytes: one.sizeBytes })));
        const entries = async function* (): AsyncGenerator<MapEntry> {
          for (const extent of subtractExtents(saved, untouchedExtents({ partitions: [] }))) yield { kind: 'zero', ...extent };
        };
        const disk: BlockDevice = memoryDevice(Buffer.alloc(sizeBytes));
        const view = { device: disk, layout, table, partition: null, usedBytes: 0, entries, close: async () => {} };
        const run = { vault, view, target: device, plan, op: harness.operation() };
        await eraseSignatures(run);
        const merged = mergeTables(table, plan, null);
        const areas = await tableAreas(disk, table, { targetBytes, merged });
        await writeData(run, areas);
        for (const { offsetBytes, bytes } of areas.writes) written.push({ offsetBytes, lengthBytes: bytes.length });
        expect(intersectExtents(written, untouched)).toEqual([]);
        if (merged !== null) expect(() => encodePartitionTable(merged, targetBytes)).not.toThrow();
      }),
      { numRuns: 300 },
    );
    // Nothing was proven of what never came up.
    expect([...seen.keys()].sort()).toEqual(['create', 'drop', 'keep', 'overwrite']);
  });
});
