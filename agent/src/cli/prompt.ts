/** Questions to a person at a terminal. They go to stderr, so that stdout stays the result's. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AgentError } from '../errors.ts';
import type { Cli } from './command.ts';

/** Reads a line without showing it. @throws AgentError `VAULT_KEY_NEEDED` when there is no terminal. */
export async function askHidden(cli: Cli, question: string): Promise<string> {
  if (!cli.stdin.isTTY || !cli.stderr.isTTY) {
    throw new AgentError('VAULT_KEY_NEEDED', 'no terminal to ask at: set DISKFLEET_PASSPHRASE or give --passphrase-file');
  }
  await cli.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // The newline typed is not shown either, so the next line would begin behind the question.
  return readLine(cli, nowhere, '').finally(() => cli.stderr.write('\n'));
}

export function ask(cli: Cli, question: string): Promise<string> {
  return readLine(cli, process.stderr, question);
}

async function readLine(cli: Cli, output: NodeJS.WritableStream, question: string): Promise<string> {
  const lines = createInterface({ input: cli.stdin, output, terminal: true });
  // In raw mode Ctrl-C arrives here and not as a signal.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await lines.question(question, { signal: cli.signal });
  } finally {
    lines.close();
  }
}
