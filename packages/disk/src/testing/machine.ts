/** What tests need of the machine they run on: its disk tools, and a folder for their images. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs a program and returns what it printed; throws with its error output when it fails. */
export function run(tool: string, args: readonly string[], input = ''): string {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  return execFileSync(tool, args, { encoding: 'utf8', input, env, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** A fresh folder; call `remove` in `afterAll`. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'diskfleet-disk-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
