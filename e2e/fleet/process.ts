/** One real process of the product under test: started from its bundle, killed hard when a test says so, its log kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';

export interface ProcessOptions {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: Record<string, string>;
  readonly logFile: string;
}

export interface Proc {
  readonly name: string;
  readonly pid: number | null;
  start(): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and waits; SIGKILL after 10 s. */
  stop(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  log(): string;
}

export function makeProcess(options: ProcessOptions): Proc {
  let child: ChildProcess | null = null;
  const gone = (running: ChildProcess) =>
    new Promise<void>((done) =>
      running.exitCode !== null || running.signalCode !== null ? done() : running.once('exit', () => done()),
    );
  const end = async (signal: NodeJS.Signals) => {
    if (!child) return;
    const running = child;
    child = null;
    running.kill(signal);
    const hard = setTimeout(() => running.kill('SIGKILL'), 10_000);
    await gone(running);
    clearTimeout(hard);
  };
  return {
    name: options.name,
    get pid() {
      return child?.pid ?? null;
    },
    start() {
      if (child) throw new Error(`${options.name} runs already`);
      const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', LANG: 'C.UTF-8', ...options.env };
      const started = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', options.script, ...(options.args ?? [])],
        { env, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const log = createWriteStream(options.logFile, { flags: 'a' });
      started.stdout.pipe(log, { end: false });
      started.stderr.pipe(log, { end: false });
      child = started;
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    signal: (signal) => void child?.kill(signal),
    log: () => readFileSync(options.logFile, 'utf8'),
  };
}

/** Asks again until `probe` gives something; fails with `what` after `timeoutMs`. */
export async function until<T>(what: string, timeoutMs: number, probe: () => Promise<T | null | undefined | false>): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: unknown = null;
  while (Date.now() < end) {
    try {
      const found = await probe();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error(
    `waited ${timeoutMs / 1000} s for ${what}${last ? `; last error: ${last instanceof Error ? last.message : String(last)}` : ''}`,
  );
}
