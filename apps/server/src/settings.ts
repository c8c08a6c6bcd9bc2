/** Settings come from the environment, secrets from files only their owner can read. Parsed once at start; nothing else reads either. */

import type { KeyObject } from 'node:crypto';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DatabaseAddress } from '@diskfleet/db';
import { rawPrivateKey, rawPublicKey } from '@diskfleet/protocol';
import * as z from 'zod';

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseAddress;
  /** Base address of the vault service as this server uses it, and as agents do. */
  readonly vaultUrl: string;
  readonly vaultPublicUrl: string;
  /** This server as agents reach it. */
  readonly publicUrl: string;
  readonly consoleUrl: string;
  readonly setupToken: string | null;
  readonly localEnrolToken: string | null;
}

export interface Secrets {
  /** 32 bytes; seals what the database keeps. */
  readonly masterKey: Buffer;
  /** Shared with the console: signs its calls. */
  readonly bridgeKey: Buffer;
  readonly identity: ServerIdentity;
}

export interface ServerIdentity {
  /** Short name of the key, told in every challenge. */
  readonly serverId: string;
  /** Raw, base64; agents pin it. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

const url = z.url().transform((text) => text.replace(/\/+$/, ''));

const environment = z.object({
  DISKFLEET_HOST: z.string().default('127.0.0.1'),
  DISKFLEET_SERVER_PORT: z.coerce.number().int().min(0).max(65_535).default(7301),
  DATABASE_URL: z.string().optional(),
  PGHOST: z.string().optional(),
  PGUSER: z.string().optional(),
  PGPASSWORD: z.string().optional(),
  PGDATABASE: z.string().optional(),
  DISKFLEET_VAULT_URL: url.default('http://127.0.0.1:7302'),
  DISKFLEET_VAULT_PUBLIC_URL: url.optional(),
  DISKFLEET_PUBLIC_URL: url.optional(),
  DISKFLEET_CONSOLE_URL: url.default('http://localhost:7300'),
  DISKFLEET_SETUP_TOKEN: z.string().min(16).optional(),
  DISKFLEET_LOCAL_ENROL_TOKEN: z.string().min(16).optional(),
  DISKFLEET_MASTER_KEY_FILE: z.string(),
  DISKFLEET_BRIDGE_KEY_FILE: z.string(),
  DISKFLEET_SERVER_IDENTITY_FILE: z.string(),
});

/** @throws Error naming the variable or file that is wrong. */
export function readSettings(env: NodeJS.ProcessEnv): { settings: Settings; secrets: Secrets } {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) throw new Error(`The environment is not complete:\n${z.prettifyError(parsed.error)}`);
  const value = parsed.data;
  const settings = {
    host: value.DISKFLEET_HOST,
    port: value.DISKFLEET_SERVER_PORT,
    database: databaseAddress(value),
    vaultUrl: value.DISKFLEET_VAULT_URL,
    vaultPublicUrl: value.DISKFLEET_VAULT_PUBLIC_URL ?? value.DISKFLEET_VAULT_URL,
    publicUrl: value.DISKFLEET_PUBLIC_URL ?? `http://127.0.0.1:${value.DISKFLEET_SERVER_PORT}`,
    consoleUrl: value.DISKFLEET_CONSOLE_URL,
    setupToken: value.DISKFLEET_SETUP_TOKEN ?? null,
    localEnrolToken: value.DISKFLEET_LOCAL_ENROL_TOKEN ?? null,
  };
  const secrets = {
    masterKey: readKey(value.DISKFLEET_MASTER_KEY_FILE, 'master key', 32),
    bridgeKey: readKey(value.DISKFLEET_BRIDGE_KEY_FILE, 'bridge key', 16),
    identity: readIdentity(value.DISKFLEET_SERVER_IDENTITY_FILE),
  };
  return { settings, secrets };
}

function databaseAddress(value: z.infer<typeof environment>): DatabaseAddress {
  if (value.DATABASE_URL) return { url: value.DATABASE_URL };
  if (!value.PGHOST) throw new Error('Neither DATABASE_URL nor PGHOST says where the database is.');
  return { host: value.PGHOST, user: value.PGUSER, password: value.PGPASSWORD, database: value.PGDATABASE };
}

function readKey(file: string, what: string, leastBytes: number): Buffer {
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (key.length < leastBytes || (what === 'master key' && key.length !== leastBytes)) {
    throw new Error(`The ${what} in ${file} is not ${leastBytes} bytes in base64.`);
  }
  if (new Set(key).size < 4) throw new Error(`The ${what} in ${file} is a sample, not a secret.`);
  return key;
}

const identityShape = z.object({ publicKey: z.string(), privateKey: z.string() });

function readIdentity(file: string): ServerIdentity {
  return makeIdentity(identityShape.parse(JSON.parse(readFileSync(file, 'utf8'))));
}

/** @throws when a key is not a raw Ed25519 key in base64. */
export function makeIdentity(pair: { publicKey: string; privateKey: string }): ServerIdentity {
  rawPublicKey(pair.publicKey);
  const serverId = createHash('sha256').update(Buffer.from(pair.publicKey, 'base64')).digest('hex').slice(0, 32);
  return { serverId, publicKey: pair.publicKey, privateKey: rawPrivateKey(pair.privateKey) };
}
