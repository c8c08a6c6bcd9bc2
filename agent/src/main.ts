/** The `diskfleet` process: real streams, signals and clock around `runCli`. */

import type { Output } from './cli/command.ts';
import { exitCodes } from './cli/failureReport.ts';
import { runCli } from './cli/runCli.ts';
import { choosePlatform } from './platform/choosePlatform.ts';
import type { Platform } from './platform/types.ts';

const stop = new AbortController();
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks to end cleanly, the second is for somebody in a hurry.
    if (stopping) process.exit(exitCodes.interrupted);
    stopping = true;
    stop.abort();
  });
}

let platform: Platform | undefined;

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  stdin: process.stdin,
  env: process.env,
  now: () => new Date(),
  signal: stop.signal,
  platform: () => {
    platform ??= choosePlatform(process.env);
    return platform;
  },
});
// A prompt that was open keeps stdin alive; everything else has been closed by its owner.
process.stdin.unref?.();

function outputOf(stream: NodeJS.WriteStream): Output {
  // `diskfleet … | head` closes the pipe: that is its reader's right and no failure.
  stream.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(exitCodes.done);
  });
  return {
    isTTY: stream.isTTY === true,
    // A terminal that does not know its size says 0.
    columns: stream.columns || 80,
    write: (data) => new Promise((resolve) => stream.write(data, () => resolve())),
  };
}
