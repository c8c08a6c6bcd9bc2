import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fill } from '../../ext/testing/extContent.ts';
import { runTool, type Scratch, type Tree, treeOfFolder } from '../../testing/index.ts';

export interface ImageOptions {
  readonly name: string;
  readonly sizeMiB: number;
  /** Of mkfs.btrfs. */
  readonly options?: readonly string[];
  /** Of mount, besides the top-level subvolume. */
  readonly mountOptions?: string;
  /** Fills the mounted volume; default: files of every shape. */
  readonly fill?: (folder: string) => Promise<void>;
  /** Change the volume after it was filled, unmounted. */
  readonly afterwards?: (image: string, scratch: Scratch) => Promise<void>;
}

/** An image filled by the kernel, and the tree as the kernel shows it. Needs root. */
export async function makeBtrfsImage(scratch: Scratch, wanted: ImageOptions): Promise<{ image: string; tree: Tree }> {
  const image = await scratch.sparseFile(`${wanted.name}.img`, wanted.sizeMiB << 20);
  await runTool('mkfs.btrfs', ['-q', '-f', '-L', 'golden', ...(wanted.options ?? []), image]);
  await withMounted(scratch, image, wanted.mountOptions, wanted.fill ?? ((folder) => fill(folder, 300)));
  await wanted.afterwards?.(image, scratch);
  return { image, tree: await treeByKernel(scratch, image) };
}

/** The whole volume as the kernel shows it: all subvolumes and snapshots below the topmost. */
export async function treeByKernel(scratch: Scratch, image: string): Promise<Tree> {
  let tree: Tree = new Map();
  await withMounted(scratch, image, 'ro', async (folder) => {
    tree = await treeOfFolder(folder);
  });
  return tree;
}

export async function withMounted(
  scratch: Scratch,
  image: string,
  options: string | undefined,
  action: (folder: string) => Promise<void>,
): Promise<void> {
  const device = await scratch.attach(image);
  const folder = await scratch.mount(device, 'btrfs', ['subvolid=5', ...(options ? [options] : [])].join(','));
  await action(folder);
  await scratch.unmount(folder);
  await scratch.detach(device);
}

export async function subvolume(folder: string, name: string): Promise<string> {
  await runTool('btrfs', ['subvolume', 'create', join(folder, name)]);
  return join(folder, name);
}

/** An image filled by mkfs.btrfs alone: needs no root. Returns its path and that of the folder it was filled from. */
export async function makeUnmountedImage(
  scratch: Scratch,
  wanted: Pick<ImageOptions, 'name' | 'sizeMiB' | 'options'> & { fill: (folder: string) => Promise<void> },
): Promise<{ image: string; source: string }> {
  const image = await scratch.sparseFile(`${wanted.name}.img`, wanted.sizeMiB << 20);
  const source = scratch.path(`${wanted.name}-source`);
  await mkdir(source);
  await wanted.fill(source);
  await runTool('mkfs.btrfs', ['-q', '-f', '-L', 'golden', ...(wanted.options ?? []), '--rootdir', source, image]);
  return { image, source };
}
