/** Opens the vault a command names, with as much key as the command needs. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { openVault, type StoreConfig, type Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { bucketPlace } from './bucket.ts';
import type { Args, Cli, OptionSpec } from './command.ts';
import { required } from './parse.ts';
import { portableFile } from './portable.ts';
import { askedUnlock, givenUnlock, keyOptions } from './secrets.ts';

export const vaultOptions: Readonly<Record<string, OptionSpec>> = {
  vault: {
    type: 'string',
    value: 'FOLDER',
    help: 'The vault: a folder, s3://bucket/prefix with AWS_… in the environment, or the address of a vault service (…/v1/vaults/ID) with DISKFLEET_VAULT_TOKEN.',
  },
  ...keyOptions,
};

/** @throws AgentError `USAGE` */
export function vaultPlace(text: string, env: Cli['env']): StoreConfig {
  const bucket = bucketPlace(text, env);
  if (bucket !== null) return bucket;
  if (/^https?:\/\//i.test(text)) return servicePlace(text, env);
  if (/^[a-z0-9]+:\/\//i.test(text)) {
    throw new AgentError(
      'USAGE',
      `"${text}": a vault is in a folder, in a bucket (s3://bucket/prefix) or behind a vault service (https://…); mount other storage and give its folder`,
    );
  }
  return { kind: 'directory', path: resolve(text) };
}

/** The token comes from the console (Storage → admin token): an argument would be seen by all who list processes. */
function servicePlace(text: string, env: Cli['env']): StoreConfig {
  const token = env.DISKFLEET_VAULT_TOKEN ?? '';
  if (token === '') throw new AgentError('USAGE', `"${text}" needs a token in the environment: DISKFLEET_VAULT_TOKEN`);
  return { kind: 'service', baseUrl: text.replace(/\/+$/, ''), token };
}

/** The vault a restore point is in: a portable file is one by itself. @throws AgentError `USAGE` */
export function pointVault(cli: Cli, args: Args, selector: string | undefined): StoreConfig {
  return (selector === undefined ? null : portableFile(selector)) ?? namedVault(cli, args);
}

/** @throws AgentError `USAGE` */
export function namedVault(cli: Cli, args: Args): StoreConfig {
  const text = required(args.text('vault') ?? cli.env.DISKFLEET_VAULT, 'The vault (--vault FOLDER)');
  const isFile = statSync(text, { throwIfNoEntry: false })?.isFile() === true;
  return (isFile ? portableFile(text) : null) ?? vaultPlace(text, cli.env);
}

/**
 * `list`: no key is asked for, since headers of points are readable without. `full`: an encrypted vault is opened with its
 * keys, asking for the passphrase when none was given.
 */
export async function openVaultFor(cli: Cli, args: Args, need: 'list' | 'full', place = namedVault(cli, args)): Promise<Vault> {
  const given = await givenUnlock(cli, args);
  if (given !== null) return openVault(place, given);
  const vault = await openVault(place, { kind: 'none' });
  if (need === 'list' || !vault.encrypted) return vault;
  await vault.close();
  return openVault(place, await askedUnlock(cli));
}

/** Runs `work` with the vault open and closes it whatever happens. */
export async function withVault<T>(vault: Vault, work: (vault: Vault) => Promise<T>): Promise<T> {
  try {
    return await work(vault);
  } finally {
    await vault.close();
  }
}
