/** Where the kernel's own files are; tests put a made-up PC there. */
import { readdir, readFile } from 'node:fs/promises';

export interface Roots {
  readonly sys: string;
  readonly proc: string;
  readonly run: string;
  readonly dev: string;
  readonly etc: string;
}

export const realRoots: Roots = { sys: '/sys', proc: '/proc', run: '/run', dev: '/dev', etc: '/etc' };

/** Trimmed text of a small kernel file; null when it is not there or not readable. */
export async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return null;
  }
}

export async function readNumber(path: string): Promise<number | null> {
  const text = await readText(path);
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

export async function listFolder(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch {
    return [];
  }
}
