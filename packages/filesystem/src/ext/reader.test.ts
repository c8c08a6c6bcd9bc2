import { openFileDevice } from '@diskfleet/disk';
import {
  describeNeeding,
  type FilesystemFixture,
  filesystemContract,
  makeScratch,
  partcloneUsedExtents,
  treeOfFolder,
} from '../testing/index.ts';
import { extReader } from './index.ts';
import { type ImageOptions, makeExtImage } from './testing/extImage.ts';

async function makeFixture(wanted: ImageOptions): Promise<FilesystemFixture> {
  const scratch = await makeScratch();
  const { image, source } = await makeExtImage(scratch, wanted);
  const device = await openFileDevice(image);
  const folder = { type: 'directory', sizeBytes: 0, sha256: null, linkTarget: null, modifiedAtMs: 0, mode: 0o40700 } as const;
  return {
    device,
    open: extReader.open,
    tree: new Map([...(await treeOfFolder(source)), ['lost+found', folder]]),
    // mke2fs copies whole seconds only; the golden images, written by the kernel, compare times.
    ignoreInTree: ['modifiedAtMs'],
    usedExtents: await partcloneUsedExtents(`partclone.${wanted.type}`, image, scratch),
    async dispose() {
      await device.close();
      await scratch.dispose();
    },
  };
}

describeNeeding({ tools: ['mke2fs', 'partclone.ext4'], root: true }, 'ext reader', () => {
  filesystemContract('ext2, 1 KiB blocks', () =>
    makeFixture({ name: 'ext2', type: 'ext2', sizeMiB: 24, options: ['-b', '1024'] }),
  );
  filesystemContract('ext3', () => makeFixture({ name: 'ext3', type: 'ext3', sizeMiB: 48, options: ['-b', '2048'] }));
  filesystemContract('ext4', () => makeFixture({ name: 'ext4', type: 'ext4', sizeMiB: 200 }));
  filesystemContract('ext4, inline_data', () =>
    makeFixture({ name: 'inline', type: 'ext4', sizeMiB: 48, options: ['-O', 'inline_data'] }),
  );
});
