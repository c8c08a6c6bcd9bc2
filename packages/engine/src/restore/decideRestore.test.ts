import { encodePartitionTable, type GptTable, memoryDevice, readPartitionTable } from '@diskfleet/disk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskLayout } from '../types.ts';
import { ABSENT, decideRestore, neededBytes, type PlanSource, type PlanTarget } from './decideRestore.ts';

const MIB = 1024 * 1024;

interface Span {
  readonly startMib: number;
  readonly sizeMib: number;
}

function gpt(spans: readonly Span[], diskBytes: number): GptTable {
  const shared = { role: 'primary', type: '0fc63daf-8483-4772-8e79-3d69d8477de4', typeName: 'Linux filesystem' } as const;
  return {
    kind: 'gpt',
    sectorBytes: 512,
    diskId: 'f2a5e5cd-2a5c-44ba-9c3e-4d0be7a9d1f0',
    partitions: spans.map(({ startMib, sizeMib }, index) => ({
      ...shared,
      number: index + 1,
      startBytes: startMib * MIB,
      sizeBytes: sizeMib * MIB,
      id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
      name: `part ${index + 1}`,
      bootable: false,
      attributes: '0',
      ebrOffsetBytes: null,
    })),
    warnings: [],
    source: 'primary',
    hybrid: false,
    bootCodeHex: '00'.repeat(440),
    entryCount: 128,
    entryBytes: 128,
    entriesOffsetBytes: 1024,
    firstUsableBytes: 34 * 512,
    lastUsableEndBytes: diskBytes - 33 * 512,
    mbrSignature: '00000000',
    hybridSlotsHex: '',
  };
}

function layoutOf(table: GptTable, sizeBytes: number, fingerprint: string): DiskLayout {
  const { partitions, diskId } = table;
  const kept = partitions.map(({ number, startBytes, sizeBytes: size, type, typeName, id, name }) => {
    return { number, startBytes, sizeBytes: size, type, typeName, id, name, filesystem: null };
  });
  return {
    sizeBytes,
    sectorBytes: 512,
    table: 'gpt',
    tableId: diskId,
    partitions: kept,
    filesystem: null,
    fingerprint,
    warnings: [],
  };
}

const spans = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 40 })), { maxLength: 6 }).map((pairs) => {
  let at = 1;
  return pairs.map(([gap, sizeMib]) => {
    const span = { startMib: at + gap, sizeMib };
    at = span.startMib + sizeMib;
    return span;
  });
});

const source = fc.tuple(spans, fc.integer({ min: 1, max: 50 })).map(([all, tail]): PlanSource => {
  const last = all.at(-1);
  const sizeBytes = ((last === undefined ? 1 : last.startMib + last.sizeMib) + tail) * MIB;
  const table = gpt(all, sizeBytes);
  const layout = layoutOf(table, sizeBytes, 'source');
  return { pointId: 'p', diskIndex: 0, layout, table, partition: null, usedBytes: 1000, dataEndBytes: sizeBytes };
});

function target(over: Partial<PlanTarget> & { sizeBytes?: number } = {}): PlanTarget {
  const { sizeBytes, ...rest } = over;
  const blank = {
    sectorBytes: 512,
    table: null,
    tableId: null,
    partitions: [],
    filesystem: null,
    fingerprint: 'blank',
    warnings: [],
  };
  return {
    path: '/dev/sdb',
    name: 'sdb',
    serial: 'S1',
    isFile: false,
    layout: sizeBytes === undefined ? null : { ...blank, sizeBytes },
    blank: true,
    ...rest,
  };
}

describe('decideRestore', () => {
  test('fits exactly when the table can be written and read back with every partition inside', async () => {
    await fc.assert(
      fc.asyncProperty(source, fc.integer({ min: -80 * 2048, max: 80 * 2048 }), async (saved, sectors) => {
        const sizeBytes = Math.max(512, saved.layout.sizeBytes + sectors * 512);
        const plan = decideRestore(saved, target({ sizeBytes }));
        expect(plan.fits).toBe(sizeBytes >= neededBytes(saved));
        expect(plan.reasons.length === 0).toBe(plan.fits);
        if (!plan.fits || saved.table === null) return;
        const disk = Buffer.alloc(sizeBytes);
        for (const { offsetBytes, bytes } of encodePartitionTable(saved.table, sizeBytes)) disk.set(bytes, offsetBytes);
        const table = await readPartitionTable(memoryDevice(disk));
        expect(table?.warnings).toEqual([]);
        expect(table?.partitions).toEqual(saved.table.partitions);
        for (const part of plan.partitions) {
          expect(part.toStartBytes).toBe(part.fromStartBytes);
          expect(part.toStartBytes + part.toBytes).toBeLessThanOrEqual(sizeBytes);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a target of the size of the source always fits, and one sector less than needed never', () => {
    fc.assert(
      fc.property(source, (saved) => {
        expect(decideRestore(saved, target({ sizeBytes: saved.layout.sizeBytes })).fits).toBe(true);
        expect(decideRestore(saved, target({ sizeBytes: neededBytes(saved) })).fits).toBe(true);
        const short = decideRestore(saved, target({ sizeBytes: neededBytes(saved) - 512 }));
        expect(short.reasons.map(({ code }) => code)).toEqual(['TARGET_TOO_SMALL']);
      }),
      { numRuns: 60 },
    );
  });

  test('the hash is the same for the same inputs and differs for any other target, point or disk', () => {
    fc.assert(
      fc.property(source, (saved) => {
        const sizeBytes = saved.layout.sizeBytes + MIB;
        const base = decideRestore(saved, target({ sizeBytes }));
        expect(decideRestore(structuredClone(saved), target({ sizeBytes })).planHash).toBe(base.planHash);
        const layout = target({ sizeBytes }).layout;
        const others = [
          decideRestore({ ...saved, pointId: 'q' }, target({ sizeBytes })),
          decideRestore({ ...saved, diskIndex: 1 }, target({ sizeBytes })),
          decideRestore(saved, target({ sizeBytes: sizeBytes + 512 })),
          decideRestore(saved, target({ sizeBytes, serial: 'S2' })),
          decideRestore(saved, target({ sizeBytes, path: '/dev/sdc' })),
          decideRestore(saved, target({ sizeBytes, name: 'S1', serial: 'sdb' })),
          decideRestore(saved, target({ sizeBytes, blank: false })),
          decideRestore(saved, target()),
          decideRestore(saved, target({ layout: layout && { ...layout, fingerprint: 'other' } })),
        ];
        expect(new Set([base, ...others].map(({ planHash }) => planHash)).size).toBe(others.length + 1);
      }),
      { numRuns: 30 },
    );
  });

  const saved: PlanSource = {
    pointId: 'p',
    diskIndex: 0,
    layout: layoutOf(gpt([{ startMib: 1, sizeMib: 10 }], 20 * MIB), 20 * MIB, 'source'),
    table: gpt([{ startMib: 1, sizeMib: 10 }], 20 * MIB),
    partition: null,
    usedBytes: 5,
    dataEndBytes: 20 * MIB,
  };

  test('a file that does not exist is made as large as the saved disk and takes its sectors', () => {
    const plan = decideRestore(saved, target({ isFile: true }));
    expect(plan.target).toMatchObject({ sizeBytes: 20 * MIB, sectorBytes: 512, create: true, fingerprint: ABSENT });
    expect(plan).toMatchObject({ fits: true, losses: [], estimatedBytes: 5 });
  });

  test('a disk with other sectors is refused; a file has none of its own', () => {
    const layout = target({ sizeBytes: 40 * MIB }).layout;
    const native = layout && { ...layout, sectorBytes: 4096 };
    expect(decideRestore(saved, target({ layout: native })).reasons[0]?.code).toBe('TARGET_SECTOR_MISMATCH');
    expect(decideRestore(saved, target({ layout: native, isFile: true })).fits).toBe(true);
  });

  test('losses are named: partitions by label, a lone filesystem, unknown bytes; a blank disk loses nothing', () => {
    const filesystem = { kind: 'ntfs', label: 'Photos', uuid: '', totalBytes: 9, usedBytes: 7, clean: true };
    const parts = layoutOf(
      gpt(
        [
          { startMib: 1, sizeMib: 10 },
          { startMib: 20, sizeMib: 2 },
        ],
        64 * MIB,
      ),
      64 * MIB,
      'x',
    );
    const [first, second] = parts.partitions;
    if (first === undefined || second === undefined) throw new Error('two partitions were made');
    const plan = decideRestore(saved, target({ layout: { ...parts, partitions: [{ ...first, filesystem }, second] } }));
    expect(plan.losses).toEqual([
      { number: 1, label: 'Photos', filesystem: 'ntfs', usedBytes: 7, sizeBytes: 10 * MIB },
      { number: 2, label: 'part 2', filesystem: null, usedBytes: null, sizeBytes: 2 * MIB },
    ]);
    expect(plan.partitions[0]?.action).toBe('overwrite');
    const layout = target({ sizeBytes: 64 * MIB }).layout;
    const lone = decideRestore(saved, target({ layout: layout && { ...layout, filesystem } }));
    expect(lone.losses).toEqual([{ number: null, label: 'Photos', filesystem: 'ntfs', usedBytes: 7, sizeBytes: 64 * MIB }]);
    expect(decideRestore(saved, target({ sizeBytes: 64 * MIB, blank: false })).losses).toHaveLength(1);
    expect(decideRestore(saved, target({ sizeBytes: 64 * MIB })).losses).toEqual([]);
  });

  test('a disk without a table needs room for its filesystem and for its last byte that is not zero', () => {
    const layout = { ...saved.layout, table: null, tableId: null, partitions: [] };
    const filesystem = { kind: 'ext4', label: '', uuid: '', totalBytes: 16 * MIB, usedBytes: 7, clean: false };
    const plain = { ...saved, layout: { ...layout, filesystem }, table: null };
    expect(neededBytes({ ...plain, dataEndBytes: 3 * MIB })).toBe(16 * MIB);
    expect(neededBytes({ ...plain, dataEndBytes: 17 * MIB })).toBe(17 * MIB);
    expect(decideRestore({ ...plain, dataEndBytes: 3 * MIB }, target({ sizeBytes: 16 * MIB })).fits).toBe(true);
  });
});
