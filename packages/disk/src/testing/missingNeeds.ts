import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Why a test that needs more of this machine than Node cannot run here, for the title of the skipped test; null when it can.
 * In CI everything must be there: then a missing need is an error, never a silent skip.
 *
 * @param needs names of programs, or `root`, or `loop devices`
 */
export function missingNeeds(...needs: string[]): string | null {
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return null;
  const why = `needs ${missing.join(', ')}`;
  if (process.env.CI) throw new Error(`these tests cannot run here: ${why}`);
  return why;
}

function isThere(need: string): boolean {
  if (need === 'root') return process.getuid?.() === 0;
  if (need === 'loop devices') return existsSync('/dev/loop-control');
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  return folders.some((folder) => folder !== '' && existsSync(join(folder, need)));
}

/** `title`, and why it is skipped. */
export function titled(title: string, why: string | null): string {
  return why === null ? title : `${title} (skipped: ${why})`;
}
