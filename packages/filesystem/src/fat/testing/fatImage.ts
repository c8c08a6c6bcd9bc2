/** FAT volumes made by mkfs.fat and filled by mtools: no kernel driver and no root needed. */
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryDevice } from '@diskfleet/disk';
import type { DirectoryEntry, Filesystem } from '../../filesystem.ts';
import { runTool, type Scratch, seededRandom } from '../../testing/index.ts';
import { decodeBootSector } from '../bootSector.ts';
import { fatReader } from '../reader.ts';

export const MIB = 1 << 20;

export const FAT_TOOLS = ['mkfs.fat', 'mcopy', 'mdel', 'mmd', 'mattrib', 'mlabel', 'partclone.fat', 'blkid', 'fsck.fat'];

export interface FatImage {
  readonly path: string;
  readonly sizeBytes: number;
}

export async function makeFat(
  scratch: Scratch,
  name: string,
  options: { sizeBytes: number; mkfs: readonly string[] },
): Promise<FatImage> {
  const path = await scratch.sparseFile(name, options.sizeBytes);
  await runTool('mkfs.fat', [...options.mkfs, path]);
  return { path, sizeBytes: options.sizeBytes };
}

export function noise(sizeBytes: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE(random(2 ** 32), at);
  return bytes;
}

/** Even seconds: FAT has no others. */
const STAMP = new Date('2024-02-29T12:34:56Z');

let sources = 0;

/** A folder of this machine with all a FAT volume can hold. Names differ in more than case. */
export async function makeSourceTree(scratch: Scratch, bigBytes = 1_300_000): Promise<string> {
  sources += 1;
  const folder = scratch.path(`source-${sources}`);
  await mkdir(join(folder, 'Deep', 'deeper', 'deepest'), { recursive: true });
  await mkdir(join(folder, 'EMPTY.DIR'));
  const files: Record<string, Buffer> = {
    'README.TXT': Buffer.from('short name in capitals\n'),
    'lower.txt': Buffer.from('short name in small letters\n'),
    'MIXED.low': noise(3000, 1),
    'A rather long name with spaces, and + other [signs].document': noise(70_000, 2),
    'Grüße aus Köln – 日本語.txt': noise(5000, 3),
    'zero length': Buffer.alloc(0),
    'big.bin': noise(bigBytes, 4),
    [`${'x'.repeat(150)}.y`]: noise(513, 5),
    'Deep/deeper/deepest/bottom.bin': noise(33_333, 6),
    'Deep/one byte': Buffer.from('1'),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  for (const name of await readdir(folder, { recursive: true })) await utimes(join(folder, name), STAMP, STAMP);
  return folder;
}

export async function copyIn(image: FatImage, folder: string): Promise<void> {
  const sources = (await readdir(folder)).map((name) => join(folder, name));
  await mtools(image, 'mcopy', ['-s', '-m', '-Q', ...sources, '::/']);
}

/** mtools with the image as its only drive; times in UTC. */
export async function mtools(image: FatImage, tool: string, args: readonly string[]): Promise<string> {
  return runTool('env', ['TZ=UTC', 'MTOOLS_SKIP_CHECK=1', tool, '-i', image.path, ...args]);
}

export async function bytesOf(image: FatImage): Promise<Buffer> {
  return readFile(image.path);
}

export interface Variant {
  readonly title: string;
  readonly kind: 'fat12' | 'fat16' | 'fat32';
  readonly sizeBytes: number;
  readonly mkfs: readonly string[];
}

/** A volume of each kind, size of cluster and size of sector. mtools takes FAT32 below 65,525 clusters for FAT16, hence the sizes. */
export const variants: readonly Variant[] = [
  { title: 'FAT12', kind: 'fat12', sizeBytes: 4 * MIB, mkfs: ['-F', '12', '-n', 'FLOPPY', '-i', '1234abcd'] },
  { title: 'FAT16', kind: 'fat16', sizeBytes: 20 * MIB, mkfs: ['-F', '16'] },
  { title: 'FAT32', kind: 'fat32', sizeBytes: 40 * MIB, mkfs: ['-F', '32', '-n', 'EFI'] },
  { title: 'FAT16 of 2048-byte sectors', kind: 'fat16', sizeBytes: 20 * MIB, mkfs: ['-F', '16', '-S', '2048', '-s', '1'] },
  { title: 'FAT32 of 4096-byte sectors', kind: 'fat32', sizeBytes: 270 * MIB, mkfs: ['-F', '32', '-S', '4096', '-s', '1'] },
  { title: 'FAT32 of 8 KiB clusters', kind: 'fat32', sizeBytes: 540 * MIB, mkfs: ['-F', '32', '-s', '16'] },
  { title: 'FAT32 with one FAT', kind: 'fat32', sizeBytes: 40 * MIB, mkfs: ['-F', '32', '-f', '1', '-s', '1'] },
  { title: 'FAT16 with sectors left over', kind: 'fat16', sizeBytes: 40 * MIB, mkfs: ['-F', '16', '-s', '8', '-a', '-R', '3'] },
];

export async function open(bytes: Buffer): Promise<Filesystem> {
  return fatReader.open(memoryDevice(bytes));
}

export async function list(filesystem: Filesystem, directory?: DirectoryEntry): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  for await (const entry of filesystem.readDirectory(directory ?? (await filesystem.root()))) entries.push(entry);
  return entries;
}

export async function names(filesystem: Filesystem): Promise<string[]> {
  return (await list(filesystem)).map(({ name }) => name);
}

export async function find(filesystem: Filesystem, name: string): Promise<DirectoryEntry> {
  const entry = (await list(filesystem)).find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`${name} is not there`);
  return entry;
}

/** Writes one FAT entry, in all copies unless told which. */
export function setEntry(bytes: Buffer, cluster: number, options: { value: number; copy?: number }): void {
  const geometry = decodeBootSector(bytes);
  if (geometry === null || geometry.kind === 'fat12') throw new Error('cannot patch this');
  for (let copy = 0; copy < geometry.fatCount; copy += 1) {
    if (options.copy !== undefined && options.copy !== copy) continue;
    const fat = geometry.fatOffsetBytes + copy * geometry.fatBytes;
    if (geometry.kind === 'fat16') bytes.writeUInt16LE(options.value & 0xffff, fat + cluster * 2);
    else bytes.writeUInt32LE(options.value, fat + cluster * 4);
  }
}
