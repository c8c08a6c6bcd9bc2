import { openFileDevice } from '@diskfleet/disk';
import { describeNeeding, type FilesystemFixture, filesystemContract, makeScratch } from '../testing/index.ts';
import { btrfsReader } from './index.ts';
import { type ImageOptions, makeBtrfsImage } from './testing/btrfsImage.ts';
import { usedByDumpTree } from './testing/dumpTree.ts';

async function makeFixture(wanted: ImageOptions): Promise<FilesystemFixture> {
  const scratch = await makeScratch();
  const { image, tree } = await makeBtrfsImage(scratch, wanted);
  const device = await openFileDevice(image);
  return {
    device,
    open: btrfsReader.open,
    tree,
    usedExtents: await usedByDumpTree(image),
    async dispose() {
      await device.close();
      await scratch.dispose();
    },
  };
}

describeNeeding({ tools: ['mkfs.btrfs', 'btrfs', 'losetup', 'mount'], root: true }, 'btrfs reader', () => {
  filesystemContract('defaults', () => makeFixture({ name: 'plain', sizeMiB: 128 }));
  filesystemContract('mixed, 4 KiB nodes', () =>
    makeFixture({ name: 'mixed', sizeMiB: 64, options: ['--mixed', '-n', '4096'], mountOptions: 'compress=zlib' }),
  );
  filesystemContract('compressed with zstd', () =>
    makeFixture({ name: 'zstd', sizeMiB: 128, mountOptions: 'compress-force=zstd' }),
  );
});
