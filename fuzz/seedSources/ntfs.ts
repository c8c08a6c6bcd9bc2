import { mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';
import { fillVolume } from './content.ts';

async function fill(folder: string): Promise<void> {
  const compressed = join(folder, 'compressed');
  await mkdir(compressed);
  await runTool('setfattr', ['-h', '-n', 'system.ntfs_attrib_be', '-v', '0x00000800', compressed]);
  await writeFile(join(compressed, 'text'), Array.from({ length: 4000 }, (_, index) => `line ${index % 77}`).join('\n'));
  await fillVolume(folder, { posix: false, many: 90 });
  await writeFile(join(folder, 'tiny:stream'), 'other');
  await symlink('tiny', join(folder, 'link'));
}

async function made(scratch: Scratch, megabytes: number, options: readonly string[], filling = fill): Promise<string> {
  const image = await scratch.sparseFile('ntfs.img', megabytes << 20);
  await runTool('mkntfs', ['-F', '-Q', '-q', ...options, image]);
  const device = await scratch.attach(image);
  const folder = await scratch.mount(device, 'ntfs-3g', 'compression,streams_interface=windows');
  await filling(folder);
  await scratch.unmount(folder);
  await scratch.detach(device);
  return image;
}

/** What Windows makes and ntfs-3g does not: links of three kinds, a page file; and a file whose runs need a list of attributes. */
async function fillLikeWindows(folder: string): Promise<void> {
  await mkdir(join(folder, 'target'));
  for (const [name, tag] of [
    ['junction', 0xa0000003],
    ['symlink', 0xa000000c],
    ['wsl', 0xa000001d],
  ] as const) {
    const path = join(folder, name);
    await (tag === 0xa0000003 ? mkdir(path) : writeFile(path, ''));
    await runTool('setfattr', ['-h', '-n', 'system.ntfs_reparse_data', '-v', `0x${reparseData(tag).toString('hex')}`, path]);
  }
  await writeFile(join(folder, 'pagefile.sys'), Buffer.alloc(9000, 7));
  const hibernation = Buffer.alloc(9000, 7);
  hibernation.write('hibr');
  await writeFile(join(folder, 'hiberfil.sys'), hibernation);
  await writeFile(join(folder, 'target:stream'), 'of a folder');
  const files = await Promise.all(['x', 'y'].map((name) => open(join(folder, name), 'w')));
  for (let turn = 0; turn < 260; turn++) for (const file of files) await file.write('z', turn * 5000);
  for (const file of files) await file.close();
}

function reparseData(tag: number): Buffer {
  if (tag === 0xa000001d) {
    const target = Buffer.from('target/of/wsl');
    const head = Buffer.alloc(12);
    head.writeUInt32LE(tag, 0);
    head.writeUInt16LE(4 + target.length, 4);
    head.writeUInt32LE(2, 8);
    return Buffer.concat([head, target]);
  }
  const [real, shown] = [Buffer.from('\\??\\C:\\target', 'utf16le'), Buffer.from('C:\\target', 'utf16le')];
  const isLink = tag === 0xa000000c;
  const head = Buffer.alloc(isLink ? 20 : 16);
  head.writeUInt32LE(tag, 0);
  head.writeUInt16LE(head.length - 8 + real.length + shown.length, 4);
  head.writeUInt16LE(real.length, 10);
  head.writeUInt16LE(real.length, 12);
  head.writeUInt16LE(shown.length, 14);
  return Buffer.concat([head, real, shown]);
}

export const seeds: readonly SeedSource[] = [
  { name: 'ntfs-1k', make: (scratch) => made(scratch, 3, ['-c', '1024', '-L', 'SEED']) },
  { name: 'ntfs-windows', make: (scratch) => made(scratch, 5, ['-c', '512'], fillLikeWindows) },
  { name: 'ntfs-4k', make: (scratch) => made(scratch, 6, ['-c', '4096']) },
];
