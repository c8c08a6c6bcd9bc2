/** What the images of the ext tests are filled with. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that do not compress and differ by seed. */
export function noise(length: number, seed: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(String(seed)).digest();
}

/** Files of every shape a reader can trip over. `scale` = entries of the largest folder. */
export async function fill(root: string, scale: number): Promise<void> {
  await writeFile(join(root, 'empty'), '');
  await writeFile(join(root, 'tiny'), 'x');
  await writeFile(join(root, 'inlined'), 'y'.repeat(140));
  await writeFile(join(root, 'big'), noise(2_500_000, 1));
  await writeFile(join(root, `${'long-'.repeat(50)}name`), 'long');
  await writeFile(join(root, 'Grüße 世界'), 'unicode');
  await writeFile(Buffer.concat([Buffer.from(`${root}/raw-`), Buffer.from([0xff, 0xfe])]), 'not utf-8');
  await symlink('short target', join(root, 'fast-link'));
  await symlink(`/${'far/'.repeat(60)}away`, join(root, 'slow-link'));
  execFileSync('ln', [join(root, 'big'), join(root, 'hard-link')]);
  execFileSync('mkfifo', [join(root, 'pipe')]);
  // Only root makes devices.
  if (process.getuid?.() === 0) execFileSync('mknod', [join(root, 'device'), 'b', '7', '3']);
  await utimes(join(root, 'tiny'), new Date('2100-05-06T07:08:09.123Z'), new Date('2100-05-06T07:08:09.123Z')).catch(() => {});
  await utimes(join(root, 'empty'), 1, -5.5).catch(() => {});
  let deep = root;
  for (let level = 0; level < 40; level++) deep = join(deep, `d${level}`);
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, 'bottom'), 'deep');
  const many = join(root, 'many');
  await mkdir(many);
  for (let index = 0; index < scale; index++) await writeFile(join(many, `entry number ${index}`), index % 7 ? '' : `${index}`);
  await writeSparse(join(root, 'sparse'), 6_000_000, [0, 700_000, 5_999_999]);
}

export async function writeSparse(path: string, sizeBytes: number, places: readonly number[]): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(sizeBytes);
  for (const place of places) await file.write(Buffer.from('z'), 0, 1, place);
  await file.close();
}

/** Two files written in turns, then every second small file deleted: fragments, holes in the bitmap, freed entries in folders. */
export async function churn(root: string): Promise<void> {
  const [a, b] = [await open(join(root, 'woven-a'), 'w'), await open(join(root, 'woven-b'), 'w')];
  for (let turn = 0; turn < 20; turn++) {
    for (const file of [a, b]) {
      await file.write(noise(9_000, turn));
      await file.datasync();
    }
  }
  await a.close();
  await b.close();
  for (let index = 0; index < 100; index++) await writeFile(join(root, `litter${index}`), noise(5_000, index));
  for (let index = 0; index < 100; index += 2) await rm(join(root, `litter${index}`));
}
