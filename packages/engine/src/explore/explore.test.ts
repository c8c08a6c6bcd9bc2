import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { openFileDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIB, makeDisk, makeTree, makeVolume, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { Harness } from '../testing/harness.ts';
import type { ExploreFile, Explorer } from '../types.ts';
import { explore } from './explore.ts';

const missing = missingTools();
const title = missing.length === 0 ? 'exploring' : `exploring (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

async function readAll(file: ExploreFile): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.stream()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function names(explorer: Explorer, path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of explorer.list(path)) found.push(name);
  return found.sort();
}

/** Path → content of every file below `path`; folders end in `/`, links show where they point. */
async function walk(explorer: Explorer, path: string): Promise<Map<string, Buffer | string>> {
  const found = new Map<string, Buffer | string>();
  for await (const entry of explorer.list(path)) {
    const below = `${path}/${entry.name}`;
    if (entry.name === 'lost+found') continue;
    if (entry.type === 'file') found.set(below, await readAll(await explorer.open(below)));
    else if (entry.type === 'symlink') found.set(below, `-> ${entry.linkTarget}`);
    else for (const [inner, content] of await walk(explorer, below)) found.set(inner, content);
  }
  return found;
}

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();
  let tree = new Map<string, Buffer>();
  let saved: Explorer;
  let live: Explorer;
  const closing: (() => Promise<void>)[] = [];

  const open = async (path: string) => {
    const device = await openFileDevice(harness.path(path));
    closing.push(() => device.close());
    return explore(device);
  };

  beforeAll(async () => {
    mkdirSync(harness.path('tree'));
    tree = makeTree(harness.path('tree'));
    symlinkSync('/etc/passwd', harness.path('tree/away'));
    symlinkSync('small', harness.path('tree/near'));
    makeDisk(harness.path('disk'), 120, {
      kind: 'gpt',
      parts: [
        { sizeMib: 96, kind: 'ext4', tree: harness.path('tree') },
        { sizeMib: 2, kind: 'raw', bytes: noise(MIB, 3) },
        { sizeMib: 16, kind: 'ntfs', tree: harness.path('tree') },
      ],
    });
    const { point } = await harness.backup(['disk']);
    const disk = await (await (await harness.openVault()).openPoint(point.id)).openDisk(0);
    closing.push(() => disk.close());
    saved = await explore(disk);
    live = await open('disk');
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await harness.close();
  });

  test('the tree of a saved disk equals the files it was made of; so does that of the live disk', async () => {
    for (const explorer of [saved, live]) {
      const found = await walk(explorer, '/1');
      expect(found.get('/1/away')).toBe('-> /etc/passwd');
      expect(found.get('/1/near')).toBe('-> small');
      expect(found.size).toBe(tree.size + 2);
      for (const [path, content] of tree) expect(content.equals(Buffer.from(found.get(`/1/${path}`) ?? 'none'))).toBe(true);
    }
  });

  test('the top of a disk lists its partitions', async () => {
    const entries = [];
    for await (const entry of saved.list('/')) entries.push(entry);
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ['1', 'directory'],
      ['2', 'directory'],
      ['3', 'directory'],
    ]);
    expect(entries.map(({ partition }) => partition?.filesystem?.kind ?? null)).toEqual(['ext4', null, 'ntfs']);
    expect(entries.map(({ listable }) => listable)).toEqual([true, false, true]);
    expect((await saved.stat('/2')).partition?.number).toBe(2);
    expect((await saved.stat('/2')).listable).toBe(false);
    expect((await saved.stat('/1/hello.txt')).listable).toBe(false);
    expect((await saved.stat('/1/small')).listable).toBe(true);
    expect((await saved.stat('/')).type).toBe('directory');
  });

  test('stat and random access', async () => {
    const content = tree.get('large/noise.bin') ?? Buffer.alloc(0);
    const file = await saved.open('/1/large/noise.bin');
    expect((await saved.stat('/1//large/noise.bin/')).sizeBytes).toBe(content.length);
    const part = Buffer.alloc(300_000);
    await file.read(2_500_001, part);
    expect(part.equals(content.subarray(2_500_001, 2_800_001))).toBe(true);
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.stream({ fromByte: 1_000_000, toByte: 4_000_000 })) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(content.subarray(1_000_000, 4_000_000))).toBe(true);
    const outside = file.stream({ fromByte: 0, toByte: content.length + 1 })[Symbol.asyncIterator]();
    await expect(outside.next()).rejects.toMatchObject({ code: 'FS_OUT_OF_RANGE' });
  });

  test('what does not exist, cannot be listed, or is no folder has a code of its own', async () => {
    await expect(saved.stat('/1/none')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(saved.stat('/1/Hello.txt')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(saved.stat('/1/../1')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(names(saved, '/9')).rejects.toMatchObject({ code: 'PARTITION_NOT_FOUND' });
    await expect(saved.open('/usr')).rejects.toMatchObject({ code: 'PARTITION_NOT_FOUND' });
    await expect(names(saved, '/2')).rejects.toMatchObject({ code: 'FILESYSTEM_UNKNOWN' });
    await expect(names(saved, '/1/hello.txt')).rejects.toMatchObject({ code: 'FS_NOT_A_DIRECTORY' });
    await expect(saved.stat('/1/hello.txt/x')).rejects.toMatchObject({ code: 'FS_NOT_A_DIRECTORY' });
    // Links are shown, never followed: not out of the disk, not inside it.
    await expect(saved.stat('/1/near/1')).rejects.toMatchObject({ code: 'FS_NOT_A_DIRECTORY' });
    await expect(saved.open('/1/away')).rejects.toMatchObject({ code: 'FS_NOT_A_FILE' });
    await expect(saved.open('/1/small')).rejects.toMatchObject({ code: 'FS_NOT_A_FILE' });
    await expect(saved.open('/')).rejects.toMatchObject({ code: 'FS_NOT_A_FILE' });
  });

  test('NTFS ignores case, ext does not', async () => {
    expect((await saved.stat('/3/nOISE.bin')).name).toBe('Noise.bin');
    const content = await readAll(await saved.open('/3/noise.BIN'));
    expect(content.equals(tree.get('large/noise.bin') ?? Buffer.alloc(0))).toBe(true);
    await expect(saved.stat('/1/HELLO.txt')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  });

  test('streams of NTFS files are listed with them, and opened by a name behind a colon', async () => {
    makeVolume(harness.path('streams'), { sizeMib: 16, kind: 'ntfs', tree: harness.path('tree') });
    writeFileSync(harness.path('zone'), '[ZoneTransfer]\r\nZoneId=3\r\n');
    runTool('ntfscp', ['-q', '-N', 'Zone.Identifier', harness.path('streams'), harness.path('zone'), 'Noise.bin']);
    const explorer = await open('streams');
    const entries = [];
    for await (const entry of explorer.list('/')) entries.push(entry);
    expect(entries.find(({ name }) => name === 'Noise.bin')?.streams).toEqual([{ name: 'Zone.Identifier', sizeBytes: 26 }]);
    const path = '/Noise.bin:Zone.Identifier';
    expect(await explorer.stat(path)).toMatchObject({ name: 'Noise.bin:Zone.Identifier', type: 'file', sizeBytes: 26 });
    expect((await readAll(await explorer.open(path))).toString()).toBe('[ZoneTransfer]\r\nZoneId=3\r\n');
    expect((await explorer.open('/0/noise.BIN:zone.identifier')).sizeBytes).toBe(26);
    expect((await readAll(await explorer.open('/Noise.bin'))).equals(tree.get('large/noise.bin') ?? Buffer.alloc(0))).toBe(true);
    for (const wrong of ['/Noise.bin:other', '/none:Zone.Identifier', '/Noise.bin:', '/:Zone.Identifier', '/:']) {
      await expect(explorer.open(wrong)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    }
  });

  test('a disk that is one filesystem: plain paths, or 0 for the volume', async () => {
    makeVolume(harness.path('plain'), { sizeMib: 32, kind: 'ext4', tree: harness.path('tree') });
    const explorer = await open('plain');
    expect(await names(explorer, '/')).toEqual(await names(explorer, '/0'));
    expect((await readAll(await explorer.open('/hello.txt'))).toString()).toBe('hello\n');
    expect((await readAll(await explorer.open('/0/hello.txt'))).toString()).toBe('hello\n');
  });
});
