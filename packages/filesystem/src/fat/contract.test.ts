/** The suites every reader runs, over FAT volumes of all kinds. */
import { openFileDevice } from '@diskfleet/disk';
import {
  describeNeeding,
  filesystemContract,
  makeScratch,
  mutationContract,
  partcloneUsedExtents,
  treeOfFolder,
} from '../testing/index.ts';
import { decodeBootSector } from './bootSector.ts';
import { fatReader } from './reader.ts';
import { bytesOf, copyIn, FAT_TOOLS, MIB, makeFat, makeSourceTree, type Variant, variants } from './testing/fatImage.ts';

describeNeeding({ tools: FAT_TOOLS }, 'FAT volumes of mkfs.fat and mtools', () => {
  for (const variant of variants) {
    filesystemContract(variant.title, async () => {
      const scratch = await makeScratch();
      const image = await makeFat(scratch, 'fat.img', variant);
      const source = await makeSourceTree(scratch);
      await copyIn(image, source);
      return {
        device: await openFileDevice(image.path),
        open: fatReader.open,
        tree: await treeOfFolder(source),
        ignoreInTree: ['mode'],
        // partclone misreads FAT12, see usedMap.ts; "agrees with fsck.fat" below stands in for it.
        usedExtents: variant.kind === 'fat12' ? undefined : await partcloneUsedExtents('partclone.fat', image.path, scratch),
        dispose: () => scratch.dispose(),
      };
    });
  }

  const small: readonly Omit<Variant, 'kind'>[] = [
    { title: 'FAT12', sizeBytes: 2 * MIB, mkfs: ['-F', '12'] },
    { title: 'FAT16', sizeBytes: 4 * MIB, mkfs: ['-F', '16', '-s', '1'] },
    { title: 'FAT32', sizeBytes: 36 * MIB, mkfs: ['-F', '32', '-s', '1'] },
  ];
  for (const { title, sizeBytes, mkfs } of small) {
    mutationContract(title, {
      reader: fatReader,
      runs: 150,
      makeImage: async () => {
        const scratch = await makeScratch();
        try {
          const image = await makeFat(scratch, 'fat.img', { sizeBytes, mkfs });
          await copyIn(image, await makeSourceTree(scratch, 20_000));
          const bytes = await bytesOf(image);
          const geometry = decodeBootSector(bytes);
          if (geometry === null) throw new Error('mkfs.fat made no FAT');
          const tables = { offsetBytes: geometry.fatOffsetBytes, lengthBytes: 400 };
          const folders = { offsetBytes: geometry.rootOffsetBytes, lengthBytes: geometry.rootBytes || 8192 };
          // A plain array: a Buffer's slice() is no copy, and damage could not be undone.
          return {
            bytes: new Uint8Array(bytes),
            metadata: [{ offsetBytes: 0, lengthBytes: 96 }, tables, tables, folders, folders],
          };
        } finally {
          await scratch.dispose();
        }
      },
    });
  }
});
