/** The suites every reader runs, over exFAT volumes of several cluster and sector sizes. */
import { openFileDevice } from '@diskfleet/disk';
import { describeNeeding, filesystemContract, makeScratch, mutationContract } from '../testing/index.ts';
import { exfatReader } from './reader.ts';
import { EXFAT_NEEDS, fillMixed, load, MIB, makeExfat, partcloneMap, variants } from './testing/exfatImage.ts';

describeNeeding(EXFAT_NEEDS, 'exFAT volumes of mkfs.exfat and exfat-fuse', () => {
  for (const variant of variants) {
    filesystemContract(`exFAT, ${variant.title}`, async () => {
      const scratch = await makeScratch();
      const { path, tree } = await makeExfat(scratch, variant, fillMixed);
      return {
        device: await openFileDevice(path),
        open: exfatReader.open,
        tree,
        ignoreInTree: ['mode'],
        usedExtents: await partcloneMap(path, scratch),
        dispose: () => scratch.dispose(),
      };
    });
  }

  for (const sectorBytes of [512, 4096]) {
    mutationContract(`exFAT of ${sectorBytes}-byte sectors`, {
      reader: exfatReader,
      runs: 150,
      makeImage: async () => {
        const scratch = await makeScratch();
        try {
          const variant = { title: 'small', sizeBytes: 4 * MIB, sectorBytes, mkfs: ['-c', '4096', '-b', '64K'] };
          const { path } = await makeExfat(scratch, variant, (folder) => fillMixed(folder, { bigBytes: 20_000, files: 30 }));
          const { bytes, geometry } = await load(path);
          const fat = { offsetBytes: geometry.fatOffsetBytes, lengthBytes: 600 };
          const heap = { offsetBytes: geometry.dataOffsetBytes, lengthBytes: 200 };
          const root = geometry.dataOffsetBytes + (geometry.rootCluster - 2) * geometry.clusterBytes;
          const folders = { offsetBytes: root, lengthBytes: 3 * geometry.clusterBytes };
          const boot = { offsetBytes: 64, lengthBytes: 50 };
          return { bytes: new Uint8Array(bytes), metadata: [boot, fat, heap, folders, folders, folders] };
        } finally {
          await scratch.dispose();
        }
      },
    });
  }
});
