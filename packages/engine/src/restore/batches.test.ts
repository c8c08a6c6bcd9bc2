import { createHash } from 'node:crypto';
import { type Extent, mergeExtents, subtractExtents } from '@diskfleet/disk';
import type { ChunkLocation, MapEntry } from '@diskfleet/vault';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ID_BYTES } from '../backup/cellTable.ts';
import { type Batch, batchesOf, RUN_FIELDS } from './batches.ts';

function idOf(chunk: number): Buffer {
  return createHash('sha256').update(String(chunk)).digest();
}

/** Chunk numbers lie in packs of 50, in shuffled order. */
const locations = new Map<string, ChunkLocation>();
for (let chunk = 0; chunk < 300; chunk++) {
  const place = (chunk * 77) % 300;
  const pack = `pack-${Math.floor(place / 50)}`;
  locations.set(idOf(chunk).toString('hex'), { pack, offsetBytes: (place % 50) * 1000, storedBytes: 1000, plainBytes: 65_536 });
}
const locate = (id: Uint8Array) => locations.get(Buffer.from(id).toString('hex')) ?? null;

interface Spec {
  readonly gap: number;
  readonly length: number;
  readonly chunk: number | null;
  readonly within: number;
}

function entriesOf(specs: readonly Spec[]): MapEntry[] {
  let at = 0;
  return specs.map(({ gap, length, chunk, within }) => {
    const offsetBytes = at + gap;
    at = offsetBytes + length;
    if (chunk === null) return { kind: 'zero', offsetBytes, lengthBytes: length };
    return { kind: 'data', offsetBytes, lengthBytes: length, chunkId: idOf(chunk), chunkOffsetBytes: within };
  });
}

async function collect(entries: readonly MapEntry[], over: { withheld?: Extent[]; endBytes?: number } = {}) {
  const [zeros, free, batches]: [Extent[], Extent[], Batch[]] = [[], [], []];
  const source = async function* () {
    yield* entries;
  };
  const input = {
    entries: source(),
    locate,
    withheld: over.withheld ?? [],
    endBytes: over.endBytes ?? 10_000_000,
    onZero: async (extent: Extent) => void zeros.push(extent),
    onFree: async (extent: Extent) => void free.push(extent),
    wanted: () => true,
  };
  for await (const batch of batchesOf(input)) batches.push(batch);
  return { zeros, free, batches };
}

const specs = fc.array(
  fc.record({
    gap: fc.nat(5000),
    length: fc.integer({ min: 1, max: 20_000 }),
    chunk: fc.option(fc.nat(299), { freq: 4 }),
    within: fc.nat(40_000),
  }),
  { maxLength: 150 },
);
const cuts = fc.array(fc.record({ offsetBytes: fc.nat(900_000), lengthBytes: fc.integer({ min: 1, max: 30_000 }) }), {
  maxLength: 4,
});

describe('batches of a restore', () => {
  test('every byte of the map that is not withheld is in exactly one run or zero range, from the right place of its chunk', async () => {
    await fc.assert(
      fc.asyncProperty(specs, cuts, fc.integer({ min: 1, max: 1_500_000 }), async (all, withheld, endBytes) => {
        const entries = entriesOf(all);
        const { zeros, batches } = await collect(entries, { withheld, endBytes });
        const runs: Extent[] = [];
        for (const batch of batches) {
          for (let chunk = 0; chunk < batch.chunkCount; chunk++) {
            const id = Buffer.from(batch.ids.subarray(chunk * ID_BYTES, (chunk + 1) * ID_BYTES));
            expect(batch.firstRun[chunk + 1]).toBeGreaterThan(batch.firstRun[chunk] ?? 0);
            for (let run = batch.firstRun[chunk] ?? 0; run < (batch.firstRun[chunk + 1] ?? 0); run++) {
              const [offsetBytes = 0, within = 0, lengthBytes = 0] = batch.runs.subarray(
                run * RUN_FIELDS,
                (run + 1) * RUN_FIELDS,
              );
              runs.push({ offsetBytes, lengthBytes });
              const entry = entries.find((e) => e.offsetBytes <= offsetBytes && offsetBytes < e.offsetBytes + e.lengthBytes);
              expect(entry?.kind).toBe('data');
              if (entry?.kind !== 'data') continue;
              expect(entry.chunkId.equals(id)).toBe(true);
              expect(within - entry.chunkOffsetBytes).toBe(offsetBytes - entry.offsetBytes);
            }
          }
        }
        const behind = { offsetBytes: endBytes, lengthBytes: 10_000_000 };
        const kept = (kind: MapEntry['kind']) =>
          subtractExtents(
            entries.filter((entry) => entry.kind === kind),
            [...withheld, behind],
          );
        expect(mergeExtents(runs)).toEqual(kept('data'));
        expect(runs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)).toBe(
          kept('data').reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
        );
        expect(mergeExtents(zeros)).toEqual(kept('zero'));
      }),
      { numRuns: 100 },
    );
  });

  test('a chunk is fetched once however often it is used; groups are in storage order and never span packs', async () => {
    const all = Array.from({ length: 600 }, (_, index) => ({ gap: 0, length: 1000, chunk: (index * 31) % 300, within: 0 }));
    const { batches } = await collect(entriesOf(all));
    expect(batches).toHaveLength(1);
    const batch = batches[0];
    if (batch === undefined) return;
    expect(batch.chunkCount).toBe(300);
    expect(batch.bytes).toBe(600_000);
    let before = { pack: '', offsetBytes: -1 };
    for (let group = 0; group + 1 < batch.groups.length; group++) {
      const packs = new Set<string>();
      for (let chunk = batch.groups[group] ?? 0; chunk < (batch.groups[group + 1] ?? 0); chunk++) {
        const location = locate(batch.ids.subarray(chunk * ID_BYTES, (chunk + 1) * ID_BYTES));
        if (location === null) throw new Error('a chunk of no pack');
        packs.add(location.pack);
        expect(location.pack > before.pack || (location.pack === before.pack && location.offsetBytes > before.offsetBytes)).toBe(
          true,
        );
        before = location;
      }
      expect(packs.size).toBe(1);
    }
    expect(batch.groups.at(-1)).toBe(300);
  });

  test('what no entry covers is reported as free', async () => {
    const { free } = await collect(
      entriesOf([
        { gap: 100, length: 50, chunk: null, within: 0 },
        { gap: 0, length: 50, chunk: 1, within: 0 },
        { gap: 30, length: 20, chunk: 2, within: 0 },
      ]),
      { endBytes: 1000 },
    );
    expect(free).toEqual([
      { offsetBytes: 0, lengthBytes: 100 },
      { offsetBytes: 200, lengthBytes: 30 },
      { offsetBytes: 250, lengthBytes: 750 },
    ]);
  });

  test('a chunk the vault does not hold stops the restore before it is due', async () => {
    const entries: MapEntry[] = [{ kind: 'data', offsetBytes: 7, lengthBytes: 1, chunkId: idOf(1000), chunkOffsetBytes: 0 }];
    await expect(collect(entries)).rejects.toMatchObject({ code: 'CHUNK_MISSING' });
  });
});
