/** Child processes with a log file each; one that dies is started again, with a growing pause, until we stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';

export interface ChildOptions {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFile: string;
  /** Told when it ended by itself; it is restarted after the given pause. */
  readonly onCrash: (name: string, how: string, pauseMs: number) => void;
}

export interface Child {
  readonly name: string;
  isRunning(): boolean;
  /** Asks it to end, kills it after 8 s; resolves when it is gone. */
  stop(): Promise<void>;
}

const QUICK_DEATH_MS = 10_000;

export function startChild(options: ChildOptions): Child {
  const log = createWriteStream(options.logFile, { flags: 'a' });
  let stopping = false;
  let pauseMs = 500;
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;

  const launch = () => {
    const startedAt = Date.now();
    const env = { ...inheritedEnvironment(), ...options.env };
    // A group of its own: Ctrl-C reaches us alone, and we end the children in order.
    const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', options.script, ...(options.args ?? [])], {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child = started;
    started.stdout.pipe(log, { end: false });
    started.stderr.pipe(log, { end: false });
    started.on('error', (error) => options.onCrash(options.name, error.message, pauseMs));
    started.on('exit', (code, signal) => {
      child = null;
      if (stopping) return;
      pauseMs = Date.now() - startedAt < QUICK_DEATH_MS ? Math.min(pauseMs * 2, 30_000) : 1000;
      options.onCrash(options.name, signal ? `signal ${signal}` : `exit code ${code}`, pauseMs);
      timer = setTimeout(launch, pauseMs);
    });
  };
  launch();

  return {
    name: options.name,
    isRunning: () => child !== null,
    async stop() {
      stopping = true;
      if (timer) clearTimeout(timer);
      if (child) await endProcess(child);
      await new Promise<void>((done) => log.end(done));
    },
  };
}

function endProcess(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 8000);
    child.once('exit', () => {
      clearTimeout(hard);
      done();
    });
    child.kill('SIGTERM');
  });
}

// Our own settings reach a child only when it is given them.
function inheritedEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(npm_|DISKFLEET_|DATABASE_URL$|PG[A-Z]+$|NODE_OPTIONS$)/i.test(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, value ?? '']));
}

/** The last lines of a log, for a message about why something did not come up. */
export function tailOf(logFile: string, lines = 12): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Polls a health address until it answers 2xx. Returns the parsed body, or null after `timeoutMs`. */
export async function waitHealthy(url: string, timeoutMs: number): Promise<unknown> {
  const until = Date.now() + timeoutMs;
  while (Date.now() < until) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(3000), redirect: 'manual' });
      if (answer.status < 400) return answer.headers.get('content-type')?.includes('json') ? await answer.json() : {};
    } catch {
      // Not up yet: that is what we wait for.
    }
    await new Promise((next) => setTimeout(next, 100));
  }
  return null;
}
