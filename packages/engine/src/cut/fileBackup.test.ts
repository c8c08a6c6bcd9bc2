/** Disks saved file by file: they come back bit for bit, and the same files on another disk are not stored again. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDevice, sumBytes } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explore } from '../explore/explore.ts';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import { copyInto, MIB, makeDisk, makeTree, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { firstDifference, Harness } from '../testing/harness.ts';

const missing = missingTools();
const title =
  missing.length === 0 ? 'file cutter on real disks' : `file cutter (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

async function usedOf(path: string) {
  const device = await openFileDevice(path);
  try {
    return await readUsedDisk(device);
  } finally {
    await device.close();
  }
}

interface Placed {
  readonly path: string;
  readonly from: string;
}

/** An ext4 volume with files written one by one in the given order: that decides where they lie. */
function volumeOf(volume: string, sizeMib: number, files: readonly Placed[]): void {
  runTool('mke2fs', ['-q', '-t', 'ext4', '-N', '4096', volume, `${sizeMib}M`]);
  const folders = [...new Set(files.map(({ path }) => path.split('/').slice(0, -1).join('/')))].sort();
  const commands = [
    ...folders.filter((folder) => folder !== '').map((folder) => `mkdir ${folder}`),
    ...files.map(({ path, from }) => `write ${from} ${path}`),
  ];
  writeFileSync(`${volume}.commands`, commands.join('\n'));
  runTool('debugfs', ['-w', '-f', `${volume}.commands`, volume]);
}

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  const vaultOfGrid = new Harness();
  const contentBytes = () => system.reduce((sum, { bytes }) => sum + bytes, 0);
  const system: (Placed & { bytes: number })[] = [];

  beforeAll(() => {
    const tree = harness.path('tree');
    mkdirSync(tree);
    for (const [path, bytes] of makeTree(tree, 3)) {
      if (bytes.length > 0)
        system.push({ path: path.split('/').slice(-2).join('/'), from: join(tree, path), bytes: bytes.length });
    }
    for (let index = 0; index < 300; index++) {
      const from = join(tree, `extra-${index}`);
      const bytes = noise(200 + ((index * 7919) % 60_000), 1000 + index);
      writeFileSync(from, bytes);
      system.push({ path: `lib${index % 9}/extra-${index}`, from, bytes: bytes.length });
    }
    const own = Array.from({ length: 12 }, (_, index) => {
      const from = harness.path(`own-${index}`);
      writeFileSync(from, noise(20_000 + index * 9_000, 5000 + index));
      return { path: `home/own-${index}`, from };
    });
    const second = system.map((file, index) => ({ file, key: (index * 7349) % 1009 })).sort((a, b) => a.key - b.key);
    const mixed = second.flatMap(({ file }, index) => [...(index % 30 === 0 ? own.slice(index / 30, index / 30 + 1) : []), file]);
    volumeOf(harness.path('volume1'), 64, system);
    volumeOf(harness.path('volume2'), 80, mixed);
    for (const [disk, startMib] of [
      ['disk1', 8],
      ['disk2', 23],
    ] as const) {
      const volumeMib = disk === 'disk1' ? 64 : 80;
      makeDisk(harness.path(disk), startMib + volumeMib + 24, {
        kind: 'gpt',
        parts: [
          { sizeMib: startMib - 1, kind: 'raw' },
          { sizeMib: volumeMib, kind: 'raw' },
          { sizeMib: 20, kind: 'ntfs', tree },
        ],
      });
      copyInto(harness.path(`volume${disk.slice(-1)}`), harness.path(disk), startMib * MIB);
    }
  }, 60_000);
  afterAll(async () => {
    await harness.close();
    await vaultOfGrid.close();
  });

  test('what comes back is the disk, bit for bit, and its files can be looked through', async () => {
    const { point, usedBytes } = await harness.backup(['disk1'], { cutter: 'files' });
    await harness.restore(point.id, 'restored');
    const { usedExtents } = await usedOf(harness.path('disk1'));
    expect(usedBytes).toBeLessThanOrEqual(sumBytes(usedExtents));
    expect(firstDifference(harness.path('disk1'), harness.path('restored'), usedExtents)).toBe(null);
    const saved = await (await (await harness.openVault()).openPoint(point.id)).openDisk(0);
    const explorer = await explore(saved);
    const file = system.find(({ path }) => path.endsWith('noise.bin'));
    const content = await explorer.open(`/2/${file?.path ?? ''}`);
    expect(content.sizeBytes).toBe(file?.bytes);
    const copy = harness.path('copy');
    const pieces: Uint8Array[] = [];
    for await (const piece of content.stream()) pieces.push(Uint8Array.from(piece));
    writeFileSync(copy, Buffer.concat(pieces));
    expect(firstDifference(copy, file?.from ?? '', [{ offsetBytes: 0, lengthBytes: file?.bytes ?? 0 }])).toBe(null);
  });

  test('looking through all files reads what they hold, not all that lies near them', async () => {
    const { point } = await harness.backup(['disk1'], { cutter: 'files', source: 'looked through' });
    const saved = await (await (await harness.openVault()).openPoint(point.id)).openDisk(0);
    let readBytes = 0;
    const counting = {
      ...saved,
      read: (offsetBytes: number, target: Uint8Array) => {
        readBytes += target.length;
        return saved.read(offsetBytes, target);
      },
    };
    const explorer = await explore(counting);
    const toMetadata = readBytes;
    let fileBytes = 0;
    for (const { path } of system.toSorted((a, b) => (a.path.length - b.path.length) * 7 + (a.path < b.path ? -1 : 1))) {
      const file = await explorer.open(`/2/${path}`);
      await file.read(0, Buffer.alloc(file.sizeBytes));
      fileBytes += file.sizeBytes;
    }
    expect(fileBytes).toBe(contentBytes());
    expect(readBytes - toMetadata).toBeLessThan(fileBytes + 1.5 * MIB);
    const streamed = (await explorer.open(`/2/${system.find(({ path }) => path.endsWith('noise.bin'))?.path}`)).stream();
    for await (const piece of streamed) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await saved.close();
  });

  test('the same files in another order on another disk, with others between them, are hardly stored again', async () => {
    const ownBytes = 12 * 20_000 + 66 * 9_000;
    const { newBytes } = await harness.backup(['disk2'], { cutter: 'files', source: 'disk2' });
    expect(newBytes - ownBytes).toBeLessThan(contentBytes() * 0.1 + 3 * MIB);
    copyFileSync(harness.path('disk1'), vaultOfGrid.path('disk1'));
    copyFileSync(harness.path('disk2'), vaultOfGrid.path('disk2'));
    await vaultOfGrid.backup(['disk1'], { cutter: 'grid' });
    const byGrid = await vaultOfGrid.backup(['disk2'], { cutter: 'grid', source: 'disk2' });
    expect(byGrid.newBytes).toBeGreaterThan(contentBytes() * 0.6);
  });

  test('an unchanged disk stores nothing, and one changed file little', async () => {
    const again = await harness.backup(['disk1'], { cutter: 'files', method: 'incremental' });
    expect(again.newBytes).toBe(0);
    copyFileSync(harness.path('volume1'), harness.path('changed'));
    const from = harness.path('new-content');
    writeFileSync(from, noise(5000, 99));
    writeFileSync(`${from}.commands`, `rm lib3/extra-3\nwrite ${from} lib3/extra-3`);
    runTool('debugfs', ['-w', '-f', `${from}.commands`, harness.path('changed')]);
    copyInto(harness.path('changed'), harness.path('disk1'), 8 * MIB);
    const { point, newBytes } = await harness.backup(['disk1'], { cutter: 'files', method: 'incremental' });
    expect(newBytes).toBeGreaterThan(0);
    expect(newBytes).toBeLessThan(2 * MIB);
    await harness.restore(point.id, 'restored2');
    const { usedExtents } = await usedOf(harness.path('disk1'));
    expect(firstDifference(harness.path('disk1'), harness.path('restored2'), usedExtents)).toBe(null);
  });

  test('one series cut by the grid, then by files, then by the grid again: each point comes back bit for bit', async () => {
    const mixed = new Harness();
    try {
      copyFileSync(harness.path('volume1'), mixed.path('volume'));
      const points: { pointId: string; copy: string }[] = [];
      for (const [round, cutter] of (['grid', 'files', 'grid', 'files'] as const).entries()) {
        const added = mixed.path(`added-${round}`);
        writeFileSync(added, noise(300_000 + round * 4096, 900 + round));
        writeFileSync(`${added}.commands`, `write ${added} added-${round}\nrm lib${round}/extra-${round}`);
        runTool('debugfs', ['-w', '-f', `${added}.commands`, mixed.path('volume')]);
        const over = { cutter, method: round === 0 ? ('full' as const) : ('incremental' as const), source: 'mixed' };
        const { point, method } = await mixed.backup(['volume'], over);
        expect(method).toBe(over.method);
        copyFileSync(mixed.path('volume'), mixed.path(`copy${round}`));
        points.push({ pointId: point.id, copy: `copy${round}` });
      }
      for (const { pointId, copy } of points) {
        await mixed.restore(pointId, `${copy}-back`);
        const { usedExtents } = await usedOf(mixed.path(copy));
        expect(firstDifference(mixed.path(copy), mixed.path(`${copy}-back`), usedExtents)).toBe(null);
      }
      const explorer = await explore(await (await (await mixed.openVault()).openPoint(points.at(-1)?.pointId ?? '')).openDisk(0));
      for (const round of [0, 1, 2, 3]) expect((await explorer.stat(`added-${round}`)).sizeBytes).toBe(300_000 + round * 4096);
    } finally {
      await mixed.close();
    }
  });

  test('a filesystem that lies about its files is saved bit for bit all the same', async () => {
    const volume = harness.path('lies');
    copyFileSync(harness.path('volume1'), volume);
    const lies = [
      'set_inode_field lib1/extra-1 size 3',
      'set_inode_field lib2/extra-2 size 900000000',
      // Two files in the same blocks, and one in the inode table.
      'set_inode_field lib4/extra-4 flags 0',
      'set_inode_field lib4/extra-4 block[0] 2000',
      'set_inode_field lib4/extra-4 block[1] 40',
      'set_inode_field lib4/extra-4 block[2] 2001',
    ];
    writeFileSync(`${volume}.commands`, lies.join('\n'));
    runTool('debugfs', ['-w', '-f', `${volume}.commands`, volume]);
    const { point } = await harness.backup(['lies'], { cutter: 'files', source: 'lies' });
    await harness.restore(point.id, 'restored3');
    const { usedExtents } = await usedOf(volume);
    expect(firstDifference(volume, harness.path('restored3'), usedExtents)).toBe(null);
  });
});
