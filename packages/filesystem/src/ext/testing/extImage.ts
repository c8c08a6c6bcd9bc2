import { mkdir } from 'node:fs/promises';
import { runTool, type Scratch } from '../../testing/index.ts';
import { fill } from './extContent.ts';

export interface ImageOptions {
  readonly name: string;
  readonly type: 'ext2' | 'ext3' | 'ext4';
  readonly sizeMiB: number;
  readonly options?: readonly string[];
  /** Fills the source folder; default: files of every shape. */
  readonly fill?: (folder: string) => Promise<void>;
}

/** An image filled by mke2fs alone: needs no root. Returns its path and that of the folder it was filled from. */
export async function makeExtImage(scratch: Scratch, wanted: ImageOptions): Promise<{ image: string; source: string }> {
  const image = await scratch.sparseFile(`${wanted.name}.img`, wanted.sizeMiB << 20);
  const source = scratch.path(`${wanted.name}-source`);
  await mkdir(source);
  await (wanted.fill ?? ((folder) => fill(folder, 300)))(source);
  await runTool('mke2fs', ['-q', '-F', '-t', wanted.type, ...(wanted.options ?? []), '-d', source, image]);
  return { image, source };
}

/** Runs one debugfs command that writes, e.g. `set_inode_field /file flags 0x80800`. */
export async function debugfs(image: string, command: string): Promise<void> {
  await runTool('debugfs', ['-w', '-R', command, image]);
}
