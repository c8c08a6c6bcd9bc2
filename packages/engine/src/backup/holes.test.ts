import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Extent, intersectExtents, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { longHoles } from './holes.ts';

const MIB = 1024 * 1024;
const FILE_MIB = 200;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diskfleet-holes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A sparse file with 4 KiB of data at each place. */
function sparseFile(name: string, places: readonly number[]): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, FILE_MIB * MIB);
  const file = openSync(path, 'r+');
  for (const at of places) writeSync(file, Buffer.alloc(4096, 1), 0, 4096, at);
  closeSync(file);
  return path;
}

test('no byte that was written lies in a hole, and of long holes hardly anything is left', async () => {
  const page = fc.integer({ min: 0, max: (FILE_MIB * MIB) / 4096 - 1 }).map((number) => number * 4096);
  const extent = fc
    .tuple(page, fc.integer({ min: 1, max: 50 * MIB }))
    .map(([offsetBytes, length]) => ({ offsetBytes, lengthBytes: Math.min(length, FILE_MIB * MIB - offsetBytes) }));
  await fc.assert(
    fc.asyncProperty(fc.array(page, { maxLength: 12 }), fc.array(extent, { maxLength: 6 }), async (places, claimed) => {
      const used = mergeExtents(claimed);
      const holes = await longHoles(sparseFile('disk', places), used);
      expect(mergeExtents(holes)).toEqual(holes);
      expect(subtractExtents(holes, used)).toEqual([]);
      const written = mergeExtents(places.map((offsetBytes): Extent => ({ offsetBytes, lengthBytes: 4096 })));
      expect(intersectExtents(holes, written)).toEqual([]);
      // What is left of each hole is its rounded ends, or a hole that was short.
      expect(sumBytes(subtractExtents(used, holes))).toBeLessThanOrEqual((places.length + claimed.length) * 6 * MIB);
    }),
    { numRuns: 60 },
  );
});

test('a file without holes, and what is no file, has none', async () => {
  writeFileSync(join(folder, 'full'), Buffer.alloc(8 * MIB, 7));
  const used = [{ offsetBytes: 0, lengthBytes: 8 * MIB }];
  expect(await longHoles(join(folder, 'full'), used)).toEqual([]);
  expect(await longHoles('/dev/zero', used)).toEqual([]);
});
