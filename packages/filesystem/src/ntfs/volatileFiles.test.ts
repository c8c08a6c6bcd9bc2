import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, openFileDevice, readBytes, subtractExtents } from '@diskfleet/disk';
import { afterAll, expect, test } from 'vitest';
import { describeNeeding, makeScratch, runTool } from '../testing/scratch.ts';
import { ntfsReader } from './reader.ts';
import { makeNtfsVolume, NTFS_TOOLS, pattern } from './testing/ntfsVolume.ts';

const MIB = 1024 * 1024;

describeNeeding(NTFS_TOOLS, 'NTFS volatile files', async () => {
  const scratch = await makeScratch();
  afterAll(() => scratch.dispose());

  const openVolume = async (fill: (folder: string) => Promise<void>) => {
    const mountOptions = 'compression,big_writes';
    const { path } = await makeNtfsVolume(scratch, { sizeBytes: 32 * MIB, mkntfs: ['-c', '4096'], mountOptions, fill });
    const device = await openFileDevice(path);
    return { device, filesystem: await ntfsReader.open(device) };
  };
  const read = async (device: Parameters<typeof readBytes>[0], extents: readonly Extent[]) => {
    const pieces = [];
    for (const { offsetBytes, lengthBytes } of extents) pieces.push(await readBytes(device, offsetBytes, lengthBytes));
    return Buffer.concat(pieces);
  };

  test('page files and the hibernation file of the root, whatever the case, and no other', async () => {
    const { device, filesystem } = await openVolume(async (folder) => {
      await writeFile(join(folder, 'PageFile.sys'), pattern(3 * MIB, 1));
      await writeFile(join(folder, 'swapfile.sys'), pattern(MIB, 2));
      await writeFile(join(folder, 'hiberfil.sys'), Buffer.concat([Buffer.from('HIBR'), pattern(2 * MIB - 4, 3)]));
      await mkdir(join(folder, 'folder'));
      await writeFile(join(folder, 'folder', 'pagefile.sys'), pattern(MIB, 4));
    });
    const files = (await filesystem.volatileFiles?.()) ?? [];
    expect(files.map(({ kind, path }) => [kind, path]).sort()).toEqual([
      ['hibernation', 'hiberfil.sys'],
      ['pagefile', 'PageFile.sys'],
      ['pagefile', 'swapfile.sys'],
    ]);
    const used = (await filesystem.usedMap()).extents;
    for (const { extents, mustBeZero } of files) {
      expect(subtractExtents(extents, used)).toEqual([]);
      expect(subtractExtents(mustBeZero, extents)).toEqual([]);
    }
    const [pagefile, hibernation] = ['PageFile.sys', 'hiberfil.sys'].map((name) => files.find(({ path }) => path === name));
    expect((await read(device, pagefile?.extents ?? [])).equals(pattern(3 * MIB, 1))).toBe(true);
    expect(pagefile?.mustBeZero).toEqual([]);
    expect((await read(device, hibernation?.mustBeZero ?? [])).toString('latin1', 0, 4)).toBe('HIBR');
    expect(hibernation?.mustBeZero[0]?.lengthBytes).toBe(4096);
    await device.close();
  });

  test('a compressed one and one so small that it lies in its record are not told', async () => {
    const { device, filesystem } = await openVolume(async (folder) => {
      await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', folder]);
      await writeFile(join(folder, 'pagefile.sys'), 'page after page\n'.repeat(50_000));
      await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000000', folder]);
      await writeFile(join(folder, 'hiberfil.sys'), 'hibr');
    });
    expect(await filesystem.volatileFiles?.()).toEqual([]);
    await device.close();
  });
});
