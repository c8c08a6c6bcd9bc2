/**
 * An 8 GiB disk with an EFI system partition, ext4 60 % full with stale free space, and NTFS: back up, change, incremental, restore
 * each point to a new file. All used blocks identical, filesystems clean, trees equal by hash, used maps equal partclone's.
 */
import { createHash, type Hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockDevice, intersectExtents, openFileDevice, sliceDevice } from '@diskfleet/disk';
import { explore, readUsedDisk } from '@diskfleet/engine';
import { openFilesystem } from '@diskfleet/filesystem';
import { makeScratch, partcloneUsedExtents } from '@diskfleet/filesystem/testing';
import { openVault, type SavedDisk } from '@diskfleet/vault';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { changeDisk, makeDisk, type PartitionWindow, sparseDisk, windowsOf } from '../images/disk.ts';
import { canLoop, run, withLoop, withMount } from '../images/tools.ts';
import { cli, cliJson } from './cli.ts';

const backupShape = z.object({
  pointId: z.string(),
  method: z.string(),
  usedBytes: z.number(),
  readBytes: z.number(),
  newBytes: z.number(),
  storedBytes: z.number(),
  seconds: z.number(),
});
const planShape = z.object({ planHash: z.string(), fits: z.boolean() });
const restoreShape = z.object({ writtenBytes: z.number(), comparedBytes: z.number() });

describe.skipIf(!canLoop && !process.env.CI)('round trip of an 8 GiB disk (needs root for loop devices)', () => {
  let folder: string;
  let disk: string;
  let before: string;
  let vault: string;
  let full: z.infer<typeof backupShape>;
  let incremental: z.infer<typeof backupShape>;
  const windows = windowsOf(sparseDisk);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-round-trip-'));
    [disk, before, vault] = [join(folder, 'disk.img'), join(folder, 'before.img'), join(folder, 'vault')];
    await makeDisk(disk, sparseDisk);
    await run('cp', ['--sparse=always', disk, before]);
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('backs up in full, then only what changed', async () => {
    await cliJson(['vault', 'create', vault]);
    full = backupShape.parse(await cliJson(['backup', 'disk', disk, '--vault', vault]));
    await changeDisk(disk, sparseDisk, 1);
    incremental = backupShape.parse(await cliJson(['backup', 'disk', disk, '--vault', vault, '--method', 'incremental']));
    expect([full.method, incremental.method]).toEqual(['full', 'incremental']);
    expect(full.storedBytes).toBeLessThan(full.usedBytes);
    expect(incremental.newBytes).toBeLessThan(full.usedBytes * 0.1);
    const points = z.array(z.object({ id: z.string() })).parse(await cliJson(['points', '--vault', vault]));
    expect(points.map((point) => point.id).sort()).toEqual([full.pointId, incremental.pointId].sort());
  });

  test('used maps equal partclone’s, block by block', async () => {
    const scratch = await makeScratch();
    onTestFinished(() => scratch.dispose());
    for (const window of windows) {
      const device = await openFileDevice(disk);
      const filesystem = await openFilesystem(sliceDevice(device, window.offsetBytes, window.sizeBytes));
      const all = (await filesystem?.usedMap())?.extents ?? [];
      await device.close();
      // What lies behind the last whole cluster of NTFS, the backup boot sector, is used for us; partclone leaves it out.
      const clusters = window.kind === 'ntfs' ? Math.floor((window.sizeBytes - 512) / 4096) * 4096 : window.sizeBytes;
      const ours = intersectExtents(all, [{ offsetBytes: 0, lengthBytes: clusters }]);
      const theirs = await withLoop(disk, window, (loop) =>
        partcloneUsedExtents(`partclone.${window.kind === 'fat32' ? 'fat' : window.kind}`, loop, scratch),
      );
      expect(differences(ours, theirs), window.kind).toEqual([]);
    }
  });

  test.each(['full', 'incremental'])('restores the %s point: used blocks identical, filesystems clean', async (which) => {
    const pointId = which === 'full' ? full.pointId : incremental.pointId;
    const original = which === 'full' ? before : disk;
    const target = join(folder, 'restored.img');
    await rm(target, { force: true });
    const unconfirmed = await cli(['restore', pointId, '--to', target, '--vault', vault, '--json']);
    expect(unconfirmed.exitCode).toBe(4);
    const plan = planShape.parse(await cliJson(['restore', pointId, '--to', target, '--vault', vault, '--plan-only']));
    expect(plan.fits).toBe(true);
    restoreShape.parse(await cliJson(['restore', pointId, '--to', target, '--vault', vault, '--confirm', plan.planHash]));
    expect(await usedHash(target)).toBe(await usedHash(original));
    await run('sgdisk', ['-v', target]);
    const [esp, ext, ntfs] = windows;
    await withLoop(target, esp, (loop) => run('fsck.fat', ['-n', loop]));
    await withLoop(target, ext, (loop) => run('e2fsck', ['-fn', loop]));
    await withLoop(target, ntfs, (loop) => run('ntfsfix', ['-n', loop]));
  });

  test('explore shows the same trees as the mounted filesystems, file by file', async () => {
    const opened = await openVault({ kind: 'directory', path: vault }, { kind: 'passphrase', passphrase: 'round trip' });
    const saved = await (await opened.openPoint(incremental.pointId)).openDisk(0);
    const [, ext, ntfs] = windows;
    for (const window of [ext, ntfs]) {
      const [ours, theirs] = await Promise.all([savedTree(saved, window), mountedTree(disk, window)]);
      expect(ours.length).toBeGreaterThan(1000);
      expect(ours).toEqual(theirs);
    }
    await saved.close();
    await opened.close();
  });

  test('the vault verifies down to the content of every chunk', async () => {
    const report = z
      .object({ checkedBytes: z.number(), damaged: z.array(z.unknown()) })
      .parse(await cliJson(['verify', '--vault', vault, '--content']));
    expect(report.damaged).toEqual([]);
    expect(report.checkedBytes).toBeGreaterThan(4e8);
  });
});

async function usedHash(path: string): Promise<string> {
  const device = await openFileDevice(path);
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(8 << 20);
  for (const extent of (await readUsedDisk(device)).usedExtents) {
    hash.update(`${extent.offsetBytes}+${extent.lengthBytes}`);
    await hashRange(device, extent.offsetBytes, extent.lengthBytes, { hash, buffer });
  }
  await device.close();
  return hash.digest('hex');
}

async function hashRange(
  device: Pick<BlockDevice, 'read'>,
  offsetBytes: number,
  lengthBytes: number,
  into: { hash: Hash; buffer: Buffer },
): Promise<void> {
  for (let done = 0; done < lengthBytes; done += into.buffer.length) {
    const part = into.buffer.subarray(0, Math.min(into.buffer.length, lengthBytes - done));
    await device.read(offsetBytes + done, part);
    into.hash.update(part);
  }
}

type Extents = readonly { offsetBytes: number; lengthBytes: number }[];

function differences(ours: Extents, theirs: Extents): string[] {
  const text = (list: Extents) => new Set(list.map((extent) => `${extent.offsetBytes}+${extent.lengthBytes}`));
  const [mine, other] = [text(ours), text(theirs)];
  return [
    ...[...mine].filter((line) => !other.has(line)).map((line) => `only ours ${line}`),
    ...[...other].filter((line) => !mine.has(line)).map((line) => `only partclone ${line}`),
  ].slice(0, 10);
}

/** One line per entry, sorted: path, type, size, SHA-256 of the content or the link's target. */
async function savedTree(saved: SavedDisk, window: PartitionWindow): Promise<string[]> {
  const explorer = await explore(saved);
  const lines: string[] = [];
  const buffer = Buffer.alloc(1 << 20);
  const walk = async (path: string) => {
    const folders: string[] = [];
    for await (const entry of explorer.list(path)) {
      const inner = `${path}/${entry.name}`;
      const shown = inner.slice(`/${window.number}`.length);
      if (entry.type === 'directory') folders.push(inner);
      if (entry.type === 'directory') lines.push(`${shown} directory`);
      else if (entry.type === 'symlink') lines.push(`${shown} symlink ${entry.linkTarget}`);
      else if (entry.type === 'file') {
        const file = await explorer.open(inner);
        const hash = createHash('sha256');
        await hashRange(file, 0, file.sizeBytes, { hash, buffer });
        lines.push(`${shown} file ${file.sizeBytes} ${hash.digest('hex')}`);
      }
    }
    for (const folder of folders) await walk(folder);
  };
  await walk(`/${window.number}`);
  return lines.sort();
}

/** The same of the mounted filesystem, told by tools that know nothing of ours. */
async function mountedTree(disk: string, window: PartitionWindow): Promise<string[]> {
  const kind = window.kind === 'ntfs' ? 'ntfs' : 'ext4';
  return withLoop(disk, window, (loop) =>
    withMount(loop, kind, kind === 'ntfs' ? 'ro' : 'ro,noload', async (mount) => {
      const listing = await run('find', [mount, '-mindepth', '1', '-printf', '%y /%P\\0%s\\0%l\\0']);
      const hashes = new Map(
        (await run('sh', ['-c', 'cd "$1" && find . -type f -print0 | xargs -0 -r sha256sum -z', 'sh', mount]))
          .split('\0')
          .map((line) => [line.slice(67), line.slice(0, 64)] as const),
      );
      const lines: string[] = [];
      const parts = listing.split('\0');
      for (let index = 0; index + 2 < parts.length; index += 3) {
        const [named = '', sizeBytes, linkTarget] = parts.slice(index, index + 3);
        const [type, path] = [named.slice(0, 1), named.slice(2)];
        if (type === 'd') lines.push(`${path} directory`);
        else if (type === 'l') lines.push(`${path} symlink ${linkTarget}`);
        else if (type === 'f') lines.push(`${path} file ${sizeBytes} ${hashes.get(path)}`);
      }
      return lines.sort();
    }),
  );
}
