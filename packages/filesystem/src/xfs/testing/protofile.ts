/**
 * mkfs.xfs can fill a volume by itself, from a description of files. The one way to make what the kernel no longer mounts
 * (version 4, without checksums) or not on every machine (blocks larger than a page), and needs no root.
 */
import { lstat, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Describes a folder of files, folders and links, whose names have no spaces, and returns the path of the description. */
export async function writeProtofile(folder: string, path: string): Promise<string> {
  const lines = ['/none', '0 0', `d--${octal((await lstat(folder)).mode)} 0 0`];
  const visit = async (at: string): Promise<void> => {
    for (const name of await readdir(at)) {
      const child = join(at, name);
      const stat = await lstat(child);
      if (stat.isDirectory()) {
        lines.push(`${name} d--${octal(stat.mode)} 0 0`);
        await visit(child);
      } else if (stat.isSymbolicLink()) {
        lines.push(`${name} l--777 0 0 ${await readlink(child)}`);
      } else {
        lines.push(`${name} ---${octal(stat.mode)} 0 0 ${child}`);
      }
    }
    lines.push('$');
  };
  await visit(folder);
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}
