/** Arguments → command and values. Unknown options and missing values are refused, never guessed. */
import { parseArgs } from 'node:util';
import { AgentError } from '../errors.ts';
import type { Args, Command, OptionSpec } from './command.ts';

export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', help: 'Print one JSON document on stdout and nothing else.' },
  help: { type: 'boolean', help: 'Show help for the command.' },
};

export interface Parsed {
  readonly command: Command | null;
  readonly args: Args;
  /** Words before the first option, when no command matched. */
  readonly words: readonly string[];
}

/** @throws AgentError `USAGE` */
export function parseCommandLine(argv: readonly string[], commands: readonly Command[]): Parsed {
  const words = argv.filter((word) => !word.startsWith('-'));
  const command =
    commands.find(({ name }) => name === words.slice(0, 2).join(' ')) ?? commands.find(({ name }) => name === words[0]) ?? null;
  const options = { ...commonOptions, ...(command?.options ?? { version: { type: 'boolean', help: '' } }) };
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: forParser(options),
      allowPositionals: true,
      strict: true,
    });
    const nameWords = command === null ? 0 : command.name.split(' ').length;
    return { command, words, args: makeArgs(positionals.slice(nameWords), values) };
  } catch (cause) {
    throw new AgentError('USAGE', firstSentence(cause), { cause });
  }
}

type ParserOption = { type: 'string' | 'boolean'; multiple: boolean };

function forParser(options: Readonly<Record<string, OptionSpec>>): Record<string, ParserOption> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple }]) => [name, { type, multiple: multiple === true }]),
  );
}

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

function makeArgs(positionals: readonly string[], values: Values): Args {
  return {
    positionals,
    text: (name) => {
      const value = values[name];
      return typeof value === 'string' ? value : null;
    },
    flag: (name) => values[name] === true,
    list: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
    },
  };
}

/** Node appends advice on how to write its options table; people need the first sentence only. */
function firstSentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(/\. |\n/)[0] ?? message;
}

/** @throws AgentError `USAGE` naming what is missing */
export function required(value: string | null | undefined, what: string): string {
  if (value === null || value === undefined || value === '') throw new AgentError('USAGE', `${what} is missing`);
  return value;
}

/** @throws AgentError `USAGE` when words are left over: a forgotten quote must not be ignored. */
export function noMore(positionals: readonly string[], count: number): void {
  const extra = positionals[count];
  if (extra !== undefined) throw new AgentError('USAGE', `"${extra}" was not expected here`);
}

/** @throws AgentError `USAGE` unless `value` is one of `allowed` */
export function oneOf<T extends string>(value: string | null, allowed: readonly [T, ...T[]], what: string): T {
  if (value === null) return allowed[0];
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new AgentError('USAGE', `${what} must be one of ${allowed.join(', ')}, not "${value}"`);
  return found;
}
