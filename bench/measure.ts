/** Runs one command line as a whole process tree and says what it cost. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of the whole tree. */
  readonly cpuSeconds: number;
  /** Largest sum of resident memory over the tree, polled every 50 ms. */
  readonly peakRssBytes: number;
}

/**
 * Runs `script` in bash with pipefail and measures it. The bench's file system is flushed to disk before, so that no run pays for
 * the writes of the one before it (`flush: false` where others are to run beside it at once). @throws when it does not end with 0.
 */
export async function measure(
  script: string,
  env: Record<string, string> = {},
  options: { flush?: boolean } = {},
): Promise<Cost> {
  if (options.flush ?? true)
    await finish(spawn('sync', ['-f', process.env.DISKFLEET_BENCH_FOLDER ?? tmpdir()], { stdio: 'ignore' }));
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-bench-'));
  const times = join(folder, 'times');
  const startedAt = performance.now();
  // GNU time sums user and system time of all descendants the shell waited for.
  const child = spawn('/usr/bin/time', ['-f', '%U %S %M', '-o', times, 'bash', '-o', 'pipefail', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (piece) => said.push(piece));
  let peakRssBytes = 0;
  const poll = setInterval(() => {
    if (child.pid) peakRssBytes = Math.max(peakRssBytes, treeRssBytes(child.pid));
  }, 50);
  const code = await finish(child);
  clearInterval(poll);
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`ended with ${code}: ${script}\n${Buffer.concat(said).toString('utf8').slice(-2000)}`);
  const [user = 0, system = 0, largestKib = 0] = readFileSync(times, 'utf8').trim().split(/\s+/).slice(-3).map(Number);
  rmSync(folder, { recursive: true });
  return { wallSeconds, cpuSeconds: user + system, peakRssBytes: Math.max(peakRssBytes, largestKib * 1024) };
}

function finish(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
}

function treeRssBytes(root: number): number {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : null;
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  let totalBytes = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    totalBytes += rssBytes(pid);
    open.push(...(children.get(pid) ?? []));
  }
  return totalBytes;
}

function parentOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}

function rssBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

/** Allocated bytes of all files below a folder. */
export function allocatedBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fileBytes(join(entry.parentPath, entry.name)), 0);
}

function fileBytes(path: string): number {
  return statSync(path).blocks * 512;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
