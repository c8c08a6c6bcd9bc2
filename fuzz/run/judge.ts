import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bundle, bundleTarget } from '../build/bundle.ts';
import { MAX_CPU_MS } from '../engine/limits.ts';
import type { Verdict } from '../engine/replayChild.ts';
import { seedFolder } from './folders.ts';
import { usedCpuMs } from './proc.ts';

const WATCH_MS = 200;
/** Beyond this no more is learnt by waiting. */
const STOP_CPU_MS = 3 * MAX_CPU_MS;

const bundles = new Map<string, Promise<Bundle>>();

/** Runs one input in a fresh process, without counters, and says what is wrong with it: what a person would meet. */
export async function judge(target: string, input: string): Promise<Verdict> {
  const bundle = bundles.get(target) ?? bundleTarget(target, 'replay');
  bundles.set(target, bundle);
  const { script } = await bundle;
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-fuzz-'));
  try {
    const file = join(folder, 'input.json');
    await writeFile(file, input);
    return await runOnce([script, seedFolder(target), file]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runOnce(args: readonly string[]): Promise<Verdict> {
  return new Promise((resolve) => {
    // Half of what is allowed: what the heap does not hold, buffers and Node itself may.
    const child = spawn(process.execPath, ['--max-old-space-size=160', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    let cpuMs = 0;
    child.stdout.on('data', (piece) => {
      output += piece;
    });
    child.stderr.on('data', (piece) => {
      errors += piece;
    });
    const watching = setInterval(() => {
      cpuMs = usedCpuMs(child.pid ?? 0) ?? cpuMs;
      if (cpuMs > STOP_CPU_MS) child.kill('SIGKILL');
    }, WATCH_MS);
    child.on('close', (code, signal) => {
      clearInterval(watching);
      if (code === 0) return resolve(JSON.parse(output));
      const slow = cpuMs > STOP_CPU_MS;
      const text = slow ? `no end after ${cpuMs} ms of CPU` : `the process ended with ${signal ?? code}: ${errors.slice(-2000)}`;
      resolve({ problem: { kind: slow ? 'slow' : 'crash', text }, cpuMs, peakBytes: 0 });
    });
  });
}
