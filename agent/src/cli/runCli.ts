/** One run of the command: parse, do, print, and the exit code. Never throws. */
import { PRODUCT_VERSION } from '@diskfleet/protocol';
import { AgentError, toFailure } from '../errors.ts';
import type { Cli, Command, CommandResult } from './command.ts';
import { commands } from './commands.ts';
import { exitCodeOf, exitCodes, failureDocument, failureReport } from './failureReport.ts';
import { commandHelp, overviewHelp } from './help.ts';
import { parseCommandLine } from './parse.ts';
import { RefusedPlan } from './restore.ts';

export async function runCli(argv: readonly string[], outside: Omit<Cli, 'json'>): Promise<number> {
  // Decided before parsing, so that even a usage error is one JSON document.
  const cli: Cli = { ...outside, json: argv.includes('--json') };
  try {
    const { command, args, words } = parseCommandLine(argv, commands);
    if (command === null) return await withoutCommand(cli, words, args.flag('version'));
    if (args.flag('help')) {
      await cli.stdout.write(commandHelp(command));
      return exitCodes.done;
    }
    return await finish(cli, await command.run(cli, args));
  } catch (error) {
    return await fail(cli, error);
  }
}

async function withoutCommand(cli: Cli, words: readonly string[], version: boolean): Promise<number> {
  if (version) {
    await cli.stdout.write(cli.json ? `${JSON.stringify({ version: PRODUCT_VERSION })}\n` : `diskfleet ${PRODUCT_VERSION}\n`);
    return exitCodes.done;
  }
  const word = words[0];
  if (word === undefined || word === 'help') {
    await cli.stdout.write(overviewHelp(commands));
    return exitCodes.done;
  }
  throw new AgentError('USAGE', unknownCommand(word, commands));
}

function unknownCommand(word: string, known: readonly Command[]): string {
  const inside = known.filter(({ name }) => name.startsWith(`${word} `));
  if (inside.length > 0) return `"${word}" needs one of: ${inside.map(({ name }) => name.slice(word.length + 1)).join(', ')}`;
  return `there is no command "${word}"`;
}

async function finish(cli: Cli, result: CommandResult): Promise<number> {
  const { json, failure } = result;
  const document = failure === undefined ? json : { ...Object(json), ...failureDocument(failure) };
  if (cli.json) await cli.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  else if (result.text !== '') await cli.stdout.write(result.text.endsWith('\n') ? result.text : `${result.text}\n`);
  if (failure !== undefined) {
    await cli.stderr.write(failureReport(failure, hasColor(cli)));
    return exitCodeOf(failure.code);
  }
  const warnings = result.warnings ?? [];
  if (warnings.length === 0) return exitCodes.done;
  if (!cli.json) await cli.stderr.write(`${warnings.map((warning) => `Warning: ${warning}`).join('\n')}\n`);
  return exitCodes.warnings;
}

async function fail(cli: Cli, error: unknown): Promise<number> {
  const failure = toFailure(cli.signal.aborted ? new AgentError('CANCELLED', '') : error);
  if (cli.json) {
    const plan = error instanceof RefusedPlan ? { plan: error.plan } : {};
    await cli.stdout.write(`${JSON.stringify({ ...failureDocument(failure), ...plan }, null, 2)}\n`);
  }
  await cli.stderr.write(failureReport(failure, hasColor(cli)));
  return exitCodeOf(failure.code);
}

/** https://no-color.org: any value but empty switches colour off. */
function hasColor(cli: Cli): boolean {
  return cli.stderr.isTTY && !cli.env.NO_COLOR;
}
