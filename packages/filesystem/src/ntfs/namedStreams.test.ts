/** Alternate data streams, written through ntfs-3g and compared with what it reads. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { expectCode } from '../testing/filesystemContract.ts';
import { describeNeeding, makeScratch, runTool } from '../testing/scratch.ts';
import { ntfsReader } from './reader.ts';
import { makeNtfsVolume, NTFS_TOOLS, pattern } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;
const needs = { ...NTFS_TOOLS, tools: [...NTFS_TOOLS.tools, 'getfattr'] };

async function entriesOf(filesystem: Filesystem): Promise<Map<string, DirectoryEntry>> {
  const entries = new Map<string, DirectoryEntry>();
  for await (const entry of filesystem.readDirectory(await filesystem.root())) entries.set(entry.name, entry);
  return entries;
}

async function contentOf(filesystem: Filesystem, file: DirectoryEntry | undefined, stream?: string): Promise<Buffer> {
  if (file === undefined) throw new Error('it is not listed');
  const reader = await filesystem.openFile(file, stream === undefined ? {} : { stream });
  const bytes = Buffer.alloc(reader.sizeBytes);
  await reader.read(0, bytes);
  return bytes;
}

describeNeeding(needs, 'NTFS alternate data streams', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());
  const zone = '[ZoneTransfer]\r\nZoneId=3\r\n';

  test('listed with their sizes and read, small and large, of files and of folders', async () => {
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes: 32 * MIB,
      mountOptions: 'compression,streams_interface=windows',
      fill: async (folder) => {
        await writeFile(join(folder, 'download.exe'), pattern(50_000, 1));
        await writeFile(join(folder, 'download.exe:Zone.Identifier'), zone);
        await writeFile(join(folder, 'download.exe:large ☃'), pattern(3 * MIB, 2));
        await writeFile(join(folder, 'download.exe:empty'), '');
        await writeFile(join(folder, 'plain'), 'no more than this');
        await writeFile(join(folder, 'nothing but a stream'), '');
        await writeFile(join(folder, 'nothing but a stream:s'), 'stream');
        await mkdir(join(folder, 'folder'));
        await writeFile(join(folder, 'folder:of a folder'), 'also');
        // So many that their names fill several records: an attribute list.
        await writeFile(join(folder, 'many'), pattern(5000, 3));
        for (let index = 0; index < 60; index++)
          await writeFile(join(folder, `many:stream ${index}`), pattern(900 + index, index));
      },
    });
    const device = await openFileDevice(path);
    const filesystem = await ntfsReader.open(device);
    const entries = await entriesOf(filesystem);
    const streamsOf = (name: string) =>
      Object.fromEntries((entries.get(name)?.streams ?? []).map((one) => [one.name, one.sizeBytes]));
    expect(streamsOf('download.exe')).toEqual({ 'Zone.Identifier': zone.length, 'large ☃': 3 * MIB, empty: 0 });
    expect(streamsOf('folder')).toEqual({ 'of a folder': 4 });
    expect(streamsOf('nothing but a stream')).toEqual({ s: 6 });
    expect(entries.get('plain')?.streams).toBeUndefined();
    expect(entries.get('download.exe')?.sizeBytes).toBe(50_000);

    const download = entries.get('download.exe');
    expect((await contentOf(filesystem, download)).equals(pattern(50_000, 1))).toBe(true);
    expect((await contentOf(filesystem, download, 'Zone.Identifier')).toString()).toBe(zone);
    expect((await contentOf(filesystem, download, 'large ☃')).equals(pattern(3 * MIB, 2))).toBe(true);
    expect((await contentOf(filesystem, download, 'empty')).length).toBe(0);
    expect((await contentOf(filesystem, entries.get('folder'), 'of a folder')).toString()).toBe('also');
    expect(Object.keys(streamsOf('many')).length).toBe(60);
    for (const index of [0, 31, 59]) {
      expect((await contentOf(filesystem, entries.get('many'), `stream ${index}`)).equals(pattern(900 + index, index))).toBe(
        true,
      );
    }
    if (download) await expectCode(filesystem.openFile(download, { stream: 'zone.identifier:$DATA' }), 'FS_NOT_FOUND');
    if (download) await expectCode(filesystem.openFile(download, { stream: '' }), 'FS_NOT_FOUND');
    await device.close();
  });

  test('as ntfs-3g lists and reads them', async () => {
    let listed: string[] = [];
    let content = Buffer.alloc(0);
    const { path } = await makeNtfsVolume(scratch, {
      sizeBytes: 16 * MIB,
      mountOptions: 'streams_interface=windows',
      fill: async (folder) => {
        await writeFile(join(folder, 'file'), 'x');
        await writeFile(join(folder, 'file:one'), pattern(12_345, 1));
        await writeFile(join(folder, 'file:two'), 'two');
        const names = await runTool('getfattr', ['--only-values', '-n', 'ntfs.streams.list', join(folder, 'file')]);
        listed = names.split('\0').filter((name) => name !== '');
        content = await readFile(join(folder, 'file:one'));
      },
    });
    const device = await openFileDevice(path);
    const filesystem = await ntfsReader.open(device);
    const file = (await entriesOf(filesystem)).get('file');
    expect(listed.sort()).toEqual(['one', 'two']);
    expect(file?.streams?.map(({ name }) => name).sort()).toEqual(listed);
    expect((await contentOf(filesystem, file, 'one')).equals(content)).toBe(true);
    await device.close();
  });
});
