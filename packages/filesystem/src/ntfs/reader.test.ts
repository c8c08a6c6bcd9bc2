import { writeFileSync } from 'node:fs';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { expect, test } from 'vitest';
import { filesystemContract } from '../testing/filesystemContract.ts';
import { describeNeeding, makeScratch } from '../testing/scratch.ts';
import { expectSameTree, type Tree, treeOfFilesystem } from '../testing/tree.ts';
import { ntfsReader } from './reader.ts';
import { makeNtfsVolume, NTFS_TOOLS, partcloneNtfsExtents, pattern } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;

async function fillMixed(folder: string, files = 300): Promise<void> {
  await mkdir(join(folder, 'documents/deep/deeper'), { recursive: true });
  await writeFile(join(folder, 'documents/large.bin'), pattern(3 * MIB + 123, 1));
  await writeFile(join(folder, 'documents/resident.txt'), 'kept inside the MFT record');
  await writeFile(join(folder, 'documents/empty'), '');
  await writeFile(join(folder, 'documents/deep/Größe ☃ 😀.txt'), pattern(5000, 2));
  await writeFile(join(folder, 'documents/deep/deeper/sparse.bin'), 'head');
  await truncate(join(folder, 'documents/deep/deeper/sparse.bin'), 2 * MIB);
  await mkdir(join(folder, 'empties'));
  for (let index = 0; index < 120; index++)
    writeFileSync(join(folder, `empties/a name long enough to fill index blocks ${index}`), '');
  await symlink('documents/large.bin', join(folder, 'link'));
  for (let index = 0; index < files; index++)
    await writeFile(join(folder, `documents/deep/file ${index}`), pattern(index * 7, index));
}

describeNeeding(NTFS_TOOLS, 'NTFS volumes', () => {
  filesystemContract('ntfs', async () => {
    const scratch = await makeScratch();
    const { path, tree } = await makeNtfsVolume(scratch, { sizeBytes: 48 * MIB, mkntfs: ['-L', 'Küche'], fill: fillMixed });
    const device = await openFileDevice(path);
    return {
      device,
      open: (volume) => ntfsReader.open(volume),
      tree,
      ignoreInTree: ['mode'],
      usedExtents: await partcloneNtfsExtents(path, scratch),
      dispose: async () => {
        await device.close();
        await scratch.dispose();
      },
    };
  });

  test('map and files are right for every cluster and sector size', { timeout: 90_000 }, async () => {
    const scratch = await makeScratch();
    try {
      const shapes = [
        ['-c', '512'],
        ['-c', '1024'],
        ['-c', '4096'],
        ['-c', '65536'],
        ['-c', '2097152'],
        ['-s', '1024', '-c', '2048'],
        ['-s', '4096', '-c', '4096'],
        ['-s', '4096', '-c', '65536'],
      ];
      const volumes: { path: string; tree: Tree }[] = [];
      for (const [index, mkntfs] of shapes.entries()) {
        // Odd sizes, so that the volume ends inside a cluster.
        const sizeBytes = 160 * MIB + (index % 3) * 20480;
        const fill = (folder: string) => fillMixed(folder, 20);
        volumes.push(await makeNtfsVolume(scratch, { sizeBytes, mkntfs, fill }));
      }
      const check = async ({ path, tree }: { path: string; tree: Tree }, index: number): Promise<void> => {
        const device = await openFileDevice(path);
        const filesystem = await ntfsReader.open(device);
        const map = await filesystem.usedMap();
        const shape = shapes[index];
        expect({ shape, extents: map.extents }).toEqual({ shape, extents: await partcloneNtfsExtents(path, scratch) });
        expect(map.warnings).toEqual([]);
        expectSameTree(await treeOfFilesystem(filesystem), tree, { ignore: ['mode'] });
        await device.close();
      };
      await Promise.all(volumes.map(check));
    } finally {
      await scratch.dispose();
    }
  });
});
