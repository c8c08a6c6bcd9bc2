/** Backups of a disk that is being written. The disk is a file; the writers and the record of their writes are played by the test. */
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { type Extent, openFileDevice, sumBytes } from '@diskfleet/disk';
import { afterAll, describe, expect, test } from 'vitest';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import { copyInto, MIB, makeDisk, makeTree, makeVolume, missingTools, noise } from '../testing/diskImages.ts';
import { firstDifference, Harness } from '../testing/harness.ts';
import type { BackupMemory, BackupRequest, LiveSource } from '../types.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'live disks' : `live disks (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

/** A disk under a writer of `pagesPerTick` random pages every few milliseconds, while it is not frozen. */
class BusyDisk implements LiveSource {
  readonly path: string;
  readonly sizeBytes: number;
  /** All that was ever written to it, of the last run. */
  readonly written: Extent[] = [];
  /** What of it was there at the last freeze. */
  writtenBefore: readonly Extent[] = [];
  /** Which freezes come before a look at the disk. */
  settles = new Set([1]);
  pagesPerTick = 2;
  /** How many more `takeChanges` say that some were lost, after `losesAfter` good ones. */
  loses = 0;
  losesAfter = 1;
  /** How many freezes end too early. */
  earlyThaws = 0;
  frozenTimes = 0;
  #recent: Extent[] = [];
  #sincePoint: Extent[] = [];
  #sinceFreeze: Extent[] = [];
  #point: string | null = null;
  #frozen = false;
  #seed: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(path: string, sizeBytes: number, seed: number) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#seed = seed;
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (let page = 0; page < this.pagesPerTick && !this.#frozen; page++) this.writeSomewhere();
    }, 3);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  writeSomewhere(): void {
    this.#seed = (Math.imul(this.#seed, 1103515245) + 12345) >>> 0;
    const offsetBytes = (this.#seed % (this.sizeBytes / 4096)) * 4096;
    const file = openSync(this.path, 'r+');
    writeSync(file, noise(4096, this.#seed), 0, 4096, offsetBytes);
    closeSync(file);
    for (const list of [this.#recent, this.#sincePoint, this.#sinceFreeze, this.written]) {
      list.push({ offsetBytes, lengthBytes: 4096 });
    }
  }

  async takeChanges(): Promise<readonly Extent[] | null> {
    if (this.loses > 0 && this.losesAfter-- <= 0) {
      this.loses -= 1;
      this.losesAfter = 1;
      return null;
    }
    const taken = this.#recent;
    this.#recent = [];
    return taken;
  }

  async freeze() {
    this.#frozen = true;
    this.frozenTimes += 1;
    // What was written to free space before the disk was looked at is nobody's.
    if (this.settles.has(this.frozenTimes)) this.written.length = 0;
    this.writtenBefore = [...this.written];
    const early = this.frozenTimes > 1 && this.earlyThaws-- > 0;
    this.#sinceFreeze = [];
    copyFileSync(this.path, `${this.path}.frozen`);
    if (early) this.writeSomewhere();
    return {
      thaw: async () => {
        this.#frozen = false;
        return !early;
      },
    };
  }

  async changesSince(pointId: string): Promise<readonly Extent[] | null> {
    return pointId === this.#point ? [...this.#sincePoint] : null;
  }

  async keep(pointId: string): Promise<void> {
    this.#point = pointId;
    this.#sincePoint = [...this.#sinceFreeze];
  }
}

function memory(): BackupMemory & { bytes: Uint8Array | null } {
  const kept: BackupMemory & { bytes: Uint8Array | null } = {
    bytes: null,
    load: async () => kept.bytes,
    save: async (bytes) => {
      kept.bytes = Uint8Array.from(bytes);
    },
  };
  return kept;
}

async function usedOf(path: string): Promise<readonly Extent[]> {
  const device = await openFileDevice(path);
  try {
    return (await readUsedDisk(device)).usedExtents;
  } finally {
    await device.close();
  }
}

describe.skipIf(missing.length > 0)(title, { timeout: 120_000 }, () => {
  const harness = new Harness();
  afterAll(() => harness.close());
  mkdirSync(harness.path('tree'));
  makeTree(harness.path('tree'));
  const tree = harness.path('tree');

  /** An ext4 volume as a disk: its metadata stays as it is, the writer scribbles over the second half, free space mostly. */
  function busy(name: string, seed: number): BusyDisk {
    makeVolume(harness.path(name), { sizeMib: 48, kind: 'ext4', tree });
    return new BusyDisk(harness.path(name), 48 * MIB, seed);
  }

  const diskOf = (disk: BusyDisk, name: string): Partial<BackupRequest> => ({
    disks: [{ path: disk.path, name, model: '', serial: name, live: disk }],
  });

  /** What was used or written equals the disk at the freeze, everywhere. */
  async function expectMoment(disk: BusyDisk, pointId: string, used: readonly Extent[]): Promise<void> {
    const target = `restored-${pointId}`;
    await harness.restore(pointId, target);
    expect(firstDifference(`${disk.path}.frozen`, harness.path(target), [...used, ...disk.writtenBefore])).toBe(null);
    rmSync(harness.path(target));
  }

  test('the image is the disk at the moment of the freeze, however much is written before and after', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const disk = busy(`busy${seed}`, seed);
      const used = await usedOf(disk.path);
      disk.pagesPerTick = seed * 2;
      disk.start();
      const { point } = await harness.backup([], diskOf(disk, `busy${seed}`));
      for (let more = 0; more < 20; more++) disk.writeSomewhere();
      disk.stop();
      expect(disk.written.length).toBeGreaterThan(20);
      expect(disk.frozenTimes).toBe(2);
      await expectMoment(disk, point.id, used);
    }
  });

  test('lost events: it starts over; lost for good: no point, a coded error', async () => {
    const disk = busy('lossy', 7);
    const used = await usedOf(disk.path);
    disk.loses = 2;
    disk.settles = new Set([1, 2, 3]);
    disk.start();
    const { point } = await harness.backup([], diskOf(disk, 'lossy'));
    expect(disk.loses).toBe(0);
    expect(disk.frozenTimes).toBe(4);
    await expectMoment(disk, point.id, used);
    disk.loses = 1000;
    const before = (await (await harness.openVault()).listPoints()).points.length;
    await expect(harness.backup([], diskOf(disk, 'lossy'))).rejects.toMatchObject({ code: 'LIVE_VIEW_LOST' });
    expect((await (await harness.openVault()).listPoints()).points.length).toBe(before);
    disk.stop();
  });

  test('let go too early: what was read meanwhile does not count', async () => {
    const disk = busy('early', 11);
    const used = await usedOf(disk.path);
    disk.earlyThaws = 2;
    disk.start();
    const { point } = await harness.backup([], diskOf(disk, 'early'));
    disk.stop();
    expect(disk.frozenTimes).toBe(4);
    await expectMoment(disk, point.id, used);
  });

  test('a writer faster than the reader ends in an error, not in a wrong image', async () => {
    const disk = busy('mad', 13);
    disk.takeChanges = async () => [{ offsetBytes: 0, lengthBytes: disk.sizeBytes * 4 }];
    Object.defineProperty(disk, 'sizeBytes', { value: 48 * MIB });
    makeDisk(disk.path, 400, { kind: 'gpt', parts: [{ sizeMib: 300, kind: 'raw' }] });
    await expect(harness.backup([], diskOf(disk, 'mad'))).rejects.toMatchObject({ code: 'LIVE_VIEW_LOST' });
  });

  test('writes counted since the last point: only those cells are read, and the image is the moment again', async () => {
    const disk = busy('counted', 17);
    const kept = memory();
    const over = { ...diskOf(disk, 'counted'), memory: kept, source: 'counted' };
    const used = await usedOf(disk.path);
    disk.start();
    const first = await harness.backup([], over);
    disk.stop();
    // What was written between the freeze and here is read by the next one.
    await harness.backup([], { ...over, method: 'incremental' });
    for (let round = 0; round < 2; round++) {
      disk.settles.add(disk.frozenTimes + 1);
      for (let page = 0; page < 12; page++) disk.writeSomewhere();
      const next = await harness.backup([], { ...over, method: 'incremental' });
      expect(next.point.parentId).not.toBe(null);
      expect(next.readBytes).toBeGreaterThan(0);
      expect(next.readBytes).toBeLessThan(14 * 256 * 1024);
      await expectMoment(disk, next.point.id, used);
    }
    // A full one reads all, whatever is remembered; so does one whose memory belongs to another point.
    const full = await harness.backup([], { ...over, method: 'full' });
    expect(full.readBytes).toBeGreaterThan(sumBytes(used) * 0.9);
    disk.keep('another');
    const doubted = await harness.backup([], { ...over, method: 'incremental' });
    expect(doubted.readBytes).toBeGreaterThan(sumBytes(used) * 0.9);
    expect(first.point.id).not.toBe(full.point.id);
    await expectMoment(disk, doubted.point.id, used);
  });

  test('files that came into use since the last point are read although no write was told', async () => {
    const disk = busy('grown', 19);
    const kept = memory();
    const over = { ...diskOf(disk, 'grown'), memory: kept, source: 'grown' };
    await harness.backup([], over);
    makeVolume(harness.path('more'), { sizeMib: 48, kind: 'ext4', tree });
    copyInto(harness.path('more'), disk.path, 0);
    const used = await usedOf(disk.path);
    const first = used[0];
    if (first === undefined) throw new Error('nothing is used');
    // Told: the metadata at the start only.
    disk.changesSince = async () => [{ offsetBytes: 0, lengthBytes: first.lengthBytes }];
    const { point } = await harness.backup([], { ...over, method: 'incremental' });
    expect(point.parentId).not.toBe(null);
  });
});
