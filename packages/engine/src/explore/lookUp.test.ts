import type { DirectoryEntry, Filesystem, FilesystemKind } from '@diskfleet/filesystem';
import { expect, test } from 'vitest';
import { PathFinder } from './lookUp.ts';

const entry = (name: string, type: DirectoryEntry['type']): DirectoryEntry => ({
  name,
  nameBytes: Buffer.from(name),
  type,
  sizeBytes: 0,
  modifiedAtMs: null,
  mode: null,
  ref: name,
  linkTarget: null,
});

/** One folder of files. */
function filesystemOf(kind: FilesystemKind, names: readonly string[], foldName?: (name: string) => string): Filesystem {
  return {
    info: { kind, label: '', uuid: '', blockBytes: 512, totalBytes: 1, usedBytes: 1, clean: true },
    usedMap: () => Promise.reject(new Error('not asked for')),
    root: async () => entry('', 'directory'),
    async *readDirectory() {
      for (const name of names) yield entry(name, 'file');
    },
    openFile: () => Promise.reject(new Error('not asked for')),
    ...(foldName === undefined ? {} : { foldName }),
  };
}

const find = async (filesystem: Filesystem, name: string) => (await new PathFinder(filesystem).find([name], name)).name;

test.each(['ntfs', 'fat12', 'fat16', 'fat32', 'exfat'] as const)('case does not count on %s', async (kind) => {
  const filesystem = filesystemOf(kind, ['Readme.TXT', 'readme.txt']);
  expect(await find(filesystem, 'README.txt')).toBe('Readme.TXT');
  expect(await find(filesystem, 'readme.txt')).toBe('readme.txt');
});

test.each(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs'] as const)('case counts on %s', async (kind) => {
  const filesystem = filesystemOf(kind, ['Readme.TXT']);
  await expect(find(filesystem, 'readme.txt')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  expect(await find(filesystem, 'Readme.TXT')).toBe('Readme.TXT');
});

test('a volume that says how names fold is asked', async () => {
  const filesystem = filesystemOf('exfat', ['Straße'], (name) => name.replaceAll('s', 'S'));
  expect(await find(filesystem, 'straße')).toBe('Straße');
  // Capitals of our own would have made SS of ß and found it.
  await expect(find(filesystem, 'STRASSE')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
});

test('a file whose name has a colon in it comes before a stream', async () => {
  const plain = filesystemOf('ntfs', ['a', 'a:b']);
  const withStreams: Filesystem = {
    ...plain,
    async *readDirectory() {
      for (const name of ['a', 'a:b'])
        yield { ...entry(name, 'file'), streams: ['b', 'c'].map((stream) => ({ name: stream, sizeBytes: 1 })) };
    },
  };
  const finder = new PathFinder(withStreams);
  expect(await finder.findContent(['a:b'], 'a:b')).toMatchObject({ entry: { name: 'a:b' }, stream: null });
  expect(await finder.findContent(['a:C'], 'a:C')).toMatchObject({ entry: { name: 'a' }, stream: { name: 'c' } });
  await expect(finder.find(['a:c'], 'a:c')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
});
