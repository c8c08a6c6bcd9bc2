/**
 * Judges one input as people will meet it: in a process of its own, without counters. `node bundle.mjs <seeds> <input file>` prints
 * one line of JSON: `Verdict`.
 */
import { readFileSync } from 'node:fs';
import { attempt, imageOf, type Problem, watchRejections } from './attempt.ts';
import { decodeInput } from './input.ts';
import { MAX_RSS_BYTES } from './limits.ts';
import { loadSeeds } from './seedImage.ts';
import type { Target } from './target.ts';

export interface Verdict {
  readonly problem: Problem | null;
  readonly cpuMs: number;
  /** The most memory the process ever held, with Node itself. */
  readonly peakBytes: number;
}

export async function main(target: Target): Promise<void> {
  watchRejections();
  const [, , seedFolder = '', file = ''] = process.argv;
  const input = decodeInput(readFileSync(file, 'utf8'));
  const { problem, cpuMs } = await attempt(target, imageOf(loadSeeds(seedFolder, input.seed), input));
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const greedy: Problem = { kind: 'memory', text: `${peakBytes >> 20} MiB` };
  const verdict: Verdict = { problem: problem ?? (peakBytes > MAX_RSS_BYTES ? greedy : null), cpuMs, peakBytes };
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
