/** The agent's side of the watchdog. */
import { type ChildProcess, spawn } from 'node:child_process';
import { AgentError } from '../../../errors.ts';

/** Longer than this no volume is held, whatever happens. */
export const HOLD_AT_MOST_MS = 10_000;

export interface ThawGuard {
  readonly pid: number;
  /** Said before folder `index` is frozen; resolves when the watchdog is sure to hear it, even if this process dies now. */
  willFreeze(index: number): Promise<void>;
  /** Folder `index` could not be frozen: it is not ours to thaw. */
  didNotFreeze(index: number): Promise<void>;
  /** Done: `allThawed`, or the rest is left to the watchdog. Resolves when it is gone and holds no folder open any more. */
  end(allThawed: boolean): Promise<void>;
}

/** The first descriptors after stdin, stdout and stderr. */
const FIRST_FD = 3;
const READY_WITHIN_MS = 10_000;

/** @throws AgentError `FREEZE_FAILED` when the watchdog does not come up: then nothing may be frozen */
export async function startThawGuard(folders: readonly number[], deadlineMs = HOLD_AT_MOST_MS): Promise<ThawGuard> {
  const bundled = new URL(import.meta.url).pathname.endsWith('.js');
  const script = new URL(bundled ? './thawGuard.js' : './thawGuard.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [decodeURIComponent(script), String(deadlineMs)], {
    stdio: ['pipe', 'pipe', 'ignore', ...folders],
    // A group of its own: Ctrl-C at the terminal is for the agent alone.
    detached: true,
    cwd: '/',
    env: {},
  });
  await ready(child);
  const { stdin, pid } = child;
  if (!stdin || pid === undefined) throw new AgentError('FREEZE_FAILED', 'the watchdog did not start', { retry: 'later' });
  // That it ended is seen when it is spoken to next.
  stdin.on('error', () => {});
  const gone = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
  const say = (line: string) =>
    new Promise<void>((resolve, reject) => {
      stdin.write(`${line}\n`, (error) =>
        error ? reject(new AgentError('FREEZE_FAILED', 'the watchdog ended', { retry: 'later', cause: error })) : resolve(),
      );
    });
  return {
    pid,
    willFreeze: (index) => say(`freeze ${FIRST_FD + index}`),
    didNotFreeze: (index) => say(`not ${FIRST_FD + index}`),
    async end(allThawed) {
      child.ref();
      stdin.end(allThawed ? 'end\n' : '');
      await gone;
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new AgentError('FREEZE_FAILED', `the watchdog that lets volumes go again ${what}`, { retry: 'later' }));
    };
    const timer = setTimeout(() => fail('did not come up in time'), READY_WITHIN_MS);
    child.once('error', () => fail('did not start'));
    child.once('exit', () => fail('ended at once'));
    child.stdout?.once('data', () => {
      clearTimeout(timer);
      child.removeAllListeners('exit');
      child.stdout?.destroy();
      child.unref();
      resolve();
    });
  });
}
