import { mkdir } from 'node:fs/promises';
import { runTool, type Scratch, type Tree, treeOfFolder } from '../../testing/index.ts';
import { writeProtofile } from './protofile.ts';
import { fillPlain } from './xfsContent.ts';

export interface PlainImage {
  readonly name: string;
  readonly sizeMiB: number;
  readonly options?: readonly string[];
  /** Entries of the largest folder. Default 300. */
  readonly scale?: number;
}

/** An image made and filled by mkfs.xfs alone: needs no root. Small ones are only made for tests, hence the option. */
export async function makePlainImage(scratch: Scratch, wanted: PlainImage): Promise<{ image: string; tree: Tree }> {
  const image = await scratch.sparseFile(`${wanted.name}.img`, wanted.sizeMiB << 20);
  const source = scratch.path(`${wanted.name}-source`);
  await mkdir(source);
  const version4 = wanted.options?.includes('crc=0') ?? false;
  await fillPlain(source, { scale: wanted.scale ?? 300, farLink: version4 });
  const protofile = await writeProtofile(source, scratch.path(`${wanted.name}.proto`));
  const small = wanted.sizeMiB < 300 ? ['--unsupported'] : [];
  await runTool('mkfs.xfs', ['-q', '-f', ...small, '-L', 'golden', ...(wanted.options ?? []), '-p', protofile, image]);
  return { image, tree: await treeOfFolder(source) };
}

export interface MountedImage {
  readonly name: string;
  readonly sizeMiB: number;
  readonly options?: readonly string[];
  fill(folder: string): Promise<void>;
}

/** An image filled through the kernel; needs root. The tree is what a second mount shows. */
export async function makeMountedImage(scratch: Scratch, wanted: MountedImage): Promise<{ image: string; tree: Tree }> {
  const image = await scratch.sparseFile(`${wanted.name}.img`, wanted.sizeMiB << 20);
  const small = wanted.sizeMiB < 300 ? ['--unsupported'] : [];
  await runTool('mkfs.xfs', ['-q', '-f', ...small, '-L', 'golden', ...(wanted.options ?? []), image]);
  const device = await scratch.attach(image);
  const mounted = await scratch.mount(device, 'xfs');
  await wanted.fill(mounted);
  await scratch.unmount(mounted);
  const again = await scratch.mount(device, 'xfs', 'ro');
  const tree = await treeOfFolder(again);
  await scratch.unmount(again);
  await scratch.detach(device);
  return { image, tree };
}
