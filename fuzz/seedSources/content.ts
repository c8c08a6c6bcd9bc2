/** What volumes are filled with: a little of everything, and next to nothing to store. */
import { link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function fillVolume(root: string, options: { posix: boolean; many?: number }): Promise<void> {
  await writeFile(join(root, 'empty'), '');
  await writeFile(join(root, 'tiny'), 'x');
  await writeFile(join(root, 'text.txt'), 'as ever and ever '.repeat(900));
  await writeFile(join(root, `${'long-'.repeat(40)}name`), 'long');
  await writeFile(join(root, 'Grüße 世界'), 'unicode');
  await mkdir(join(root, 'a', 'b', 'c'), { recursive: true });
  await writeFile(join(root, 'a', 'b', 'c', 'bottom'), 'deep');
  await mkdir(join(root, 'many'));
  for (let index = 0; index < (options.many ?? 60); index++) await writeFile(join(root, 'many', `entry ${index}`), '');
  const [odd, even] = [await open(join(root, 'odd'), 'w'), await open(join(root, 'even'), 'w')];
  for (let turn = 0; turn < 12; turn++) {
    for (const file of [odd, even]) {
      await file.write(Buffer.alloc(3000, turn + 65), 0, 3000, turn * 12_000);
      if (options.posix) await file.datasync();
    }
  }
  await odd.close();
  await even.close();
  if (!options.posix) return;
  await symlink('tiny', join(root, 'link'));
  await symlink(`/${'far/'.repeat(60)}away`, join(root, 'far-link'));
  await link(join(root, 'text.txt'), join(root, 'second'));
}
