/** One target for some seconds: a child process that fuzzes, watched from outside, started again when it dies or hangs. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { zstdCompressSync } from 'node:zlib';
import { type Bundle, type BundleFacts, bundleTarget } from '../build/bundle.ts';
import type { Problem } from '../engine/attempt.ts';
import type { ChildMessage, ChildOptions, ChildState } from '../engine/fuzzChild.ts';
import { EXIT_LEAKED, MAX_CPU_MS, MAX_RSS_BYTES } from '../engine/limits.ts';
import { corpusFile, findingsFolder, fuzzFolder, seedFolder } from './folders.ts';
import { judge } from './judge.ts';
import { residentBytes, usedCpuMs, waitsIn } from './proc.ts';

const WATCH_MS = 100;
/** An input that takes this long is stopped; a slower verdict than the limit, as counting makes all slower. */
const STOP_CPU_MS = 3 * MAX_CPU_MS;
const MAX_RESTARTS = 50;
const MAX_JUDGED = 40;
const PROGRESS_MS = 30_000;
/** A child that has used next to nothing of the processor in this time stands still; on a busy machine all takes longer. */
const STILL_MS = 120_000;
const STILL_CPU_MS = 100;

export interface Job {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  /** Tells jobs of one target apart. */
  readonly number: number;
}

export interface Finding {
  readonly problem: Problem;
  /** The input, ready for `regressions/`. */
  readonly file: string;
}

export interface Outcome {
  readonly target: string;
  readonly seed: number;
  readonly executions: number;
  readonly seconds: number;
  readonly inputs: number;
  readonly repaired: number;
  readonly slowestMs: number;
  readonly restarts: number;
  /** Suspicions that a process of its own did not confirm. */
  readonly unconfirmed: number;
  readonly facts: BundleFacts;
  readonly reached: ReadonlySet<number>;
  readonly kept: readonly string[];
  readonly findings: readonly Finding[];
  /** Why the fuzzer itself failed. */
  readonly broken: string | null;
}

const bundles = new Map<string, Promise<Bundle>>();

class Run {
  readonly job: Job;
  readonly bundle: Bundle;
  readonly facts: BundleFacts;
  readonly reached = new Set<number>();
  readonly kept: string[] = [];
  readonly findings: Finding[] = [];
  broken: string | null = null;
  executions = 0;
  repaired = 0;
  slowestMs = 0;
  restarts = 0;
  unconfirmed = 0;
  inputs = 0;
  private readonly judged = new Map<string, number>();
  private readonly beat: string;
  private readonly learnt: string;
  private judging: Promise<void> = Promise.resolve();
  private told = 0;

  constructor(job: Job, bundle: Bundle) {
    this.job = job;
    this.bundle = bundle;
    this.facts = JSON.parse(readFileSync(bundle.facts, 'utf8'));
    this.beat = join(fuzzFolder, 'dist', `${job.target}-${job.number}.beat`);
    this.learnt = join(fuzzFolder, 'dist', `${job.target}-${job.number}.jsonl.zst`);
  }

  async run(): Promise<void> {
    let left = this.job.seconds;
    while (left > 0.5 && this.broken === null && this.restarts <= MAX_RESTARTS) {
      left -= await this.child(left, this.job.seed + this.restarts * 7919);
    }
    await this.judging;
  }

  /** Returns the seconds of the processor it used. */
  private child(seconds: number, seed: number): Promise<number> {
    const options: ChildOptions = {
      seconds,
      seed,
      seedFolder: seedFolder(this.job.target),
      corpora: [corpusFile(this.job.target), this.learnt],
      facts: this.bundle.facts,
      keepCounts: true,
      beat: this.beat,
    };
    writeFileSync(this.beat, '');
    // A child that died leaves what it learnt to the next one.
    writeFileSync(this.learnt, zstdCompressSync(Buffer.from(this.kept.join('\n'))));
    const flags = ['--max-old-space-size=160', '--max-semi-space-size=8', '--expose-gc', '--disable-warning=ExperimentalWarning'];
    const child = spawn(process.execPath, [...flags, this.bundle.script, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    let done = false;
    let last: ChildState | null = null;
    child.stderr.on('data', (piece) => {
      errors = (errors + piece).slice(-4000);
    });
    createInterface(child.stdout).on('line', (line) => {
      const message: ChildMessage = JSON.parse(line);
      if (message.kind === 'state') last = this.progress(message, last);
      else if (message.kind === 'kept') this.kept.push(message.input);
      else if (message.kind === 'found') this.suspect(message.problem, message.input, message.signature);
      else {
        done = true;
        for (const id of message.reached) this.reached.add(id);
        // It has said all: its own way out is not waited for.
        child.kill('SIGKILL');
      }
    });
    const watch = this.watch(child.pid ?? 0, () => child.kill('SIGKILL'));
    return new Promise((resolve) => {
      child.on('close', (code, signal) => {
        const { stopped, cpuMs } = watch.stop();
        if (last !== null) this.executions += last.executions;
        if (done) return resolve(seconds);
        this.restarts += 1;
        const input = this.currentInput();
        if (input === null) this.broken = `the fuzzer ended with ${signal ?? code} before it tried anything:\n${errors}`;
        else if (!stopped && code !== EXIT_LEAKED)
          this.suspect(
            { kind: 'crash', text: `the process ended with ${signal ?? code}: ${errors}` },
            input,
            `crash ${errors.slice(0, 80)}`,
          );
        resolve(cpuMs / 1000);
      });
    });
  }

  private progress(state: ChildState, before: ChildState | null): ChildState {
    this.inputs = Math.max(this.inputs, state.inputs);
    this.repaired += state.repaired - (before?.repaired ?? 0);
    this.slowestMs = Math.max(this.slowestMs, state.slowestMs);
    if (performance.now() - this.told > PROGRESS_MS) {
      this.told = performance.now();
      process.stdout.write(
        `${this.job.target}: ${state.executions} inputs in ${Math.round(state.seconds)} s, ${state.branches} branches, ${state.inputs} kept\n`,
      );
    }
    return state;
  }

  /** The input last begun, by the note the child made of it. */
  private currentInput(): string | null {
    const [, input = ''] = readFileSync(this.beat, 'utf8').split('\n', 2);
    return input.startsWith('{') ? input : null;
  }

  /** Stops a child that works on one input for too long, or not at all; looks at its size on the way. */
  private watch(pid: number, kill: () => void): { stop: () => { stopped: boolean; cpuMs: number } } {
    let [number, cpuAtStart, stopped, greedy, cpuMs] = ['', 0, false, '', 0];
    let lively = { cpuMs: 0, at: performance.now() };
    const timer = setInterval(() => {
      const cpu = usedCpuMs(pid);
      if (cpu === null || stopped) return;
      cpuMs = cpu;
      const now = readFileSync(this.beat, 'utf8').split('\n', 1)[0] ?? '';
      const input = this.currentInput();
      if ((residentBytes(pid) ?? 0) > MAX_RSS_BYTES && input !== null && greedy !== now) {
        greedy = now;
        this.suspect({ kind: 'memory', text: 'more than 256 MiB resident' }, input, 'memory');
      }
      if (cpu - lively.cpuMs > STILL_CPU_MS) lively = { cpuMs: cpu, at: performance.now() };
      if (now !== number) [number, cpuAtStart] = [now, cpu];
      else if (cpu - cpuAtStart > STOP_CPU_MS && input !== null) {
        stopped = true;
        this.suspect({ kind: 'slow', text: `${cpu - cpuAtStart} ms of CPU and no end` }, input, 'slow');
        kill();
      }
      if (performance.now() - lively.at > STILL_MS) {
        stopped = true;
        // Not a finding: an input that takes long uses the processor, and is told apart by that.
        const where = `in ${waitsIn(pid) ?? 'nothing'}, at input ${now}, after ${cpu} ms of CPU`;
        process.stdout.write(`${this.job.target}: its process stands still (${where}) and is ended\n`);
        kill();
      }
    }, WATCH_MS);
    return {
      stop: () => {
        clearInterval(timer);
        return { stopped, cpuMs };
      },
    };
  }

  /** A suspicion becomes a finding when a fresh process without counters agrees. One after another: memory and time are judged. */
  private suspect(problem: Problem, input: string, signature: string): void {
    const times = this.judged.get(signature) ?? 0;
    this.judged.set(signature, times + 1);
    if (times >= MAX_JUDGED) return;
    this.judging = this.judging.then(() => this.judge(problem, input));
  }

  private async judge(suspicion: Problem, input: string): Promise<void> {
    // One proof of slowness or greed is enough: others may well have the same cause.
    const isCommon = ({ kind }: Problem) => kind === 'slow' || kind === 'memory' || kind === 'crash';
    const known = (problem: Problem) =>
      this.findings.some((finding) => finding.problem.kind === problem.kind && isCommon(problem));
    if (known(suspicion)) return;
    const verdict = await judge(this.job.target, input);
    if (verdict.problem === null) {
      this.unconfirmed += 1;
      return;
    }
    if (known(verdict.problem)) return;
    const folder = findingsFolder(this.job.target);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.json`);
    writeFileSync(file, `${input}\n`);
    this.findings.push({ problem: verdict.problem, file });
    process.stdout.write(`${this.job.target}: FOUND ${verdict.problem.kind}: ${verdict.problem.text.slice(0, 600)}\n  ${file}\n`);
  }
}

export async function runTarget(job: Job): Promise<Outcome> {
  const bundle = bundles.get(job.target) ?? bundleTarget(job.target, 'fuzz');
  bundles.set(job.target, bundle);
  const run = new Run(job, await bundle);
  const startedAt = performance.now();
  await run.run();
  const { facts, reached, kept, findings, broken, executions, repaired, slowestMs, restarts, unconfirmed, inputs } = run;
  return {
    target: job.target,
    seed: job.seed,
    seconds: (performance.now() - startedAt) / 1000,
    ...{ facts, reached, kept, findings, broken, executions, repaired, slowestMs, restarts, unconfirmed, inputs },
  };
}
