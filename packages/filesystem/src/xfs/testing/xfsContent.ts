/** What the images of the XFS tests are filled with, beyond what any filesystem can hold. */
import { mkdir, open, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise, writeSparse } from '../../ext/testing/extContent.ts';
import { runTool } from '../../testing/index.ts';

/** Through a mount: files in many pieces, space allocated and not written, holes, a folder that shrank again, a far link. */
export async function fillMounted(root: string): Promise<void> {
  const every = Array.from({ length: 1500 }, (_, index) => index * 9000);
  await writeSparse(join(root, 'comb'), 13_600_000, every);
  await symlink('x'.repeat(1000), join(root, 'far-link'));
  await runTool('fallocate', ['-l', '3M', join(root, 'reserved')]);
  const reserved = await open(join(root, 'reserved'), 'r+');
  await reserved.write(noise(70_000, 7), 0, 70_000, 1_000_000);
  await reserved.close();
  await writeFile(join(root, 'punched'), noise(900_000, 8));
  await runTool('fallocate', ['-p', '-o', '131072', '-l', '262144', join(root, 'punched')]);
  const shrunk = join(root, 'shrunk');
  await mkdir(shrunk);
  for (let index = 0; index < 600; index++) await writeFile(join(shrunk, `passing entry ${index}`), '');
  for (let index = 0; index < 600; index++) if (index % 97 !== 0) await rm(join(shrunk, `passing entry ${index}`));
}

/** Copies that share their blocks, one of them partly rewritten. */
export async function fillReflinks(root: string): Promise<void> {
  await writeFile(join(root, 'shared'), noise(1_200_000, 9));
  await runTool('cp', ['--reflink=always', join(root, 'shared'), join(root, 'shared-copy')]);
  await runTool('cp', ['--reflink=always', join(root, 'shared'), join(root, 'shared-changed')]);
  const changed = await open(join(root, 'shared-changed'), 'r+');
  await changed.write(noise(50_000, 10), 0, 50_000, 300_000);
  await changed.close();
}

/** For a protofile: names without spaces. A folder whose blocks lie between the content of its files is in many pieces. */
export async function fillPlain(root: string, { scale, farLink }: { scale: number; farLink: boolean }): Promise<void> {
  await writeFile(join(root, 'empty'), '');
  await writeFile(join(root, 'tiny'), 'x');
  await writeFile(join(root, 'big'), noise(1_500_000, 1));
  await writeFile(join(root, `${'long-'.repeat(50)}name`), 'long');
  await writeFile(join(root, 'Grüße-世界'), 'unicode');
  await symlink('short-target', join(root, 'link'));
  // mkfs.xfs 6.1 forgets the header that such a link has in version 5.
  if (farLink) await symlink('y'.repeat(900), join(root, 'far-link'));
  await mkdir(join(root, 'a/b/c/d'), { recursive: true });
  await writeFile(join(root, 'a/b/c/d/bottom'), 'deep');
  const many = join(root, 'many');
  await mkdir(many);
  const padding = '-'.repeat(160);
  for (let index = 0; index < scale; index++) await writeFile(join(many, `entry-number-${index}${padding}`), `${index}`);
}
