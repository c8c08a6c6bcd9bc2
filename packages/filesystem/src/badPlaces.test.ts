/** Every reader on a medium that fails in one place of the metadata. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { btrfsReader } from './btrfs/index.ts';
import { makeBtrfsImage } from './btrfs/testing/btrfsImage.ts';
import { exfatReader } from './exfat/reader.ts';
import { EXFAT_NEEDS, fillMixed, makeExfat } from './exfat/testing/exfatImage.ts';
import { extReader } from './ext/index.ts';
import { fill, noise } from './ext/testing/extContent.ts';
import { fatReader } from './fat/reader.ts';
import { copyIn, FAT_TOOLS, makeFat, makeSourceTree } from './fat/testing/fatImage.ts';
import { ntfsReader } from './ntfs/reader.ts';
import { fillRich, makeNtfsVolume, NTFS_TOOLS } from './ntfs/testing/ntfsVolume.ts';
import { badPlacesContract } from './testing/badPlacesContract.ts';
import { describeNeeding, makeScratch, runTool, type Scratch } from './testing/index.ts';
import { xfsReader } from './xfs/index.ts';

const MIB = 1 << 20;

/** Makes an image in a scratch of its own and returns its bytes: a copy, as a Buffer's may be shared. */
const imageOf = (make: (scratch: Scratch) => Promise<string>) => async (): Promise<Uint8Array> => {
  const scratch = await makeScratch();
  try {
    return new Uint8Array(await readFile(await make(scratch)));
  } finally {
    await scratch.dispose();
  }
};

/** Folders beside each other, for one lost place must not hide all of them. */
async function fillFolders(folder: string): Promise<void> {
  await fill(folder, 60);
  for (let index = 0; index < 20; index++) {
    await mkdir(join(folder, `folder ${index}`));
    for (let file = 0; file < 20; file++) await writeFile(join(folder, `folder ${index}`, `file ${file}`), noise(3000, file));
  }
}

async function mounted(scratch: Scratch, image: string, type: string): Promise<string> {
  const loop = await scratch.attach(image);
  const folder = await scratch.mount(loop, type);
  await fillFolders(folder);
  await scratch.unmount(folder);
  await scratch.detach(loop);
  return image;
}

describeNeeding({ tools: FAT_TOOLS }, 'FAT', () => {
  for (const [title, sizeMiB, mkfs] of [
    ['FAT12', 4, ['-F', '12']],
    ['FAT16', 24, ['-F', '16', '-s', '1']],
    ['FAT32', 40, ['-F', '32', '-s', '1']],
    ['FAT32 with one FAT', 40, ['-F', '32', '-s', '1', '-f', '1']],
  ] as const) {
    badPlacesContract(title, {
      reader: fatReader,
      makeImage: imageOf(async (scratch) => {
        const image = await makeFat(scratch, 'fat.img', { sizeBytes: sizeMiB * MIB, mkfs });
        await copyIn(image, await makeSourceTree(scratch, 300_000));
        return image.path;
      }),
    });
  }
});

describeNeeding(EXFAT_NEEDS, 'exFAT', () => {
  badPlacesContract('exFAT', {
    reader: exfatReader,
    makeImage: imageOf(async (scratch) => {
      const variant = { title: 'bad places', sizeBytes: 64 * MIB, mkfs: ['-c', '512'] };
      return (await makeExfat(scratch, variant, (folder) => fillMixed(folder))).path;
    }),
  });
});

describeNeeding(NTFS_TOOLS, 'NTFS', () => {
  badPlacesContract('NTFS', {
    reader: ntfsReader,
    makeImage: imageOf(async (scratch) => {
      const mountOptions = 'compression,streams_interface=windows';
      const fillBoth = async (folder: string) => {
        await fillRich(folder);
        for (let index = 0; index < 20; index++) {
          await mkdir(join(folder, `folder ${index}`));
          for (let file = 0; file < 20; file++)
            await writeFile(join(folder, `folder ${index}`, `file ${file}`), noise(3000, file));
        }
      };
      const options = { sizeBytes: 64 * MIB, mkntfs: ['-c', '512'], mountOptions, fill: fillBoth };
      return (await makeNtfsVolume(scratch, options)).path;
    }),
  });
});

describeNeeding({ tools: ['mke2fs', 'mkfs.xfs', 'mkfs.btrfs', 'losetup', 'mount'], root: true }, 'filesystems of Linux', () => {
  for (const [title, options] of [
    ['ext4', ['-t', 'ext4', '-b', '1024']],
    ['ext2', ['-t', 'ext2', '-b', '1024']],
  ] as const) {
    badPlacesContract(title, {
      reader: extReader,
      makeImage: imageOf(async (scratch) => {
        const image = await scratch.sparseFile('ext.img', 64 * MIB);
        await runTool('mke2fs', ['-q', '-F', ...options, image]);
        return mounted(scratch, image, title);
      }),
    });
  }
  badPlacesContract('XFS', {
    reader: xfsReader,
    makeImage: imageOf(async (scratch) => {
      const image = await scratch.sparseFile('xfs.img', 128 * MIB);
      await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', image]);
      return mounted(scratch, image, 'xfs');
    }),
  });
  badPlacesContract('btrfs', {
    reader: btrfsReader,
    makeImage: imageOf(async (scratch) => {
      const options = ['-m', 'dup', '-d', 'single'];
      return (await makeBtrfsImage(scratch, { name: 'bad', sizeMiB: 200, options, fill: fillFolders })).image;
    }),
  });
});
