import { join, resolve } from 'node:path';

export interface Settings {
  readonly root: string;
  readonly dataFolder: string;
  readonly host: string;
  readonly consolePort: number;
  readonly serverPort: number;
  readonly vaultPort: number;
  readonly databaseUrl: string | null;
  readonly withAgent: boolean;
}

/** A mistake of the person who starts us: printed without a stack. */
export class StartError extends Error {
  readonly code: string;
  readonly retry = 'never';
  constructor(code: string, message: string) {
    super(message);
    this.name = 'StartError';
    this.code = code;
  }
}

/** Reads the environment; every setting has a default that works on a PC where nothing else runs. */
export function readSettings(env: NodeJS.ProcessEnv, root: string): Settings {
  return {
    root,
    dataFolder: resolve(env.DISKFLEET_DATA || join(root, '.diskfleet')),
    host: env.DISKFLEET_HOST || '127.0.0.1',
    consolePort: port(env, 'DISKFLEET_CONSOLE_PORT', 7300),
    serverPort: port(env, 'DISKFLEET_SERVER_PORT', 7301),
    vaultPort: port(env, 'DISKFLEET_VAULT_PORT', 7302),
    databaseUrl: env.DATABASE_URL || null,
    withAgent: env.DISKFLEET_NO_AGENT !== '1',
  };
}

function port(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 65536) return value;
  throw new StartError('BAD_PORT', `${name}=${text} is not a port: give a number from 1 to 65535.`);
}
