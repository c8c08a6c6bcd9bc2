/** Believing metadata: what it saves, what it must never miss, and the alarm when it lies. */
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { openFilesystem } from '@diskfleet/filesystem';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import { MIB, makeTree, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { firstDifference, Harness } from '../testing/harness.ts';
import type { BackupMemory, BackupRequest } from '../types.ts';
import { KnownRecords, RecordList } from './fileRecords.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'trusted metadata' : `trusted metadata (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

describe('records of files', () => {
  test('what was put in is known, all else is not, and foreign bytes hold nothing', () => {
    const records = Array.from({ length: 5000 }, (_, index) => createHash('sha256').update(`${index}`).digest().subarray(0, 16));
    const list = new RecordList();
    for (const record of records.slice(0, 4000)) list.add(record);
    const known = new KnownRecords(list.encode());
    expect(records.map((record) => known.has(record))).toEqual(records.map((_, index) => index < 4000));
    const [first = Buffer.alloc(16)] = records;
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(24), list.encode().subarray(1), list.encode().subarray(0, -1)]) {
      expect(new KnownRecords(bytes).has(first)).toBe(false);
    }
  });
});

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  const remembered = new Map<string, Uint8Array>();

  function trusting(name: string, over: Partial<BackupRequest> = {}): Partial<BackupRequest> {
    const memory: BackupMemory = {
      load: async () => remembered.get(name) ?? null,
      save: async (bytes) => {
        remembered.set(name, Uint8Array.from(bytes));
      },
    };
    return { method: 'incremental', cutter: 'files', source: name, trustMetadata: true, memory, ...over };
  }

  async function expectRestored(pointId: string, name: string): Promise<void> {
    const to = `restored-${name}`;
    writeFileSync(harness.path(to), '');
    truncateSync(harness.path(to), 0);
    await harness.restore(pointId, to);
    const device = await openFileDevice(harness.path(name));
    const { usedExtents } = await readUsedDisk(device);
    await device.close();
    expect(firstDifference(harness.path(name), harness.path(to), usedExtents)).toBe(null);
  }

  beforeAll(() => {
    mkdirSync(harness.path('tree'));
    makeTree(harness.path('tree'), 5);
    for (let index = 0; index < 60; index++) {
      writeFileSync(join(harness.path('tree'), `more-${index}`), noise(1000 + index * 4100, 700 + index));
    }
    runTool('mke2fs', ['-q', '-t', 'ext4', '-d', harness.path('tree'), harness.path('pristine'), '64M']);
  });
  afterAll(() => harness.close());

  test('unchanged files are not read again but for a sample, and the point is the disk all the same', async () => {
    copyFileSync(harness.path('pristine'), harness.path('quiet'));
    const first = await harness.backup(['quiet'], trusting('quiet'));
    const second = await harness.backup(['quiet'], trusting('quiet'));
    expect(second.newBytes).toBe(0);
    expect(second.warnings).toEqual([]);
    expect(second.readBytes).toBeLessThan(first.readBytes - 6 * MIB);
    await expectRestored(second.point.id, 'quiet');
  });

  test('a file that was replaced, one that went and one that came are seen', async () => {
    copyFileSync(harness.path('pristine'), harness.path('busy'));
    await harness.backup(['busy'], trusting('busy'));
    const from = harness.path('content');
    writeFileSync(from, noise(30_000, 77));
    const commands = ['rm more-7', `write ${from} more-7`, 'rm more-20', `write ${from} new`, 'rm small/0/file-5.bin'];
    writeFileSync(harness.path('commands'), commands.join('\n'));
    runTool('debugfs', ['-w', '-f', harness.path('commands'), harness.path('busy')]);
    const { point, warnings, newBytes } = await harness.backup(['busy'], trusting('busy'));
    expect(warnings).toEqual([]);
    expect(newBytes).toBeGreaterThan(30_000);
    await expectRestored(point.id, 'busy');
    const again = await harness.backup(['busy'], trusting('busy'));
    expect(again.newBytes).toBe(0);
    await expectRestored(again.point.id, 'busy');
  });

  test('a point made by the grid is no ground to believe anything', async () => {
    copyFileSync(harness.path('pristine'), harness.path('grid'));
    const byGrid = await harness.backup(['grid'], trusting('grid', { cutter: 'grid' }));
    const { readBytes, point } = await harness.backup(['grid'], trusting('grid'));
    expect(readBytes).toBeGreaterThan(byGrid.usedBytes * 0.9);
    await expectRestored(point.id, 'grid');
  });

  test('content that changed behind the back of the metadata raises an alarm, and everything is read', async () => {
    copyFileSync(harness.path('pristine'), harness.path('liar'));
    await harness.backup(['liar'], trusting('liar'));
    await flipEveryFile(harness.path('liar'));
    const { warnings, point } = await harness.backup(['liar'], trusting('liar'));
    expect(warnings.filter((text) => text.includes('metadata'))).toHaveLength(1);
    await expectRestored(point.id, 'liar');
    const again = await harness.backup(['liar'], trusting('liar'));
    expect(again).toMatchObject({ newBytes: 0, warnings: [] });
  });

  test('a volume that was not shut down cleanly is read in full', async () => {
    copyFileSync(harness.path('pristine'), harness.path('unclean'));
    const first = await harness.backup(['unclean'], trusting('unclean'));
    runTool('debugfs', ['-w', '-R', 'set_super_value state 0', harness.path('unclean')]);
    const { readBytes } = await harness.backup(['unclean'], trusting('unclean'));
    expect(readBytes).toBeGreaterThan(first.readBytes * 0.9);
  });
});

/** Flips a bit in every 64 KiB of every file, without a trace in any inode. */
async function flipEveryFile(path: string): Promise<void> {
  const device = await openFileDevice(path);
  const filesystem = await openFilesystem(device);
  const places: number[] = [];
  for await (const { extents } of filesystem?.fileLayouts?.() ?? []) {
    for (const { volumeOffsetBytes, lengthBytes } of extents) {
      for (let at = 0; at < lengthBytes; at += 65_536) places.push(volumeOffsetBytes + at);
    }
  }
  await device.close();
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  for (const place of places) {
    readSync(file, byte, 0, 1, place);
    byte.writeUInt8(byte.readUInt8(0) ^ 1);
    writeSync(file, byte, 0, 1, place);
  }
  closeSync(file);
}
