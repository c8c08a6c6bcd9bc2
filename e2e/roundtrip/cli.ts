/** The `diskfleet` command as scripts use it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const launcher = join(fileURLToPath(new URL('../..', import.meta.url)), 'agent/bin/diskfleet.mjs');

/** Of the vaults of these tests. */
export const passphrase = { DISKFLEET_PASSPHRASE: 'round trip' };

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function cli(args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [launcher, ...args],
      { env: { ...process.env, ...passphrase, ...env }, maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        const exitCode = error && typeof error.code === 'number' ? error.code : error ? 1 : 0;
        done({ exitCode, stdout, stderr });
      },
    );
  });
}

/** Runs with `--json` and gives the one document it printed. @throws with its error output unless the exit code is 0 or 3. */
export async function cliJson(args: readonly string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await cli([...args, '--json']);
  if (exitCode !== 0 && exitCode !== 3)
    throw new Error(`diskfleet ${args.join(' ')} ended with ${exitCode}: ${stdout} ${stderr}`);
  return JSON.parse(stdout);
}
