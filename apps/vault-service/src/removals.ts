/**
 * What was removed from a vault and is still kept, in a file beside the service's own configuration. One line each, `+ <ms> <name>` or
 * `- <ms> <name>` (taken back, or really gone), appended and synced before the caller hears of it. Should the file be lost, what
 * it named is simply there again.
 */
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ServiceError } from './errors.ts';

/** More than this wait for their end in one vault only if something is wrong; each costs about 200 bytes of memory. */
const MOST_KEPT = 400_000;

export interface Removals {
  readonly size: number;
  /** When an object was removed, in ms since 1970; undefined when it was not. */
  removedAtMs(name: string): number | undefined;
  /** Durable when it resolves. @throws ServiceError 503 while too many wait. */
  add(name: string, nowMs: number): Promise<void>;
  drop(name: string, nowMs: number): Promise<void>;
  /** In the order in which they were removed. */
  names(): IterableIterator<[name: string, removedAtMs: number]>;
  close(): Promise<void>;
}

export async function openRemovals(path: string): Promise<Removals> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const kept = readLines(await readFile(path, 'latin1').catch(absentIsEmpty));
  let file = await writeAnew(path, kept);
  let lines = kept.size;
  let writing: Promise<void> = Promise.resolve();
  let waiting: string[] = [];
  /** Lines that come while a sync is under way are written together by the next one. */
  const append = (line: string): Promise<void> => {
    waiting.push(line);
    if (waiting.length > 1) return writing;
    writing = writing
      .catch(() => {})
      .then(async () => {
        const text = waiting.join('');
        lines += waiting.length;
        waiting = [];
        if (lines > 2 * kept.size + 10_000) {
          await file.close();
          file = await writeAnew(path, kept);
          lines = kept.size;
        }
        await file.appendFile(text);
        await file.datasync();
      });
    return writing;
  };
  return {
    get size() {
      return kept.size;
    },
    removedAtMs: (name) => kept.get(name),
    async add(name, nowMs) {
      if (kept.has(name)) return;
      if (kept.size >= MOST_KEPT)
        throw new ServiceError(503, 'SERVER_BUSY', `${MOST_KEPT} removed objects wait for the end of the deletion delay already`);
      await append(`+ ${nowMs} ${name}\n`);
      kept.set(name, nowMs);
    },
    async drop(name, nowMs) {
      if (!kept.has(name)) return;
      await append(`- ${nowMs} ${name}\n`);
      kept.delete(name);
    },
    names: () => kept.entries(),
    async close() {
      await writing.catch(() => {});
      await file.close();
    },
  };
}

function absentIsEmpty(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

/** A last line that was cut off by a crash was never acknowledged. */
function readLines(text: string): Map<string, number> {
  const kept = new Map<string, number>();
  for (const [, sign, ms, name = ''] of text.matchAll(/^([+-]) (\d{1,16}) (\S+)\n/gm)) {
    if (sign === '+') kept.set(name, Number(ms));
    else kept.delete(name);
  }
  return kept;
}

async function writeAnew(path: string, kept: ReadonlyMap<string, number>): Promise<FileHandle> {
  const file = await open(`${path}.new`, 'w', 0o600);
  let text = '';
  for (const [name, ms] of kept) {
    text += `+ ${ms} ${name}\n`;
    if (text.length > 1 << 20) {
      await file.appendFile(text);
      text = '';
    }
  }
  await file.appendFile(text);
  await file.sync();
  await rename(`${path}.new`, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
  return file;
}
