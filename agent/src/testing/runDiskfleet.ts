/** Runs the real command, bundled as it is shipped, as a process of its own, and reads what scripts would read. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const agentFolder = fileURLToPath(new URL('../..', import.meta.url));
/** Inside node_modules: never committed, and native packages are found from there. */
const bundleFolder = join(agentFolder, 'node_modules', '.test-bundle', String(process.pid));

/** What `node` runs. */
export const bundlePath = () => join(bundleFolder, 'diskfleet.js');

/** Bundles the command anew; `removeBundle` when done. */
export async function bundleDiskfleet(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(agentFolder, 'build.mjs'), bundleFolder]);
}

export async function removeBundle(): Promise<void> {
  await rm(bundleFolder, { recursive: true, force: true });
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as the one JSON document it must be. */
  json(): unknown;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process, e.g. to send it a signal. */
  readonly onStart?: (child: ChildProcess, stderr: () => string) => void;
}

export function runDiskfleet(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { DISKFLEET_PASSPHRASE: _passphrase, ...outside } = process.env;
  const child = spawn(process.execPath, [bundlePath(), ...args], {
    cwd: options.cwd,
    env: { ...outside, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  options.onStart?.(child, () => stderr);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) }));
  });
}
