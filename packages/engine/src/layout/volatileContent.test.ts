import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { memoryDevice } from '@diskfleet/disk';
import { openFilesystem } from '@diskfleet/filesystem';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIB, makeVolume, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import type { BackupRequest } from '../types.ts';

const missing = missingTools();
const able = missing.length === 0 && process.getuid?.() === 0;
const title = able ? 'page and hibernation files' : 'page and hibernation files (skipped: needs root and the filesystem tools)';
if (process.env.CI !== undefined && !able) throw new Error(title);

describe.skipIf(!able)(title, () => {
  const harness = new Harness();
  afterAll(() => harness.close());
  const SIZE = 3 * MIB;
  const memory = noise(SIZE, 7);
  memory.write('HIBR', 0, 'latin1');

  beforeAll(() => {
    makeVolume(harness.path('c'), { sizeMib: 24, kind: 'ntfs' });
    mkdirSync(harness.path('mount'));
    runTool('ntfs-3g', [harness.path('c'), harness.path('mount')]);
    try {
      writeFileSync(harness.path('mount/pagefile.sys'), noise(SIZE, 6));
      writeFileSync(harness.path('mount/hiberfil.sys'), memory);
      writeFileSync(harness.path('mount/letter.txt'), 'dear');
    } finally {
      runTool('umount', [harness.path('mount')]);
    }
  });

  async function contentOf(name: string, file: string): Promise<Buffer> {
    const filesystem = await openFilesystem(memoryDevice(readFileSync(harness.path(name))));
    if (filesystem === null) throw new Error('no filesystem');
    for await (const entry of filesystem.readDirectory(await filesystem.root())) {
      if (entry.name !== file) continue;
      const bytes = Buffer.alloc(entry.sizeBytes);
      await (await filesystem.openFile(entry)).read(0, bytes);
      return bytes;
    }
    throw new Error(`no ${file}`);
  }

  const backUp = (over: Partial<BackupRequest>) => harness.backup(['c'], over);

  test.each(['grid', 'files'] as const)(
    'cut by %s: their content is not stored, and no old memory is resumed after a restore',
    async (cutter) => {
      const all = await backUp({ cutter, source: `all ${cutter}` });
      const some = await backUp({ cutter, leaveOut: ['pagefile', 'hibernation', 'swap'], source: `some ${cutter}` });
      expect(all.usedBytes - some.usedBytes).toBe(2 * SIZE);
      expect(harness.log.map(({ text }) => text).join('\n')).toMatch(/pagefile\.sys on the disk \(3 MiB\) is left out/);
      // The target is the same disk: what it would resume from lies exactly where it would be looked for.
      writeFileSync(harness.path('target'), readFileSync(harness.path('c')));
      await harness.restore(some.point.id, 'target');
      expect((await contentOf('target', 'hiberfil.sys')).subarray(0, 4096).every((byte) => byte === 0)).toBe(true);
      expect((await contentOf('target', 'letter.txt')).toString()).toBe('dear');
      await harness.restore(all.point.id, 'target');
      expect((await contentOf('target', 'hiberfil.sys')).equals(memory)).toBe(true);
    },
  );

  test('each kind on its own, and nothing sector by sector', async () => {
    const all = await backUp({ source: 'each' });
    const noPages = await backUp({ leaveOut: ['pagefile'], source: 'each' });
    expect(all.usedBytes - noPages.usedBytes).toBe(SIZE);
    const sectors = { sectorBySector: true, source: 'each' };
    expect((await backUp({ ...sectors, leaveOut: ['pagefile', 'hibernation'] })).usedBytes).toBe(
      (await backUp(sectors)).usedBytes,
    );
  });
});
