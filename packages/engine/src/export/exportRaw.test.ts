import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Harness } from '../testing/harness.ts';
import { exportRaw } from './exportRaw.ts';

let harness: Harness;
beforeEach(() => {
  harness = new Harness();
});
afterEach(() => harness.close());

const MIB = 1 << 20;
const sha = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** 70 MiB, so that the map has two regions: data at both ends and in the middle twice, holes between. */
function makeDisk(name: string): void {
  const piece = randomBytes(3 * MIB + 512);
  writeFileSync(harness.path(name), piece);
  truncateSync(harness.path(name), 70 * MIB);
  writeFileSync(
    harness.path(name),
    Buffer.concat([piece, Buffer.alloc(17 * MIB - 512), piece, Buffer.alloc(2 * MIB), Buffer.alloc(512, 7)]),
    { flag: 'r+' },
  );
  const end = Buffer.concat([readFileSync(harness.path(name)).subarray(0, 69 * MIB), randomBytes(MIB)]);
  writeFileSync(harness.path(name), end);
}

test('an exported image is the disk, byte for byte, and has holes where it has', async () => {
  makeDisk('disk.img');
  const pointId = (await harness.backup(['disk.img'], { sectorBySector: true })).point.id;
  const vault = await harness.openVault();
  const path = harness.path('out.raw');
  const done = await exportRaw(vault, { pointId, diskIndex: 0, path }, harness.operation());
  expect(done).toMatchObject({ sizeBytes: 70 * MIB, warnings: [] });
  expect(sha(path)).toBe(sha(harness.path('disk.img')));
  expect(statSync(path).blocks * 512).toBeLessThan(20 * MIB);
  expect(done.writtenBytes).toBeLessThan(20 * MIB);
  // Never over a file that is there.
  await expect(exportRaw(vault, { pointId, diskIndex: 0, path }, harness.operation())).rejects.toMatchObject({
    code: 'PORTABLE_EXISTS',
  });
  const other = { pointId, diskIndex: 1, path: harness.path('other.raw') };
  await expect(exportRaw(vault, other, harness.operation())).rejects.toMatchObject({ code: 'DISK_NOT_IN_POINT' });
});

test('an export that is stopped leaves no file', async () => {
  makeDisk('disk.img');
  const pointId = (await harness.backup(['disk.img'], { sectorBySector: true })).point.id;
  const path = harness.path('out.raw');
  const signal = AbortSignal.abort(new Error('enough'));
  const run = exportRaw(await harness.openVault(), { pointId, diskIndex: 0, path }, harness.operation({ signal }));
  await expect(run).rejects.toThrow('enough');
  expect(readdirSync(harness.folder).filter((name) => name.startsWith(basename(path)))).toEqual([]);
});
