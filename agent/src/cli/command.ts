/** What a command is: a table entry with its help and a function from arguments to one result. */
import type { Failure } from '@diskfleet/protocol';
import type { Platform } from '../platform/types.ts';

/** Everything of the outside world a command may touch. */
export interface Cli {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: NodeJS.ReadStream;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => Date;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly json: boolean;
  /** Chosen at the first call, so that commands that need none work everywhere. */
  readonly platform: () => Platform;
}

export interface Output {
  readonly isTTY: boolean;
  readonly columns: number;
  /** Resolves when the reader has taken it, so that a slow pipe bounds memory. */
  write(data: string | Uint8Array): Promise<void>;
}

export interface CommandResult {
  /** Printed with `--json`, as the only thing on stdout. */
  readonly json: unknown;
  /** Printed without; empty when the command has written its output itself. */
  readonly text: string;
  /** Makes the exit code 3. */
  readonly warnings?: readonly string[];
  /** The command did its work and found something that is a failure (damage): reported beside the result. */
  readonly failure?: Failure;
}

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** Shown in help, e.g. `FOLDER`. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** One or two words. */
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  /** What follows the name. */
  readonly usage: string;
  readonly details: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  run(cli: Cli, args: Args): Promise<CommandResult>;
}

/** Parsed arguments; asking for an option by the wrong kind gives "not set". */
export interface Args {
  readonly positionals: readonly string[];
  text(name: string): string | null;
  flag(name: string): boolean;
  list(name: string): readonly string[];
}
