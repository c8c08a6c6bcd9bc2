/** exFAT volumes made by mkfs.exfat and filled through exfat-fuse, which both are other people's implementations. */
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, memoryDevice, mergeExtents } from '@diskfleet/disk';
import type { DirectoryEntry, Filesystem } from '../../filesystem.ts';
import { partcloneUsedExtents, runTool, type Scratch, seededRandom, type Tree, treeOfFolder } from '../../testing/index.ts';
import { decodeBootSector, type ExfatGeometry } from '../bootSector.ts';
import { exfatReader } from '../reader.ts';

export const MIB = 1 << 20;

export const EXFAT_NEEDS = {
  tools: ['mkfs.exfat', 'fsck.exfat', 'mount.exfat-fuse', 'partclone.exfat', 'losetup', 'blkid'],
  root: true,
};

export interface Variant {
  readonly title: string;
  readonly sizeBytes: number;
  readonly sectorBytes?: number;
  readonly mkfs: readonly string[];
}

/** Sizes of cluster and sector, and the ends of what mkfs.exfat makes. */
export const variants: readonly Variant[] = [
  { title: 'clusters of 512 bytes', sizeBytes: 12 * MIB, mkfs: ['-c', '512', '-L', 'Größe 1'] },
  { title: 'clusters of 4 KiB', sizeBytes: 20 * MIB, mkfs: ['-c', '4096'] },
  { title: 'clusters of 128 KiB', sizeBytes: 48 * MIB, mkfs: ['-c', '128K', '-L', '12345678901'] },
  { title: 'sectors of 2 KiB', sizeBytes: 20 * MIB, sectorBytes: 2048, mkfs: ['-c', '2048'] },
  { title: 'sectors of 4 KiB', sizeBytes: 24 * MIB, sectorBytes: 4096, mkfs: ['-c', '8192', '-L', '日本'] },
  { title: 'bitmap beside the FAT, sectors left over', sizeBytes: 16 * MIB + 3 * 512, mkfs: ['-c', '4096', '--pack-bitmap'] },
];

export interface ExfatImage {
  readonly path: string;
  /** What the mounted volume showed. */
  readonly tree: Tree;
}

/** Makes a volume and lets `fill` write to it while it is mounted. */
export async function makeExfat(
  scratch: Scratch,
  variant: Variant,
  fill?: (folder: string) => Promise<void>,
): Promise<ExfatImage> {
  // exfat-fuse writes local time without saying which.
  process.env.TZ = 'UTC';
  const path = await scratch.sparseFile(`${variant.title}.img`, variant.sizeBytes);
  const loop = await scratch.attach(path, undefined, variant.sectorBytes);
  await runTool('mkfs.exfat', [...variant.mkfs, loop]);
  const tree = fill === undefined ? new Map() : await whileMounted(scratch, loop, fill);
  await scratch.detach(loop);
  return { path, tree };
}

async function whileMounted(scratch: Scratch, loop: string, fill: (folder: string) => Promise<void>): Promise<Tree> {
  const folder = await scratch.mount(loop, 'exfat-fuse');
  await fill(folder);
  const tree = await treeOfFolder(folder);
  await scratch.unmount(folder);
  return tree;
}

export function noise(sizeBytes: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE(random(2 ** 32), at);
  return bytes;
}

const STAMP = new Date('2024-02-29T12:34:57Z');

/** Folders, names of all lengths and scripts, deleted files, and one in pieces. `files` go into one folder. */
export async function fillMixed(folder: string, { bigBytes = 1_300_000, files = 120 } = {}): Promise<void> {
  await mkdir(join(folder, 'Deep', 'deeper', 'deepest'), { recursive: true });
  await mkdir(join(folder, 'empty folder'));
  await mkdir(join(folder, 'many'));
  const contents: Record<string, Buffer> = {
    'README.TXT': Buffer.from('in capitals\n'),
    'Grüße aus Köln – 日本語 🦊.txt': noise(5000, 3),
    'zero length': Buffer.alloc(0),
    [`${'ü'.repeat(250)}.bin`]: noise(513, 5),
    'fifteen units!!': noise(70_000, 2),
    'sixteen units !!': Buffer.from('1'),
    'Deep/deeper/deepest/bottom.bin': noise(33_333, 6),
  };
  for (const [name, bytes] of Object.entries(contents)) await writeFile(join(folder, name), bytes);
  for (let index = 0; index < files; index += 1) {
    await writeFile(join(folder, 'many', `${index} is the number of this file, whose name is long.txt`), noise(index * 4, index));
  }
  for (let index = 0; index < 16; index += 1) await writeFile(join(folder, `gap ${index}`), noise(9000, index));
  for (let index = 0; index < 16; index += 2) await rm(join(folder, `gap ${index}`));
  for (let index = 0; index < files; index += 3) {
    await rm(join(folder, 'many', `${index} is the number of this file, whose name is long.txt`));
  }
  await writeFile(join(folder, 'big.bin'), noise(bigBytes, 4));
  for (const name of await readdir(folder)) await utimes(join(folder, name), STAMP, STAMP);
}

/** partclone's map and what it leaves out on purpose: the sectors behind the last cluster. */
export async function partcloneMap(path: string, scratch: Scratch): Promise<Extent[]> {
  const { geometry } = await load(path);
  const tailOffsetBytes = geometry.dataOffsetBytes + geometry.clusterCount * geometry.clusterBytes;
  const tail = { offsetBytes: tailOffsetBytes, lengthBytes: geometry.totalBytes - tailOffsetBytes };
  return mergeExtents([...(await partcloneUsedExtents('partclone.exfat', path, scratch)), tail].filter((e) => e.lengthBytes > 0));
}

/** The bytes of an image, a copy each time, and its geometry. */
export async function load(path: string): Promise<{ bytes: Buffer; geometry: ExfatGeometry }> {
  const bytes = await readFile(path);
  const geometry = decodeBootSector(bytes);
  if (geometry === null) throw new Error('mkfs.exfat made no exFAT');
  return { bytes, geometry };
}

export async function open(bytes: Buffer): Promise<Filesystem> {
  return exfatReader.open(memoryDevice(bytes));
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
