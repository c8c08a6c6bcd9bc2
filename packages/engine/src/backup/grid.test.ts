import { type Extent, mergeExtents, sumBytes } from '@diskfleet/disk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CELL_DATA, CELL_PENDING, CELL_ZERO, createCellTable, ID_BYTES } from './cellTable.ts';
import { CELL_BYTES, cutGrid, loadRegion, REGION_CELLS } from './grid.ts';
import { gridMapEntries } from './gridMap.ts';

const extents = fc
  .array(
    fc.record({
      offsetBytes: fc.nat(6000).map((n) => n * 4096),
      lengthBytes: fc.integer({ min: 1, max: 900 }).map((n) => n * 512),
    }),
    {
      maxLength: 60,
    },
  )
  .map(mergeExtents);
const disks = fc.array(extents, { minLength: 1, maxLength: 3 });

function emptyRegion() {
  return { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 };
}

describe('the grid cutter', () => {
  test('every used byte lies in exactly one cell of one region; every cell holds a used byte', () => {
    fc.assert(
      fc.property(disks, (all) => {
        const grid = cutGrid(all);
        const cells = all.map(() => new Set<number>());
        let ordinal = 0;
        for (let index = 0; index < grid.regionCount; index++) {
          const region = loadRegion(grid.regions, index, emptyRegion());
          expect(region.cells).toBeGreaterThan(0);
          expect(region.cells).toBeLessThanOrEqual(REGION_CELLS);
          expect(region.firstOrdinal).toBe(ordinal);
          ordinal += region.cells;
          const start = region.firstCell * CELL_BYTES;
          const end = start + region.cells * CELL_BYTES;
          // The first extent is the first one that reaches into the region.
          expect(grid.extents[region.firstExtent * 2 + 1]).toBeGreaterThan(start);
          expect(grid.extents[region.firstExtent * 2]).toBeLessThan(end);
          if (region.firstExtent > (grid.firstExtentOfDisk[region.disk] ?? 0)) {
            expect(grid.extents[region.firstExtent * 2 - 1]).toBeLessThanOrEqual(start);
          }
          for (let cell = region.firstCell; cell < region.firstCell + region.cells; cell++) {
            expect(cells[region.disk]?.has(cell)).toBe(false);
            cells[region.disk]?.add(cell);
          }
        }
        expect(ordinal).toBe(grid.cellCount);
        for (const [disk, used] of all.entries()) {
          const wanted = new Set<number>();
          for (const { offsetBytes, lengthBytes } of used) {
            for (let at = offsetBytes; at < offsetBytes + lengthBytes; at += 512) wanted.add(Math.floor(at / CELL_BYTES));
          }
          expect(cells[disk]).toEqual(wanted);
        }
        expect(grid.usedBytes).toBe(all.reduce((total, used) => total + sumBytes(used), 0));
      }),
      { numRuns: 150 },
    );
  });

  test('the map covers every used byte exactly once, each within the chunk of its cell', () => {
    fc.assert(
      fc.property(disks, fc.infiniteStream(fc.boolean()), (all, coin) => {
        const grid = cutGrid(all);
        const table = createCellTable(grid.cellCount);
        for (let ordinal = 0; ordinal < grid.cellCount; ordinal++) {
          table.states[ordinal] = coin.next().value ? CELL_ZERO : CELL_DATA;
          table.ids.fill(ordinal % 251, ordinal * ID_BYTES, (ordinal + 1) * ID_BYTES);
        }
        let cellsBefore = 0;
        for (const [disk, used] of all.entries()) {
          const ordinals = new Map<number, number>();
          for (const { offsetBytes, lengthBytes } of used) {
            for (let cell = Math.floor(offsetBytes / CELL_BYTES); cell * CELL_BYTES < offsetBytes + lengthBytes; cell++) {
              if (!ordinals.has(cell)) ordinals.set(cell, cellsBefore + ordinals.size);
            }
          }
          cellsBefore += ordinals.size;
          const seen: Extent[] = [];
          let end = 0;
          for (const entry of gridMapEntries(grid, table, disk)) {
            expect(entry.offsetBytes).toBeGreaterThanOrEqual(end);
            end = entry.offsetBytes + entry.lengthBytes;
            seen.push(entry);
            if (entry.kind === 'data') {
              expect(entry.chunkOffsetBytes).toBe(entry.offsetBytes % CELL_BYTES);
              expect(entry.chunkOffsetBytes + entry.lengthBytes).toBeLessThanOrEqual(CELL_BYTES);
              expect(entry.chunkId[0]).toBe((ordinals.get(Math.floor(entry.offsetBytes / CELL_BYTES)) ?? -1) % 251);
            }
          }
          expect(mergeExtents(seen)).toEqual(used);
          expect(sumBytes(seen)).toBe(sumBytes(used));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a cell no worker touched never becomes part of a map', () => {
    const grid = cutGrid([[{ offsetBytes: 0, lengthBytes: 4096 }]]);
    const table = createCellTable(1);
    expect(table.states[0]).toBe(CELL_PENDING);
    expect(() => [...gridMapEntries(grid, table, 0)]).toThrow(expect.objectContaining({ code: 'WORKER_FAILED' }));
  });

  test('a sparse disk of 1 TB costs memory for its used cells only', () => {
    const used = Array.from({ length: 1000 }, (_, index) => ({
      offsetBytes: index * 1e9 - ((index * 1e9) % 4096),
      lengthBytes: 4096,
    }));
    const grid = cutGrid([used]);
    expect(grid.cellCount).toBe(1000);
    expect(grid.regions.byteLength).toBeLessThan(50_000);
  });
});
