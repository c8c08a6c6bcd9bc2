import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { openFileDevice, readPartitionTable } from '@diskfleet/disk';
import type { Vault } from '@diskfleet/vault';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { backup } from './backup/backup.ts';
import { readUsedDisk } from './layout/readUsedDisk.ts';
import { planRestore } from './restore/planRestore.ts';
import { restore } from './restore/restore.ts';
import { cutOut, MIB, makeDisk, makeTree, makeVolume, missingTools, noise, runTool } from './testing/diskImages.ts';
import { firstDifference, Harness } from './testing/harness.ts';
import type { DiskLayout, Progress } from './types.ts';
import { verify } from './verify.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'real disks' : `real disks (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

async function usedOf(path: string) {
  const device = await openFileDevice(path);
  try {
    return await readUsedDisk(device);
  } finally {
    await device.close();
  }
}

async function expectUsedEqual(source: string, restored: string): Promise<DiskLayout> {
  const { usedExtents, layout } = await usedOf(source);
  expect(usedExtents.length).toBeGreaterThan(0);
  expect(firstDifference(source, restored, usedExtents)).toBe(null);
  return layout;
}

/** The vault, but the method `name` does something first (and may answer in its place). */
function hooked(vault: Vault, name: string, hook: () => unknown): Vault {
  return new Proxy(vault, {
    get(whole, key) {
      const value = Reflect.get(whole, key, whole);
      if (typeof value !== 'function') return value;
      return key === name ? (...args: unknown[]) => hook() ?? value.apply(whole, args) : value.bind(whole);
    },
  });
}

function overwriteAt(path: string, bytes: Uint8Array, offsetBytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offsetBytes);
  closeSync(file);
}

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  let pointId = '';

  beforeAll(async () => {
    mkdirSync(harness.path('tree'));
    makeTree(harness.path('tree'));
    const tree = harness.path('tree');
    makeDisk(harness.path('gpt'), 200, {
      kind: 'gpt',
      parts: [
        { sizeMib: 36, kind: 'esp', tree },
        { sizeMib: 96, kind: 'ext4', tree },
        { sizeMib: 24, kind: 'ntfs', tree },
        { sizeMib: 4, kind: 'raw', bytes: noise(3 * MIB, 9) },
      ],
    });
    copyFileSync(harness.path('gpt'), harness.path('gpt-at-first'));
    pointId = (await harness.backup(['gpt'])).point.id;
  });
  afterAll(() => harness.close());

  test('GPT with ESP, ext4, NTFS and an unknown partition comes back equal in every used byte, to a new sparse file', async () => {
    const result = await harness.restore(pointId, 'restored');
    const layout = await expectUsedEqual(harness.path('gpt-at-first'), harness.path('restored'));
    expect(statSync(harness.path('restored')).size).toBe(200 * MIB);
    expect(statSync(harness.path('restored')).blocks * 512).toBeLessThan(60 * MIB);
    expect(result.comparedBytes).toBeGreaterThanOrEqual(result.writtenBytes);
    expect(runTool('sgdisk', ['-v', harness.path('restored')])).toContain('No problems found');
    const checks = [
      ['fsck.fat', '-n'],
      ['e2fsck', '-fn'],
      ['ntfsfix', '-n'],
    ] as const;
    for (const [index, [tool, flag]] of checks.entries()) {
      const partition = layout.partitions[index];
      expect(partition).toBeDefined();
      if (partition !== undefined) cutOut(harness.path('restored'), partition, harness.path('volume'));
      runTool(tool, [flag, harness.path('volume')]);
    }
  });

  test('restoring over what is there already leaves matching blocks alone', async () => {
    const before = readFileSync(harness.path('restored'));
    const result = await harness.restore(pointId, 'restored');
    expect(result.skippedBytes).toBeGreaterThan(10 * MIB);
    expect(result.writtenBytes).toBeLessThan(3 * MIB);
    expect(readFileSync(harness.path('restored')).equals(before)).toBe(true);
  });

  test('a larger target that held another disk: the backup GPT moves to its end, old signatures are gone', async () => {
    makeDisk(harness.path('larger'), 240, {
      kind: 'gpt',
      parts: [
        { sizeMib: 100, kind: 'ext4', tree: harness.path('tree') },
        { sizeMib: 70, kind: 'raw', bytes: noise(70 * MIB, 77) },
      ],
    });
    const plan = await harness.plan(pointId, 'larger');
    expect(plan.losses.map(({ number }) => number)).toEqual([1, 2]);
    expect(plan.warnings.map(({ code }) => code)).toContain('TARGET_LARGER');
    await harness.carryOut(plan);
    const used = (await usedOf(harness.path('gpt-at-first'))).usedExtents;
    const inPartitions = used.filter(({ offsetBytes }) => offsetBytes >= MIB && offsetBytes < 161 * MIB);
    expect(firstDifference(harness.path('gpt-at-first'), harness.path('larger'), inPartitions)).toBe(null);
    expect(runTool('sgdisk', ['-v', harness.path('larger')])).toContain('No problems found');
    const ids = (path: string) => runTool('sgdisk', ['-p', path]).match(/Disk identifier.*/)?.[0];
    expect(ids(harness.path('larger'))).toBe(ids(harness.path('gpt-at-first')));
  });

  test('a target that ends before the last partition does not fit; the plan says how much is missing', async () => {
    writeFileSync(harness.path('small'), '');
    truncateSync(harness.path('small'), 150 * MIB);
    const plan = await harness.plan(pointId, 'small');
    expect(plan.fits).toBe(false);
    expect(plan.reasons[0]?.code).toBe('TARGET_TOO_SMALL');
    expect(plan.reasons[0]?.text).toContain(String(161 * MIB + 33 * 512 - 150 * MIB));
    await expect(harness.carryOut(plan)).rejects.toMatchObject({ code: 'PLAN_DOES_NOT_FIT' });
    expect(readFileSync(harness.path('small')).every((byte) => byte === 0)).toBe(true);
  });

  test('a smaller target that still holds every partition: the backup GPT moves forward', async () => {
    writeFileSync(harness.path('snug'), '');
    truncateSync(harness.path('snug'), 162 * MIB);
    await harness.restore(pointId, 'snug');
    expect(runTool('sgdisk', ['-v', harness.path('snug')])).toContain('No problems found');
  });

  test('an incremental after a small change stores little, and both points restore on their own', async () => {
    const file = harness.path('addition');
    writeFileSync(file, noise(700_000, 5));
    const { layout } = await usedOf(harness.path('gpt'));
    const ext = layout.partitions[1];
    expect(ext).toBeDefined();
    if (ext === undefined) return;
    cutOut(harness.path('gpt'), ext, harness.path('volume'));
    runTool('debugfs', ['-w', '-R', `write ${file} added.bin`, harness.path('volume')]);
    overwriteAt(harness.path('gpt'), readFileSync(harness.path('volume')), ext.startBytes);
    const second = await harness.backup(['gpt'], { method: 'incremental' });
    expect(second.method).toBe('incremental');
    expect(second.point.parentId).toBe(pointId);
    expect(second.newBytes).toBeGreaterThan(700_000);
    expect(second.newBytes).toBeLessThan(5 * MIB);
    expect(second.storedBytes).toBeLessThan(3 * MIB);
    await harness.restore(second.point.id, 'restored-2');
    await expectUsedEqual(harness.path('gpt'), harness.path('restored-2'));
    await harness.restore(pointId, 'restored-1');
    await expectUsedEqual(harness.path('gpt-at-first'), harness.path('restored-1'));
  });

  test('MBR with boot code, a gap that holds something, and logical partitions', async () => {
    writeFileSync(harness.path('mbr'), '');
    truncateSync(harness.path('mbr'), 64 * MIB);
    const lines = [
      'label: dos',
      'start=2048, size=32768, type=83, bootable',
      'start=40960, size=81920, type=5',
      'start=43008, size=20480, type=83',
      'start=65536, size=20480, type=7',
    ];
    runTool('sfdisk', ['-q', harness.path('mbr')], `${lines.join('\n')}\n`);
    overwriteAt(harness.path('mbr'), noise(440, 1), 0);
    overwriteAt(harness.path('mbr'), noise(30_000, 2), 512);
    makeVolume(harness.path('vol'), { sizeMib: 16, kind: 'ext4', tree: harness.path('tree') });
    overwriteAt(harness.path('mbr'), readFileSync(harness.path('vol')), 2048 * 512);
    overwriteAt(harness.path('mbr'), noise(MIB, 3), 43008 * 512);
    const { point } = await harness.backup(['mbr'], { source: 'mbr' });
    await harness.restore(point.id, 'mbr-restored');
    const layout = await expectUsedEqual(harness.path('mbr'), harness.path('mbr-restored'));
    expect(layout.partitions.map(({ number }) => number)).toEqual([1, 2, 5, 6]);
    const dump = (name: string) => runTool('sfdisk', ['-d', harness.path(name)]).replaceAll(harness.path(name), '');
    expect(dump('mbr-restored')).toBe(dump('mbr'));
    expect(firstDifference(harness.path('mbr'), harness.path('mbr-restored'), [{ offsetBytes: 0, lengthBytes: MIB }])).toBe(null);
  });

  test('a disk without a table, one filesystem from its first byte on', async () => {
    makeVolume(harness.path('plain'), { sizeMib: 32, kind: 'ext4', tree: harness.path('tree') });
    const { point } = await harness.backup(['plain'], { source: 'plain' });
    await harness.restore(point.id, 'plain-restored');
    await expectUsedEqual(harness.path('plain'), harness.path('plain-restored'));
    runTool('e2fsck', ['-fn', harness.path('plain-restored')]);
  });

  test('sector by sector keeps every byte, used or not', async () => {
    makeVolume(harness.path('stale'), { sizeMib: 16, kind: 'ext4', tree: undefined });
    overwriteAt(harness.path('stale'), noise(MIB, 8), 14 * MIB);
    const { point } = await harness.backup(['stale'], { source: 'stale', sectorBySector: true });
    await harness.restore(point.id, 'stale-restored');
    expect(readFileSync(harness.path('stale-restored')).equals(readFileSync(harness.path('stale')))).toBe(true);
  });

  test('one partition alone, to a file: its inside from the first byte on', async () => {
    const target = { path: harness.path('alone'), name: 'alone', serial: '' };
    const vault = await harness.openVault();
    const plan = await planRestore(vault, { pointId, diskIndex: 0, partition: 2, target });
    expect(plan).toMatchObject({ partition: 2, source: { sizeBytes: 96 * MIB, table: null }, target: { sizeBytes: 96 * MIB } });
    expect(plan.partitions).toMatchObject([{ number: 2, fromStartBytes: 37 * MIB, toStartBytes: 0, toBytes: 96 * MIB }]);
    await harness.carryOut(plan);
    runTool('e2fsck', ['-fn', harness.path('alone')]);
    cutOut(harness.path('gpt-at-first'), { startBytes: 37 * MIB, sizeBytes: 96 * MIB }, harness.path('volume'));
    await expectUsedEqual(harness.path('volume'), harness.path('alone'));
    await expect(planRestore(vault, { pointId, diskIndex: 0, partition: 9, target })).rejects.toMatchObject({
      code: 'PARTITION_NOT_FOUND',
    });
  });

  test('two disks in one point, each restored by its number', async () => {
    writeFileSync(harness.path('one'), noise(3 * MIB + 512, 31));
    writeFileSync(harness.path('two'), noise(2 * MIB, 32));
    const { point } = await harness.backup(['one', 'two'], { source: 'pair' });
    for (const [index, name] of ['one', 'two'].entries()) {
      await harness.carryOut(await harness.plan(point.id, `${name}-restored`, index));
      expect(readFileSync(harness.path(`${name}-restored`)).equals(readFileSync(harness.path(name)))).toBe(true);
    }
    await expect(harness.plan(point.id, 'three', 2)).rejects.toMatchObject({ code: 'DISK_NOT_IN_POINT' });
  });

  test.each([1, 511, 513, 4097, 262_143, 262_145, 1_000_001])('a file of %i bytes comes back byte for byte', async (bytes) => {
    writeFileSync(harness.path('odd'), noise(1_000_004, bytes).subarray(0, bytes));
    const { point } = await harness.backup(['odd'], { source: 'odd' });
    await harness.restore(point.id, `odd-${bytes}`);
    expect(readFileSync(harness.path(`odd-${bytes}`)).equals(readFileSync(harness.path('odd')))).toBe(true);
  });

  test('a filesystem that was in use is saved, with a warning', async () => {
    makeVolume(harness.path('busy'), { sizeMib: 8, kind: 'ext4' });
    runTool('debugfs', ['-w', '-R', 'feature needs_recovery', harness.path('busy')]);
    const { warnings } = await harness.backup(['busy'], { source: 'busy' });
    expect(warnings.join()).toContain('in use or not shut down cleanly');
  });

  test('an empty regular file is a target that is made as large as needed', async () => {
    const { points } = await (await harness.openVault()).listPoints();
    const plain = points.find(({ source }) => source === 'plain');
    writeFileSync(harness.path('empty'), '');
    await harness.restore(plain?.id ?? '', 'empty');
    await expectUsedEqual(harness.path('plain'), harness.path('empty'));
  });
});

describe('when something goes wrong', () => {
  const harness = new Harness();
  let pointId = '';

  beforeAll(async () => {
    writeFileSync(harness.path('disk'), Buffer.concat([noise(20 * MIB, 4), Buffer.alloc(MIB), noise(3 * MIB, 5)]));
    pointId = (await harness.backup(['disk'])).point.id;
  });
  afterAll(() => harness.close());

  const makeTarget = async (name: string) => {
    // A target with a table of its own: an MBR with one partition.
    const bytes = noise(24 * MIB, 6);
    bytes.fill(0, 0, 512);
    bytes.set([0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 64, 0, 0], 446);
    bytes.set([0x55, 0xaa], 510);
    writeFileSync(harness.path(name), bytes);
    return bytes;
  };
  const tableOf = async (name: string) => {
    const device = await openFileDevice(harness.path(name));
    const table = await readPartitionTable(device);
    await device.close();
    return table;
  };

  test('what a run says it stored is what lies in the vault: each pack is counted, and indexed, once', async () => {
    const own = new Harness();
    onTestFinished(() => own.close());
    writeFileSync(own.path('plain'), noise(3 * MIB, 77));
    const bytesIn = (folder: string): number =>
      readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
    const { point } = await own.backup(['plain'], { source: 'plain' });
    const added = bytesIn(own.path('vault/packs')) + bytesIn(own.path('vault/index'));
    expect(point.storedBytes).toBe(added);
  });

  test('a cancelled backup leaves no point', async () => {
    const abort = new AbortController();
    const run = harness.backup(
      ['disk'],
      { source: 'cancelled', compression: 'best' },
      {
        signal: abort.signal,
        onProgress: ({ phase }) => phase === 'commit' && abort.abort(),
      },
    );
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED', retry: 'later' });
    const early = new AbortController();
    early.abort();
    await expect(harness.backup(['disk'], { source: 'cancelled' }, { signal: early.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    const { points } = await (await harness.openVault()).listPoints();
    expect(points.map(({ source }) => source)).toEqual(['disk']);
  });

  test('what an interrupted run had stored by its last checkpoint is not stored again', async () => {
    writeFileSync(harness.path('long'), noise(6 * MIB, 99));
    const abort = new AbortController();
    let minutes = 0;
    const slow = { now: () => new Date(1_700_000_000_000 + minutes++ * 120_000) };
    const onProgress = ({ phase }: Progress) => phase === 'commit' && abort.abort();
    const first = harness.backup(['long'], { source: 'long' }, { ...slow, signal: abort.signal, onProgress });
    await expect(first).rejects.toMatchObject({ code: 'CANCELLED' });
    const again = await harness.backup(['long'], { source: 'long' });
    expect(again.storedBytes).toBe(0);
    await harness.restore(again.point.id, 'long-restored');
    expect(readFileSync(harness.path('long-restored')).equals(readFileSync(harness.path('long')))).toBe(true);
  });

  test('cancelled when the threads are about to work', async () => {
    const abort = new AbortController();
    const vault = await harness.openVault();
    const aborting = hooked(vault, 'beginPoint', () => abort.abort());
    const run = backup(aborting, harness.request(['disk'], { source: 'cancelled' }), harness.operation({ signal: abort.signal }));
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    const { points } = await vault.listPoints();
    expect(points.map(({ source }) => source)).not.toContain('cancelled');
  });

  test('a source that shrinks while it is read is an error, not zeros', async () => {
    copyFileSync(harness.path('disk'), harness.path('shrinking'));
    const vault = await harness.openVault();
    const shrinking = hooked(vault, 'beginPoint', () => truncateSync(harness.path('shrinking'), 5 * MIB));
    const run = backup(shrinking, harness.request(['shrinking'], { source: 'shrinking' }), harness.operation());
    await expect(run).rejects.toMatchObject({ code: 'SOURCE_CHANGED_SIZE', retry: 'later' });
    const { points } = await vault.listPoints();
    expect(points.map(({ source }) => source)).not.toContain('shrinking');
  });

  test('a sparse file of 40 GiB is backed up without reading its holes; one that shrinks in a hole is noticed', async () => {
    writeFileSync(harness.path('sparse'), noise(MIB, 12));
    truncateSync(harness.path('sparse'), 40 * 1024 * MIB);
    overwriteAt(harness.path('sparse'), noise(MIB, 13), 30 * 1024 * MIB + 5000);
    const result = await harness.backup(['sparse'], { source: 'sparse' });
    expect(result.readBytes).toBeLessThan(20 * MIB);
    expect(result.usedBytes).toBeLessThan(3 * MIB);
    await harness.carryOut(await harness.plan(result.point.id, 'sparse-restored'), {}, 'sample');
    expect(statSync(harness.path('sparse-restored')).size).toBe(40 * 1024 * MIB);
    const written = { offsetBytes: 30 * 1024 * MIB, lengthBytes: 2 * MIB };
    expect(firstDifference(harness.path('sparse'), harness.path('sparse-restored'), [written])).toBe(null);
    const vault = await harness.openVault();
    const shrinking = hooked(vault, 'beginPoint', () => truncateSync(harness.path('sparse'), 35 * 1024 * MIB));
    const run = backup(shrinking, harness.request(['sparse'], { source: 'sparse' }), harness.operation());
    await expect(run).rejects.toMatchObject({ code: 'SOURCE_CHANGED_SIZE' });
  });

  test('no disk, an empty disk, no such disk', async () => {
    writeFileSync(harness.path('nothing'), '');
    await expect(harness.backup([])).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
    await expect(harness.backup(['nothing'])).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
    await expect(harness.backup(['missing'])).rejects.toMatchObject({ code: 'DISK_NOT_FOUND' });
  });

  test('a flipped bit in the vault: verify names it, a restore refuses it and leaves no table', async () => {
    const damaged = new Harness();
    try {
      writeFileSync(damaged.path('disk'), noise(3 * MIB, 21));
      const { point } = await damaged.backup(['disk']);
      const vault = await damaged.openVault();
      const sound = await verify(vault, { level: 'content' }, damaged.operation());
      expect(sound).toMatchObject({ damaged: [] });
      expect(sound.checkedBytes).toBeGreaterThan(3 * MIB);
      const packs = runTool('find', [damaged.path('vault/packs'), '-type', 'f', '-size', '+1000k'])
        .trim()
        .split('\n');
      const pack = packs[0] ?? '';
      const bytes = readFileSync(pack);
      bytes.writeUInt8(bytes.readUInt8(2 * MIB + 7) ^ 4, 2 * MIB + 7);
      overwriteAt(pack, bytes.subarray(2 * MIB + 7, 2 * MIB + 8), 2 * MIB + 7);
      const report = await verify(vault, { level: 'content' }, damaged.operation());
      expect(report.damaged.length).toBeGreaterThan(0);
      expect(report.damaged.flatMap(({ points }) => points)).toContain(point.id);
      expect(damaged.log.some(({ level }) => level === 'error')).toBe(true);
      await expect(damaged.restore(point.id, 'out')).rejects.toMatchObject({ code: 'CHUNK_DAMAGED' });
      expect(
        readFileSync(damaged.path('out'))
          .subarray(0, MIB)
          .every((byte) => byte === 0),
      ).toBe(true);
    } finally {
      await damaged.close();
    }
  });

  test('an incremental with nothing to build on is a full one and says so', async () => {
    const result = await harness.backup(['disk'], { method: 'incremental', source: 'new series' });
    expect(result.method).toBe('full');
    expect(result.point.method).toBe('full');
    expect(result.storedBytes).toBe(0);
    expect(harness.log.some(({ text }) => text.includes('full'))).toBe(true);
  });

  test('nothing is written unless the plan was confirmed, still holds, and the platform agrees', async () => {
    const before = await makeTarget('target');
    const vault = await harness.openVault();
    const plan = await harness.plan(pointId, 'target');
    expect(plan.fits).toBe(true);
    expect(plan.losses).toHaveLength(1);
    const guards = { whyForbidden: async () => null };
    const op = harness.operation();
    const attempt = (over: object) => restore(vault, { plan, confirmedHash: plan.planHash, guards, ...over }, op);
    await expect(attempt({ confirmedHash: '' })).rejects.toMatchObject({ code: 'PLAN_NOT_CONFIRMED' });
    await expect(attempt({ confirmedHash: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'PLAN_NOT_CONFIRMED' });
    const forbidden = { whyForbidden: async () => ({ code: 'TARGET_IS_SYSTEM_DISK', text: 'this PC runs from it' }) };
    await expect(attempt({ guards: forbidden })).rejects.toMatchObject({ code: 'TARGET_IS_SYSTEM_DISK' });
    // Someone changes what the plan says by hand and confirms that.
    const forged = { ...plan, losses: [] };
    await expect(attempt({ plan: { ...forged, planHash: 'f' }, confirmedHash: 'f' })).rejects.toMatchObject({
      code: 'PLAN_CHANGED',
    });
    const abort = new AbortController();
    abort.abort();
    const cancelled = restore(vault, { plan, confirmedHash: plan.planHash, guards }, harness.operation({ signal: abort.signal }));
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(readFileSync(harness.path('target')).equals(before)).toBe(true);
  });

  test('a target that changed since the plan is refused: other table, other size, created meanwhile', async () => {
    const vault = await harness.openVault();
    const attempt = async (name: string, change: () => void) => {
      const plan = await harness.plan(pointId, name);
      change();
      const before = readFileSync(harness.path(name));
      const run = restore(
        vault,
        { plan, confirmedHash: plan.planHash, guards: { whyForbidden: async () => null } },
        harness.operation(),
      );
      await expect(run).rejects.toMatchObject({ code: 'TARGET_CHANGED' });
      expect(readFileSync(harness.path(name)).equals(before)).toBe(true);
    };
    await makeTarget('target');
    await attempt('target', () => overwriteAt(harness.path('target'), Buffer.from([7]), 460));
    await attempt('target', () => appendFileSync(harness.path('target'), Buffer.alloc(512)));
    await attempt('not yet', () => writeFileSync(harness.path('not yet'), 'mine'));
  });

  test('a restore that fails in the middle leaves no partition table', async () => {
    await makeTarget('target');
    expect(await tableOf('target')).not.toBe(null);
    const plan = await harness.plan(pointId, 'target');
    const vault = await harness.openVault();
    const gone = hooked(vault, 'readerSeed', () => ({
      ...vault.readerSeed(),
      store: { kind: 'directory', path: harness.path('gone') },
    }));
    const guards = { whyForbidden: async () => null };
    const run = restore(gone, { plan, confirmedHash: plan.planHash, guards }, harness.operation());
    await expect(run).rejects.toMatchObject({ name: 'VaultError' });
    expect(await tableOf('target')).toBe(null);
    // What is left is no obstacle: the same restore, planned anew, goes through.
    await harness.restore(pointId, 'target');
    const used = (await usedOf(harness.path('disk'))).usedExtents;
    expect(firstDifference(harness.path('disk'), harness.path('target'), used)).toBe(null);
  });

  test('bytes that change on the medium after writing are found by the comparison; no table is written', async () => {
    await makeTarget('target');
    const plan = await harness.plan(pointId, 'target');
    const run = harness.carryOut(plan, {
      onProgress: ({ phase, doneBytes, totalBytes }) => {
        if (phase === 'write' && doneBytes > totalBytes / 2) overwriteAt(harness.path('target'), Buffer.from('!'), 2 * MIB + 77);
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'COMPARE_FAILED', message: expect.stringContaining(String(2 * MIB + 77)) });
    expect(await tableOf('target')).toBe(null);
  });
});
