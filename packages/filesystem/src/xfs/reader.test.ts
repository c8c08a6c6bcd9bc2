import { openFileDevice } from '@diskfleet/disk';
import { fill } from '../ext/testing/extContent.ts';
import {
  describeNeeding,
  type FilesystemFixture,
  filesystemContract,
  makeScratch,
  partcloneUsedExtents,
  type Scratch,
  type Tree,
  type TreeEntry,
} from '../testing/index.ts';
import { xfsReader } from './index.ts';
import { fillMounted, fillReflinks } from './testing/xfsContent.ts';
import { makeMountedImage, makePlainImage } from './testing/xfsImage.ts';

async function makeFixture(
  make: (scratch: Scratch) => Promise<{ image: string; tree: Tree }>,
  ignoreInTree: readonly (keyof TreeEntry)[],
): Promise<FilesystemFixture> {
  const scratch = await makeScratch();
  const { image, tree } = await make(scratch);
  const device = await openFileDevice(image);
  return {
    device,
    open: xfsReader.open,
    tree,
    ignoreInTree,
    usedExtents: await partcloneUsedExtents('partclone.xfs', image, scratch),
    async dispose() {
      await device.close();
      await scratch.dispose();
    },
  };
}

describeNeeding({ tools: ['mkfs.xfs', 'partclone.xfs', 'losetup', 'mount', 'fallocate'], root: true }, 'XFS reader', () => {
  const mounted = (name: string, options: readonly string[]) => (scratch: Scratch) =>
    makeMountedImage(scratch, {
      name,
      sizeMiB: 64,
      options,
      async fill(folder) {
        await fill(folder, 300);
        await fillMounted(folder);
        await fillReflinks(folder);
      },
    });
  filesystemContract('XFS', () => makeFixture(mounted('v5', []), []));
  filesystemContract('XFS, 1 KiB blocks', () => makeFixture(mounted('v5k', ['-b', 'size=1024']), []));
  // mkfs.xfs does not copy times.
  filesystemContract('XFS version 4', () =>
    makeFixture((scratch) => makePlainImage(scratch, { name: 'v4', sizeMiB: 48, options: ['-m', 'crc=0'] }), ['modifiedAtMs']),
  );
});
