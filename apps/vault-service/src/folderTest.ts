/** Tries a folder as a vault would use it: create, write, fsync, read back, remove. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rm, statfs } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { makeFolder, messageOf } from './places.ts';

const TEST_BYTES = 32 << 20;

export interface FolderTest {
  readonly ok: boolean;
  readonly writable: boolean;
  readonly megabytesPerSecond: number | null;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly isEmpty: boolean;
  readonly problem: string | null;
}

/** Never throws: what is wrong is in `problem`, for people. */
export async function testFolder(folder: string): Promise<FolderTest> {
  const none = { ok: false, writable: false, megabytesPerSecond: null, freeBytes: null, totalBytes: null, isEmpty: false };
  if (!isAbsolute(folder)) return { ...none, problem: 'Give an absolute path, one that starts with /.' };
  try {
    await makeFolder(folder);
    const { freeBytes, totalBytes } = await roomOf(folder);
    const isEmpty = (await readdir(folder)).every((name) => name === 'lost+found');
    const megabytesPerSecond = await writeSpeed(folder);
    const problem = isEmpty ? null : 'The folder is not empty: choose an empty one for a new vault.';
    return { ok: isEmpty, writable: true, megabytesPerSecond, freeBytes, totalBytes, isEmpty, problem };
  } catch (cause) {
    return { ...none, problem: `The folder cannot be used: ${messageOf(cause)}` };
  }
}

/** Free (for this user) and total bytes of the filesystem a folder lies on. */
export async function roomOf(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const room = await statfs(folder);
  return { freeBytes: room.bavail * room.bsize, totalBytes: room.blocks * room.bsize };
}

async function writeSpeed(folder: string): Promise<number> {
  const path = join(folder, `.diskfleet-test-${randomBytes(6).toString('hex')}`);
  const block = randomBytes(4 << 20);
  const file = await open(path, 'wx+');
  try {
    const startedAt = performance.now();
    for (let offset = 0; offset < TEST_BYTES; offset += block.length) await file.write(block, 0, block.length, offset);
    await file.sync();
    const seconds = (performance.now() - startedAt) / 1000;
    const back = Buffer.alloc(block.length);
    await file.read(back, 0, back.length, TEST_BYTES - block.length);
    if (!back.equals(block)) throw new Error('what was written does not read back the same');
    return Math.round((TEST_BYTES / 1e6 / seconds) * 10) / 10;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}
