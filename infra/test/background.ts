/** A command that runs beside others at a low priority: it wants the processor while they wait. Its output is kept until it is asked for. */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Background {
  /** Waits for its end, prints all it wrote, and says whether it ended well, and how long it took. */
  finish(): Promise<{ passed: boolean; seconds: number }>;
}

export function startBackground(path: string, args: readonly string[], cwd: string): Background {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-test-'));
  const file = join(folder, 'output.txt');
  const output = openSync(file, 'w');
  const startedAt = Date.now();
  const child = spawn(path, [...args], { cwd, stdio: ['ignore', output, output] });
  closeSync(output);
  const ended = new Promise<boolean>((done) => {
    child.on('error', (error) => {
      process.stderr.write(`${path}: ${error.message}\n`);
      done(false);
    });
    child.on('close', (code) => done(code === 0));
  });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  return {
    async finish() {
      const passed = await ended;
      process.off('exit', end);
      // Commands in the foreground are waited for synchronously: the end itself may be noticed late.
      const seconds = (statSync(file).mtimeMs - startedAt) / 1000;
      process.stdout.write(readFileSync(file));
      rmSync(folder, { recursive: true, force: true });
      return { passed, seconds };
    },
  };
}
