/** FAT volumes made by mkfs.fat and filled by mtools: no kernel driver and no root needed. */
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type Scratch, seededRandom } from '../../testing/index.ts';

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
